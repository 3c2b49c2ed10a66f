// SPDX-License-Identifier: Apache-2.0
// The plan made on the device: how an operator asks for the planner kernel of its schedule and
// launches it. One asynchronous launch, no copy, no synchronisation.
#pragma once

#include "kernels/plan/params.h"
#include "kernels/plan/smem.h"
#include "src/cuda/launch.h"
#include "src/jit/source.h"

namespace weft {

template <class Visit>
void for_each_field(const PlanSpec& s, Visit&& visit) {
  visit("schedule", s.schedule);
  visit("beside", s.beside);
  visit("max_batch_size", s.max_batch_size);
  visit("max_nnz_qo", s.max_nnz_qo);
  visit("num_threads", s.num_threads);
}

template <>
struct KernelTraits<PlanSpec> {
  using Params = PlanParams;
  static constexpr const char* name = "plan";
  static constexpr const char* header = "kernels/plan/plan.cuh";
  static constexpr const char* spec = "weft::PlanSpec";
  static constexpr const char* params = "weft::PlanParams";
  static constexpr const char* smem = "weft::PlanSmem";
  static constexpr const char* function = "weft::plan_batch";
  static KernelShape shape(const PlanSpec& s) { return {s.num_threads, 1, PlanSmem::of(s).bytes}; }
};

/// The planner for a schedule and its limits. Throws Error(unsupported) when one CTA cannot hold
/// it: batches beyond about 50,000 requests, or 1,023 groups. `beside`: the list that runs at the
/// same time, where there is one.
PlanSpec select_planner(const ScheduleSpec& schedule, int max_batch_size, int max_nnz_qo,
                        const Target& target, const ScheduleSpec& beside = no_requests());

inline void launch_planner(const CudaDevice& device, const CudaKernel& kernel, void* stream,
                           const PlanParams& params) {
  launch(device, kernel, LaunchShape{.overlaps_previous = device.target().arch >= 90}, stream,
         params);
}

/// "qo_indptr decreases at request 3", for a checked batch's PlanResult.
std::string explain_plan_error(const PlanResult& result);

}  // namespace weft
