// SPDX-License-Identifier: Apache-2.0
// What replay drives: the engine of examples/engine, or a layer stack that a GPU captured once; and
// the roofs its work is held against.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "examples/engine/engine.h"
#include "tools/weft/roof.h"

namespace weft::cli {

class ReplayEngine {
 public:
  virtual ~ReplayEngine() = default;
  virtual void add(engine::Request request) = 0;
  virtual std::vector<std::unique_ptr<engine::Sequence>> step(engine::Model& model) = 0;
  virtual const engine::StepTimes& times() const = 0;
  virtual const engine::PagePool& pool() const = 0;
  virtual const engine::Scheduler& scheduler() const = 0;
  /// Of attention: "cpu_avx512".
  virtual std::string unit() const = 0;
};

class ReplayRoofs {
 public:
  virtual ~ReplayRoofs() = default;
  virtual void sample() = 0;
  virtual double gflops() const = 0;
  virtual double gbs() const = 0;
};

std::unique_ptr<ReplayEngine> make_host_engine(const engine::EngineConfig& config,
                                               const Target& target, const Executor& executor);
/// The roofs of `unit` on this host, cleared.
std::unique_ptr<ReplayRoofs> make_host_roofs(Roofs& roofs, const std::string& unit);

}  // namespace weft::cli
