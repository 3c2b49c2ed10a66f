// SPDX-License-Identifier: Apache-2.0
// Runs the wgmma attention kernel on a case with a schedule of the test's choosing, planned on the
// host: what the public API would do with a config for which it selects this kernel.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/ops/attention/plan.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/wgmma.h"
#include "tests/gpu/attention_gpu.h"

namespace weft::test {

class WgmmaRunner {
 public:
  /// REQUIRES: `data` outlives it; wgmma_can_read(its args).
  WgmmaRunner(const CudaBackend& backend, cases::AttentionData& data,
              const AttentionWgmmaSpec& spec, const ScheduleSpec& schedule);

  /// Fills the workspace with `dirt` and writes the plan there.
  void plan(unsigned char dirt);
  /// Asynchronous.
  void run(void* stream = nullptr) const;
  /// Waits, and fetches the outputs.
  void finish();

  DeviceMirror& mirror() { return mirror_; }
  const PlanSummary& summary() const { return summary_; }

 private:
  template <class T>
  void upload(const ArenaArray<T>& array, const std::vector<T>& values) const;

  const CudaDevice& device_;
  cases::AttentionData& data_;
  DeviceMirror mirror_;
  AttentionWgmmaSpec spec_;
  detail::AttentionImpl impl_;
  std::unique_ptr<DeviceMemory> workspace_;
  std::unique_ptr<detail::AttentionPlanImpl> plan_;
  const CudaKernel& kernel_;
  PlanSummary summary_;
};

/// Empty when the kernel is right on a case, with `num_groups` groups: the oracle, the same bits on
/// dirty workspaces, nothing else written.
std::string check_wgmma_case(const cases::AttentionCase& c, uint64_t seed, int num_groups,
                             double* worst);

}  // namespace weft::test
