// SPDX-License-Identifier: Apache-2.0
// plan_batch: lengths on the device -> the plan's lists, in one CTA, with no host work. The phases
// are kernels/plan/phases.h; here are the barriers and prefix sums between them. Any batch within
// the limits: a smaller one, or rows of no queries, only leave ranges empty.
#pragma once

#include "kernels/plan/phases.h"
#include "kernels/plan/scan.cuh"
#include "kernels/ptx/griddep.cuh"

namespace weft {
namespace planner {

inline constexpr uint32_t kFine = 0xffffffffu;

/// An empty plan and why.
template <PlanSpec spec>
__device__ __forceinline__ void report_error(const PlanParams& p, uint32_t error, char* scan) {
  uint32_t* first = reinterpret_cast<uint32_t*>(scan);
  __syncthreads();  // the scan's readers
  if (threadIdx.x == 0) *first = kFine;
  __syncthreads();
  if (error != kFine) atomicMin(first, error);
  __syncthreads();
  write_empty(spec, p, static_cast<int32_t>(threadIdx.x), static_cast<PlanError>(*first % 8),
              static_cast<int32_t>(*first / 8));
}

/// Checks the batch, lays its tiles end to end and gives each thread some of them, with the cost of
/// all before. A decode step, where requests have a tile at most, needs one prefix sum for both.
/// False, with an empty plan written, when the batch is wrong.
template <PlanSpec spec>
__device__ __forceinline__ bool lay_out_tiles(const PlanParams& p, int32_t batch_size,
                                              PlanShared& shared, char* scan) {
  constexpr int32_t kWarps = spec.num_threads / 32;
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  uint32_t error = kFine;
  RequestSums mine;
  if (batch_size > spec.max_batch_size || batch_size < 0) {
    error = static_cast<uint32_t>(PlanError::too_many_requests);
  } else {
    const int64_t nnz_qo = int64_t{p.lengths.qo_indptr[batch_size]} - p.lengths.qo_indptr[0];
    mine = sum_requests(spec, p.lengths, batch_size, thread, error);
    if (nnz_qo > spec.max_nnz_qo) {
      error = min_of(error, static_cast<uint32_t>(PlanError::too_many_tokens));
    }
  }
  Sums<int64_t, 2> total;
  VotingBarrier unusual{error != kFine || mine.many};
  const Sums<int64_t, 2> before =
      block_exclusive<kWarps>(Sums<int64_t, 2>{{mine.tiles, mine.cost}},
                              reinterpret_cast<Sums<int64_t, 2>*>(scan), total, unusual);
  if (unusual.flag) {
    if (__syncthreads_or(error != kFine)) {
      report_error<spec>(p, error, scan);
      return false;
    }
    shared.many_tiles = true;
  }
  store_tile_begin(spec, p.lengths, batch_size, thread, static_cast<int32_t>(before.of[0]),
                   mine.tiles, shared);
  int64_t cost_before = before.of[1], cost = total.of[1];
  if (shared.many_tiles) {
    __syncthreads();
    Sums<int64_t, 1> all;
    cost_before =
        block_exclusive<kWarps>(
            Sums<int64_t, 1>{{chunk_cost(
                spec, p.lengths, chunk_walk(spec, p.lengths, batch_size, thread, shared), shared)}},
            reinterpret_cast<Sums<int64_t, 1>*>(scan + PlanSmem::kScanBytes), all)
            .of[0];
    cost = all.of[0];
  }
  shared.chunk_cost[thread] = cost_before;
  if (thread == 0) shared.chunk_cost[spec.num_threads] = cost;
  __syncthreads();
  return true;
}

/// Leaves to the list beside this one its share of the groups.
template <PlanSpec spec>
__device__ __forceinline__ void share_groups(const PlanParams& p, int32_t batch_size,
                                             PlanShared& shared, char* scan) {
  const ListCosts mine = list_costs(spec, p.lengths, batch_size, static_cast<int32_t>(threadIdx.x));
  Sums<int64_t, 2> total;
  block_exclusive<spec.num_threads / 32>(Sums<int64_t, 2>{{mine.own, mine.beside}},
                                         reinterpret_cast<Sums<int64_t, 2>*>(scan), total);
  shared.most_groups = groups_beside(spec.schedule, spec.beside, {total.of[0], total.of[1]});
}

/// Prefix sums of the groups' counts; work_indptr, cut tiles and where whole ones go. Returns the
/// counts of all groups, in threads up to and with num_groups.
template <PlanSpec spec>
__device__ __forceinline__ GroupCount place_groups(const PlanParams& p, const PlanShared& shared,
                                                   char* scan) {
  constexpr int32_t kGroups = spec.schedule.num_groups;
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  const GroupCount mine = thread < kGroups ? count_group(spec, thread, shared) : GroupCount{};
  Sums<int32_t, 3> total{};
  const Sums<int32_t, 3> before =
      block_exclusive<kGroups / 32 + 1>(Sums<int32_t, 3>{{mine.items, mine.merges, mine.rows}},
                                        reinterpret_cast<Sums<int32_t, 3>*>(scan), total);
  if (thread < kGroups) {
    place_group(spec, p, thread, {before.of[0], before.of[1], before.of[2]}, shared);
  } else if (thread == kGroups) {
    p.work_indptr[thread] = total.of[0];
  }
  __syncthreads();
  return {total.of[0], total.of[1], total.of[2]};
}

}  // namespace planner

/// REQUIRES: one CTA of spec.num_threads, PlanSmem::of(spec).bytes of dynamic shared memory.
template <PlanSpec spec>
__device__ __forceinline__ void plan_batch(const PlanParams& p) {
  using namespace planner;
  static_assert(spec.schedule.num_groups < spec.num_threads, "a thread for each group and the end");
  extern __shared__ __align__(16) char smem[];
  PlanShared shared = PlanShared::in(spec, smem);
  char* const scan = smem + PlanSmem::of(spec).scan;
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  if (thread < spec.schedule.num_groups) {
    shared.merge_pieces[thread] = 0;
    shared.merge_states[thread] = 0;
  }
  griddep_wait();

  const int32_t batch_size = p.num_requests != nullptr ? *p.num_requests : p.batch_size;
  if (!lay_out_tiles<spec>(p, batch_size, shared, scan)) return griddep_publish();

  if constexpr (!spec.beside.serves_none()) {
    share_groups<spec>(p, batch_size, shared, scan + 3 * PlanSmem::kScanBytes);
  }
  int32_t active = 0;
  if (thread <= spec.schedule.num_groups) {
    active = find_cut(spec, p.lengths, batch_size, thread, shared);
  }
  __syncthreads();
  const GroupCount total = place_groups<spec>(p, shared, scan + 2 * PlanSmem::kScanBytes);
  write_whole_tiles(spec, p, chunk_walk(spec, p.lengths, batch_size, thread, shared), shared);
  if (thread < total.merges) finish_merge(spec, p, thread, shared);
  if (thread == 0) {
    *p.result = PlanResult{shared.chunk_cost[spec.num_threads],
                           batch_size,
                           total.items,
                           total.merges,
                           total.rows,
                           active,
                           PlanError::none,
                           0,
                           0};
  }
  griddep_publish();
}

}  // namespace weft
