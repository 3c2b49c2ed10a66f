// SPDX-License-Identifier: Apache-2.0
// logprobs_rows: one launch from the logits of a row to its most likely tokens and their
// log-probabilities. A cluster reads its row twice, the second time from L2: first for the largest
// value and, from the largest of every two threads, a floor that `num` values reach; then for the
// sum of masses and the few values that reach the floor, whose order is found by counting.
#pragma once

#include "kernels/logprobs/params.h"
#include "kernels/logprobs/smem.h"
#include "kernels/ptx/griddep.cuh"
#include "kernels/ptx/shared_atomic.cuh"
#include "kernels/tile/elements.cuh"
#include "kernels/tile/row_steps.cuh"
#include "kernels/tile/row_team.cuh"

namespace weft {
namespace logprobs_kernel {

/// The logits of a sample, processed.
template <LogprobsRowSpec spec>
struct Logits {
  static constexpr int kSize = size_of(spec.dtype);
  static constexpr int kStepsInFlight = 4;

  const SamplingParams& p;
  const SampleRequest& r;
  const char* data;

  template <int n>
  struct Loaded {
    float z[n];
  };

  __device__ __forceinline__ int32_t size() const { return p.vocab_size; }
  __device__ __forceinline__ static float nothing() { return float_of(0xff800000u); }

  template <int n>
  __device__ __forceinline__ Loaded<n> load(int32_t at) const {
    Loaded<n> x;
    to_f32<spec.dtype, n>(load_raw<n * kSize>(data + int64_t{at} * kSize), x.z);
    return x;
  }

  template <int n>
  __device__ __forceinline__ void finish(int32_t at, const Loaded<n>& x, float (&z)[n]) const {
#pragma unroll
    for (int e = 0; e < n; ++e) z[e] = x.z[e];
    if (r.adjusts) {
      // Once round the registers: unrolled, this were most of the kernel's text.
#pragma unroll 1
      for (int k = 0; k < n; ++k) {
        const float first = adjusted_value(p, r, at + k, z[0]);
#pragma unroll
        for (int e = 0; e + 1 < n; ++e) z[e] = z[e + 1];
        z[n - 1] = first;
      }
    }
#pragma unroll
    for (int e = 0; e < n; ++e) z[e] = plain_value(z[e]);
  }
};

template <LogprobsRowSpec spec>
struct Row {
  static constexpr LogprobsSmem kSmem = LogprobsSmem::of(spec);
  static constexpr int32_t kThreads = spec.slices.num_threads, kCtas = spec.slices.cluster;
  static constexpr uint32_t kGroups = kThreads / 2, kEntries = LogprobsSmem::kEntries;
  using Steps = RowSteps<spec.slices, spec.vec>;

  const LogprobsParams& p;
  const Logits<spec> logits;
  int64_t i;
  uint32_t smem;
  RowTeam<spec.slices> team;

  __device__ __forceinline__ Row(const LogprobsParams& params, const SampleRequest& r,
                                 int64_t sample, uint32_t base)
      : p(params),
        logits{params.row, r,
               static_cast<const char*>(params.row.input) +
                   r.row * params.row.input_stride * size_of(spec.dtype)},
        i(sample),
        smem(base),
        team(base + kSmem.team) {}

  /// How many of `number` entries at `list` come before `entry`, which is the `index`-th: larger
  /// ones, and equal ones in front of it.
  __device__ __forceinline__ static uint32_t rank_of(uint64_t entry, uint32_t index, uint32_t list,
                                                     uint32_t number) {
    uint32_t rank = 0;
#pragma unroll 4
    for (uint32_t j = 0; j < number; ++j) {
      const uint64_t other = load_shared_u64(list + 8 * j);
      rank += other > entry || (other == entry && j < index);
    }
    return rank;
  }

  /// The largest entry of this thread below `bound`; all ones for a NaN.
  __device__ __forceinline__ uint64_t largest_below(uint64_t bound) const {
    uint64_t most = 0;
    Steps::each(team.rank, logits, [&](int32_t at, const float(&z)[spec.vec]) {
#pragma unroll
      for (int e = 0; e < spec.vec; ++e) {
        const uint64_t entry = z[e] != z[e] ? ~uint64_t{0} : token_entry(z[e], at + e);
        most = entry < bound || entry == ~uint64_t{0} ? max_of(most, entry) : most;
      }
    });
    return most;
  }

  /// An entry that `num` of this CTA's values reach, or 1: every token's. `mine` is the thread's
  /// largest.
  __device__ __forceinline__ uint64_t floor_of(uint64_t mine) {
    const uint32_t groups = smem + kSmem.groups, words = smem + kSmem.words;
    mine = max_of(mine, __shfl_xor_sync(~0u, mine, 1));
    if (threadIdx.x % 2 == 0) store_shared(groups + 8 * (threadIdx.x / 2), mine);
    if (threadIdx.x == 0) {
      store_shared(words, uint64_t{1});
      store_shared(words + 8, int32_t{0});  // entries in the list
    }
    __syncthreads();
    if (threadIdx.x < kGroups) {
      const uint64_t entry = load_shared_u64(groups + 8 * threadIdx.x);
      const uint32_t rank = rank_of(entry, threadIdx.x, groups, kGroups);
      if (rank + 1 == static_cast<uint32_t>(p.num) && entry != 0) store_shared(words, entry);
    }
    __syncthreads();
    return load_shared_u64(words);
  }

  /// This thread's sum of masses; values that reach `floor` go into the list, as many as fit.
  __device__ __forceinline__ uint64_t gather(uint64_t floor, const MassScale& scale) {
    uint64_t sum = 0;
    Steps::each(team.rank, logits, [&](int32_t at, const float(&z)[spec.vec]) {
#pragma unroll
      for (int e = 0; e < spec.vec; ++e) {
        sum += mass_of<false>(z[e], scale);
        const uint64_t entry = token_entry(z[e], at + e);
        if (entry < floor) continue;
        const uint32_t place = fetch_add_shared(smem + kSmem.words + 8, 1);
        if (place < kEntries) store_shared(smem + kSmem.list + 8 * place, entry);
      }
    });
    return sum;
  }

  /// The `num` largest of this CTA, in order, zeros behind them.
  __device__ __forceinline__ void order_own() {
    const uint32_t own = smem + kSmem.own, list = smem + kSmem.list;
    const uint32_t num = static_cast<uint32_t>(p.num);
    for (uint32_t j = threadIdx.x; j < num; j += kThreads) store_shared(own + 8 * j, uint64_t{0});
    __syncthreads();
    const uint32_t number = static_cast<uint32_t>(load_shared_i32(smem + kSmem.words + 8));
    if (number <= kEntries) {
      for (uint32_t j = threadIdx.x; j < number; j += kThreads) {
        const uint64_t entry = load_shared_u64(list + 8 * j);
        const uint32_t rank = rank_of(entry, j, list, number);
        if (rank < num) store_shared(own + 8 * rank, entry);
      }
    } else {  // the list is not whole: one by one, each with a look at the row
      uint64_t bound = ~uint64_t{0};
#pragma unroll 1
      for (uint32_t j = 0; j < num && bound != 0; ++j) {
        bound = team.reduce(largest_below(bound), Most());
        if (threadIdx.x == 0) store_shared(own + 8 * j, bound);
      }
    }
    __syncthreads();
  }

  /// Of all CTAs, to the outputs; by the first CTA.
  __device__ __forceinline__ void put(const MassScale& scale, uint64_t sum) {
    const uint32_t num = static_cast<uint32_t>(p.num);
    const uint32_t to = smem + kSmem.all + 8 * num * static_cast<uint32_t>(team.rank);
    for (uint32_t j = threadIdx.x; j < num; j += kThreads) {
      const uint64_t entry = load_shared_u64(smem + kSmem.own + 8 * j);
      if constexpr (kCtas > 1) {
        store_peer(peer_address(to + 8 * j, 0), entry);
      } else {
        store_shared(to + 8 * j, entry);
      }
    }
    const uint64_t total = team.share(team.reduce(sum, Add()), Add());  // and everyone has met
    if (team.rank != 0) return;
    const uint32_t all = smem + kSmem.all, number = num * static_cast<uint32_t>(kCtas);
    for (uint32_t j = threadIdx.x; j < number; j += kThreads) {
      const uint64_t entry = load_shared_u64(all + 8 * j);
      const uint32_t rank = rank_of(entry, j, all, number);
      if (rank < num) put_logprob(p, i, static_cast<int32_t>(rank), entry, scale, total);
    }
    if (p.token == nullptr || threadIdx.x != 0) return;
    const int32_t token = p.token[i];
    float z[1];
    logits.finish(token, logits.template load<1>(token), z);
    p.token_logprob[i] = log_share(z[0], scale, total);
  }

  __device__ __forceinline__ void give_up() const {
    if (team.rank != 0) return;
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    for (int32_t j = thread; j < p.num; j += kThreads) put_no_logprob(p, i, j);
    if (p.token != nullptr && thread == 0) p.token_logprob[i] = float_of(0x7fc00000u);
  }
};

}  // namespace logprobs_kernel

/// REQUIRES: clusters of spec.slices.cluster CTAs, one for each sample.
template <LogprobsRowSpec spec>
__device__ __forceinline__ void logprobs_rows(const LogprobsParams& p) {
  using namespace logprobs_kernel;
  griddep_launch_dependents();
  const int64_t sample = blockIdx.x / spec.slices.cluster;
  griddep_wait();
  const SampleRequest r = logprobs_request(p, sample);
  Row<spec> row(p, r, sample, dynamic_smem());
  const uint64_t mine = row.largest_below(~uint64_t{0});
  const uint64_t top = row.team.share(row.team.reduce(mine, Most()), Most());
  SampleStatus status = SampleStatus::ok;
  if (top == 0) status = SampleStatus::nothing;
  if (top == ~uint64_t{0}) status = SampleStatus::nan;
  if (r.bad) status = SampleStatus::bad_parameter;
  if (row.team.rank == 0 && threadIdx.x == 0) {
    if (p.row.status != nullptr) p.row.status[sample] = static_cast<uint8_t>(status);
    if (r.bad && p.row.fault != nullptr) {
      atomicMin(reinterpret_cast<unsigned long long*>(p.row.fault), fault_word(r.fault, sample));
    }
  }
  if (status != SampleStatus::ok) return row.give_up();
  const MassScale scale = logprobs_scale(r, static_cast<uint32_t>(top >> 32));
  const uint64_t sum = row.gather(row.floor_of(mine), scale);
  row.order_own();
  row.put(scale, sum);
}

}  // namespace weft
