// SPDX-License-Identifier: Apache-2.0
// RowTeam: the CTAs of a cluster that share one row, and how they agree: reductions over a CTA and
// over all of them, each with one barrier. Used by sampling and topk; knows neither.
#pragma once

#include "kernels/ptx/cluster.cuh"
#include "kernels/ptx/shared.cuh"
#include "kernels/tile/row_slices.h"

namespace weft {

struct Add {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Most {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return max_of(a, b);
  }
};

/// Two 32-bit numbers side by side: each its own maximum.
struct MostEach {
  __device__ __forceinline__ uint64_t operator()(uint64_t a, uint64_t b) const {
    return max_of(a >> 32, b >> 32) << 32 |
           max_of(static_cast<uint32_t>(a), static_cast<uint32_t>(b));
  }
};

__device__ __forceinline__ uint64_t pair_of(uint32_t high, uint32_t low) {
  return uint64_t{high} << 32 | low;
}

/// What a CTA told the others. (NVRTC takes no generic lambda on a device, or this were one.)
struct Mail {
  uint32_t words;

  __device__ __forceinline__ uint64_t operator()(int i) const {
    return load_shared_u64(words + 8 * static_cast<uint32_t>(i));
  }
};

template <class Op>
__device__ __forceinline__ uint64_t warp_reduce(uint64_t x, Op op) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) x = op(x, __shfl_xor_sync(~0u, x, i));
  return x;
}

/// Sum over the lanes up to this one.
__device__ __forceinline__ uint64_t warp_sum_upto(uint64_t x) {
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const uint64_t other = __shfl_sync(~0u, x, max_of(lane - step, 0));
    if (lane >= step) x += other;
  }
  return x;
}

template <RowSlices slices>
struct RowTeam {
  static constexpr int kWarps = slices.num_warps(), kCtas = slices.cluster;
  static constexpr int kMail = TeamSmem::kMailWords;

  uint32_t words;  // [2][kWarps] of 8 bytes
  uint32_t mail;   // [2][kCtas][kMail] of 8 bytes
  int32_t rank = 0;
  uint32_t word_turn = 0, mail_turn = 0;
  bool all_run = false;  // a CTA's memory may be written by others once it runs, and not before

  __device__ __forceinline__ explicit RowTeam(uint32_t smem)
      : words(smem), mail(smem + 2 * 8 * kWarps) {
    if constexpr (kCtas > 1) {
      rank = static_cast<int32_t>(cluster_rank());
      cluster_arrive();
    }
  }

  /// Before anything is sent or asked of another CTA.
  __device__ __forceinline__ void await_all() {
    if constexpr (kCtas > 1) {
      if (!all_run) cluster_wait();
      all_run = true;
    }
  }

  __device__ __forceinline__ void meet() {
    if constexpr (kCtas > 1) {
      await_all();
      cluster_sync();
    } else {
      __syncthreads();
    }
  }

  /// Over the threads of this CTA.
  template <class Op>
  __device__ __forceinline__ uint64_t reduce(uint64_t x, Op op) {
    const uint32_t turn = words + 8 * kWarps * (word_turn++ & 1);
    x = warp_reduce(x, op);
    if (threadIdx.x % 32 == 0) store_shared(turn + 8 * (threadIdx.x / 32), x);
    __syncthreads();
    x = load_shared_u64(turn + 8 * (threadIdx.x % kWarps));
#pragma unroll
    for (int i = kWarps / 2; i > 0; i /= 2) x = op(x, __shfl_xor_sync(~0u, x, i));
    return x;
  }

  /// Sum over the threads of this CTA before this one.
  __device__ __forceinline__ uint64_t sum_before(uint64_t x) {
    const uint32_t turn = words + 8 * kWarps * (word_turn++ & 1);
    const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32;
    const int32_t warp = static_cast<int32_t>(threadIdx.x) / 32;
    const uint64_t upto = warp_sum_upto(x);
    if (lane == 31) store_shared(turn + 8 * static_cast<uint32_t>(warp), upto);
    __syncthreads();
    const uint64_t of_warp = load_shared_u64(turn + 8 * static_cast<uint32_t>(lane % kWarps));
    const uint64_t warps = warp_sum_upto(lane < kWarps ? of_warp : 0);
    const uint64_t before = __shfl_sync(~0u, warps, max_of(warp - 1, 0));
    return (warp == 0 ? 0 : before) + upto - x;
  }

  /// Up to kMail words of this CTA to all; visit(rank, Mail) for each CTA.
  /// Words are the same in every thread of a CTA.
  template <int n, class F>
  __device__ __forceinline__ void exchange(const uint64_t (&x)[n], F&& visit) {
    static_assert(n <= kMail);
    const uint32_t turn = mail + 8 * kMail * kCtas * (mail_turn++ & 1);
    await_all();
    if (static_cast<int32_t>(threadIdx.x) < kCtas) {
      const uint32_t to = turn + 8 * kMail * static_cast<uint32_t>(rank);
#pragma unroll
      for (int i = 0; i < n; ++i) {
        if constexpr (kCtas > 1) {
          store_peer(peer_address(to + 8 * i, threadIdx.x), x[i]);
        } else {
          store_shared(to + 8 * i, x[i]);
        }
      }
    }
    meet();
#pragma unroll 2  // eight at once would take 48 registers
    for (int r = 0; r < kCtas; ++r) {
      visit(r, Mail{turn + 8 * static_cast<uint32_t>(kMail * r)});
    }
  }

  /// What CTA `rank` said in the last exchange.
  __device__ __forceinline__ Mail last_mail(int32_t of_rank) const {
    const uint32_t turn = mail + 8 * kMail * kCtas * (~mail_turn & 1);
    return {turn + 8 * static_cast<uint32_t>(kMail * of_rank)};
  }

  /// Over the CTAs, of a word that is the same in every thread of each.
  template <class Op>
  __device__ __forceinline__ uint64_t share(uint64_t x, Op op) {
    if constexpr (kCtas > 1) {
      const uint64_t mine[1] = {x};
      exchange(mine, [&](int r, const Mail& read) { x = r == 0 ? read(0) : op(x, read(0)); });
    }
    return x;
  }
};

}  // namespace weft
