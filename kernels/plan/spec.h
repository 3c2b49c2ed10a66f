// SPDX-License-Identifier: Apache-2.0
// PlanSpec: what is fixed of the kernel that makes the plan on a device, one CTA for a whole batch.
#pragma once

#include "kernels/core/work.h"

namespace weft {

/// REQUIRES: schedule.num_groups < num_threads; num_threads a multiple of 32, at most 1024.
struct PlanSpec {
  ScheduleSpec schedule;
  ScheduleSpec beside = no_requests();  // of the list that runs at the same time, planned apart
  int32_t max_batch_size = 0;
  int32_t max_nnz_qo = 0;
  int32_t num_threads = 1024;

  bool operator==(const PlanSpec&) const = default;
};

}  // namespace weft
