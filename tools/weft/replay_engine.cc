// SPDX-License-Identifier: Apache-2.0
// Replay on the host. See replay_engine.h.
#include "tools/weft/replay_engine.h"

#include "tools/weft/plan_view.h"

namespace weft::cli {
namespace {

class HostEngine final : public ReplayEngine {
 public:
  HostEngine(const engine::EngineConfig& config, const Target& target, const Executor& executor)
      : engine_(config, memory_, target, executor),
        unit_(view_plan(engine_.plan().explain_json()).unit) {}

  void add(engine::Request request) override { engine_.add(std::move(request)); }
  std::vector<std::unique_ptr<engine::Sequence>> step(engine::Model& model) override {
    return engine_.step(model);
  }
  const engine::StepTimes& times() const override { return engine_.times(); }
  const engine::PagePool& pool() const override { return engine_.pool(); }
  const engine::Scheduler& scheduler() const override { return engine_.scheduler(); }
  std::string unit() const override { return unit_; }

 private:
  engine::HostMemory memory_;
  engine::Engine engine_;
  std::string unit_;
};

class HostRoofs final : public ReplayRoofs {
 public:
  HostRoofs(Roofs& roofs, const std::string& unit) : roofs_(roofs), unit_(roof_unit(unit)) {
    roofs_.clear();
  }
  void sample() override {
    roofs_.sample_unit(unit_);
    roofs_.sample_memory();
  }
  double gflops() const override { return roofs_.gflops(unit_); }
  double gbs() const override { return roofs_.memory_gbs(); }

 private:
  Roofs& roofs_;
  const RoofUnit& unit_;
};

}  // namespace

std::unique_ptr<ReplayEngine> make_host_engine(const engine::EngineConfig& config,
                                               const Target& target, const Executor& executor) {
  return std::make_unique<HostEngine>(config, target, executor);
}

std::unique_ptr<ReplayRoofs> make_host_roofs(Roofs& roofs, const std::string& unit) {
  return std::make_unique<HostRoofs>(roofs, unit);
}

}  // namespace weft::cli
