// SPDX-License-Identifier: Apache-2.0
// See planner.h.
#include "src/cuda/planner.h"

#include <algorithm>

namespace weft {

PlanSpec select_planner(const ScheduleSpec& schedule, int max_batch_size, int max_nnz_qo,
                        const Target& target, const ScheduleSpec& beside) {
  PlanSpec spec;
  spec.schedule = schedule;
  spec.beside = beside;
  spec.max_batch_size = max_batch_size;
  spec.max_nnz_qo = max_nnz_qo;
  // A thread a group, and a thread a request up to 256, then one for two: fewer threads make
  // shorter barriers. 1,024 requests take 9.4 us with 1,024 threads, 8.3 with 512 and 9.7 with 256.
  const int requests = max_batch_size <= 256 ? max_batch_size : std::max(256, max_batch_size / 2);
  const int wanted = std::max({requests, schedule.num_groups + 1, 128});
  spec.num_threads = std::min(1024, (wanted + 31) / 32 * 32);
  const int most_smem = target.smem_per_sm - 1024;  // of which the driver keeps 1 KB a CTA
  const int smem = PlanSmem::of(spec).bytes;
  if (schedule.num_groups >= spec.num_threads || smem > most_smem) {
    throw Error(ErrorKind::unsupported,
                "max_batch_size: expected a planner of at most " + std::to_string(most_smem) +
                    " bytes of shared memory and 1023 groups, got " + std::to_string(smem) +
                    " bytes and " + std::to_string(schedule.num_groups) + " groups");
  }
  return spec;
}

std::string explain_plan_error(const PlanResult& result) {
  const std::string at = " at request " + std::to_string(result.request);
  switch (result.error) {
    case PlanError::none:
      return {};
    case PlanError::too_many_requests:
      return "num_requests: expected at most max_batch_size, got more";
    case PlanError::too_many_tokens:
      return "qo_indptr: expected at most max_nnz_qo query tokens, got more";
    case PlanError::qo_indptr:
      return "qo_indptr: expected no decrease, got one" + at;
    case PlanError::kv_indptr:
      return "kv_indptr: expected no decrease and lengths of 31 bits, got another" + at;
    case PlanError::last_page_len:
      return "last_page_len: expected 1..page_size, got another value" + at;
    case PlanError::page_id:
      return "kv_indices: expected page ids within k and v, got another" + at;
    case PlanError::kv_indices:
      return "kv_indptr: expected places within kv_indices (ragged: k and v), got another" + at;
    case PlanError::rows:
      return "qo_indptr: expected rows within q, o and lse, got another" + at;
    case PlanError::mask_indptr:
      return "mask_indptr: expected bits within custom_mask, got others" + at;
  }
  return "result.error: expected a PlanError, got " +
         std::to_string(static_cast<int>(result.error));
}

}  // namespace weft
