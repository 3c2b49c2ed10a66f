// SPDX-License-Identifier: Apache-2.0
// Rows of which few values matter: each CTA of a cluster sends what reaches the row's floor to the
// first one, which orders the list and is then alone with it. Used by sampling and topk.
#pragma once

#include "kernels/sampling/load_row.cuh"
#include "kernels/sampling/row_floor.cuh"

namespace weft {

/// Larger is better: by value, equal ones by position.
__device__ __forceinline__ uint64_t entry_of(float z, int32_t at) {
  return pair_of(key_of(z), ~static_cast<uint32_t>(at));
}
__device__ __forceinline__ int32_t position_of(uint64_t entry) {
  return static_cast<int32_t>(~static_cast<uint32_t>(entry));
}

/// The list in the first CTA's shared memory, where a search keeps its own.
template <RowSlices slices, bool linear>
struct RowPick {
  using Search = RowSearch<slices, linear>;
  static constexpr int kThreads = slices.num_threads, kCtas = slices.cluster;
  /// An entry a thread.
  static constexpr uint32_t kMost = static_cast<uint32_t>(kThreads);
  static_assert(kThreads * 8 <= kSearchKeys * 4 && (kThreads + kCtas) * 8 <= 4 * kSearchBins * 4);
  static_assert(kThreads * 4 <= kSearchBins * 8);

  Search& row;
  const uint32_t counter, sent, sorted, ranks, masses, shares, words;

  __device__ __forceinline__ explicit RowPick(Search& search)
      : row(search),
        counter(search.smem + Search::kSmem.words + 56),
        sent(search.smem + Search::kSmem.own_keys),
        sorted(search.smem + Search::kSmem.all_keys),
        ranks(search.smem + Search::kSmem.totals),
        masses(search.smem + Search::kSmem.histograms),
        shares(masses + 8 * kMost),
        words(search.smem + Search::kSmem.words) {}

  /// Before the cluster meets for the first time.
  __device__ __forceinline__ void clear() const {
    if (threadIdx.x == 0) store_shared(counter, int32_t{0});
  }

  __device__ __forceinline__ void send(uint64_t entry) const {
    uint32_t at;
    if constexpr (kCtas > 1) {
      at = fetch_add_peer(peer_address(counter, 0), 1);
      if (at < kMost) store_peer(peer_address(sent + 8 * at, 0), entry);
    } else {
      at = fetch_add_shared(counter, 1);
      if (at < kMost) store_shared(sent + 8 * at, entry);
    }
  }

  /// A number of this CTA for the first one, which adds them up once the cluster has met.
  __device__ __forceinline__ void send_share(uint64_t x) const {
    if (threadIdx.x != 0) return;
    const uint32_t to = shares + 8 * static_cast<uint32_t>(row.team.rank);
    if constexpr (kCtas > 1) {
      store_peer(peer_address(to, 0), x);
    } else {
      store_shared(to, x);
    }
  }
  __device__ __forceinline__ uint64_t sum_of_shares() const {
    uint64_t sum = 0;
#pragma unroll
    for (uint32_t r = 0; r < kCtas; ++r) sum += load_shared_u64(shares + 8 * r);
    return sum;
  }

  /// Sends this thread's values whose keys reach `floor`; how many the row has. More than kMost:
  /// there is no list.
  template <int vec, bool finite>
  __device__ __forceinline__ uint32_t gather(uint32_t mine, uint32_t floor) const {
    if (mine >= floor) {
      const OwnValues<slices, vec> own(row.team.rank);
      const float least = value_of(floor);
#pragma unroll 2
      for (int32_t i = 0; i < OwnValues<slices, vec>::kSteps; ++i) {
        float z[vec];
        load_kept<vec>(row.value_at(own.offset(i)), z);
#pragma unroll
        for (int e = 0; e < vec; ++e) {
          if (z[e] >= least) send(entry_of(plain_form<linear, finite>(z[e]), own.at(i) + e));
        }
      }
    }
    row.team.meet();
    if constexpr (kCtas > 1) return load_peer_u32(peer_address(counter, 0));
    return static_cast<uint32_t>(load_shared_i32(counter));
  }

  __device__ __forceinline__ uint64_t entry(uint32_t i) const {
    return load_shared_u64(sorted + 8 * i);
  }
  __device__ __forceinline__ uint64_t mass(uint32_t i) const {
    return load_shared_u64(masses + 8 * i);
  }

  /// Orders the list, the best first. REQUIRES: the first CTA, number <= kMost.
  __device__ __forceinline__ void sort(uint32_t number) const {
    const uint32_t thread = threadIdx.x;
    store_shared(ranks + 4 * thread, int32_t{0});
    uint32_t width = 32;
    while (width < number) width *= 2;
    // `width` threads have an entry each, and as many more share in the comparisons of each.
    const uint32_t mine = thread & (width - 1), part = thread / width;
    const uint64_t own = load_shared_u64(sent + 8 * mine);
    __syncthreads();
    if (mine < number) {
      uint32_t rank = 0;
#pragma unroll 4
      for (uint32_t j = 2 * part; j < number; j += 2 * kMost / width) {
        const uint4 two = load_shared_u32x4(sent + 8 * j);
        rank += pair_of(two.y, two.x) > own;
        rank += j + 1 < number && pair_of(two.w, two.z) > own;
      }
      add_shared(ranks + 4 * mine, rank);
    }
    __syncthreads();
    if (thread < number) {
      const uint32_t rank = static_cast<uint32_t>(load_shared_i32(ranks + 4 * thread));
      store_shared(sorted + 8 * rank, own);
    }
    __syncthreads();
  }

  /// Sum of amount(j, entry) over the first `number` entries that stand before `own` in the row.
  template <class Amount>
  __device__ __forceinline__ uint64_t before_in_row(uint64_t own, uint32_t number,
                                                    Amount&& amount) const {
    uint64_t sum = 0;
#pragma unroll 4
    for (uint32_t j = 0; j < number; ++j) {
      const uint64_t other = entry(j), x = amount(j, other);
      sum += position_of(other) < position_of(own) ? x : 0;
    }
    return sum;
  }

  struct Kept {
    uint32_t number;  // of the ordered list
    uint64_t total;   // their mass
    uint64_t before;  // mass of the entries better than this thread's
    uint64_t mass;    // of this thread's entry
  };

  /// What top-k, min-p (keys of at least `least`) and top-p keep of the ordered list. `whole`: the
  /// mass that top-p is a share of, 0 for what the others leave.
  __device__ __forceinline__ Kept keep(uint32_t k, uint32_t least, float top_p, uint64_t whole,
                                       const MassScale& scale) const {
    const uint32_t thread = threadIdx.x;
    const auto counts = [&](uint32_t i) {
      return i < k && static_cast<uint32_t>(entry(i) >> 32) >= least;
    };
    Kept kept{};
    const bool mine = counts(thread);
    if (mine) {
      const auto key = static_cast<uint32_t>(entry(thread) >> 32);
      kept.mass = mass_of<linear>(value_of(key), scale);
    }
    store_shared(masses + 8 * thread, kept.mass);
    kept.before = row.team.sum_before(kept.mass);
    const uint64_t upto = kept.before + kept.mass;
    const auto tell = [&](uint32_t at) {
      store_shared(at, uint64_t{thread + 1});
      store_shared(at + 8, upto);
    };
    if (mine && !(thread + 1 < k && counts(thread + 1))) tell(words), tell(words + 16);
    __syncthreads();
    if (top_p < 1.0f) {
      const uint64_t wanted = share_of_mass(top_p, whole != 0 ? whole : load_shared_u64(words + 8));
      if (mine && kept.before < wanted && wanted <= upto) tell(words + 16);
      __syncthreads();
    }
    kept.number = static_cast<uint32_t>(load_shared_u64(words + 16));
    kept.total = load_shared_u64(words + 24);
    return kept;
  }
};

}  // namespace weft
