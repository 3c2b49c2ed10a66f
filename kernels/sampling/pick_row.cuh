// SPDX-License-Identifier: Apache-2.0
// Rows of which few values matter: each CTA of a cluster sends what reaches the row's floor to the
// first one, which orders the list and is then alone with it. Used by sampling and topk.
#pragma once

#include "kernels/sampling/load_row.cuh"
#include "kernels/sampling/row_floor.cuh"

namespace weft {

/// Lists of entries: in each CTA its own, which may hold more than the row's floor asks for; from
/// them one in the first CTA, where a search keeps its own.
template <RowSlices slices, bool linear, class Values = KeptValues>
struct RowPick {
  using Search = RowSearch<slices, linear, Values>;
  static constexpr RowSlices kSlices = slices;
  static constexpr bool kLinear = linear;
  static constexpr int kThreads = slices.num_threads, kCtas = slices.cluster;
  static constexpr uint32_t kMost = static_cast<uint32_t>(kThreads);  // an entry a thread
  static constexpr uint32_t kMostOwn = kSearchKeys / 2;
  // What each CTA may send.
  static constexpr uint32_t kShare = min_of(kMost, static_cast<uint32_t>(kSearchKeys / 2 / kCtas));
  static_assert(kThreads * 16 <= 4 * kSearchBins * 4 && kCtas * 8 + 256 <= kSearchBins * 8);

  Search& row;
  const uint32_t own, sent, sorted, masses, shares, words, counters;

  __device__ __forceinline__ explicit RowPick(Search& search)
      : row(search),
        own(search.smem + Search::kSmem.own_keys),
        sent(search.smem + Search::kSmem.all_keys),
        sorted(search.smem + Search::kSmem.histograms),
        masses(sorted + 8 * kMost),
        shares(search.smem + Search::kSmem.totals + 256),
        words(search.smem + Search::kSmem.words),
        counters(words + 56) {}

  /// Before the CTA meets for the first time.
  __device__ __forceinline__ void clear() const {
    if (threadIdx.x == 0) store_shared(counters, uint64_t{0});
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

  /// Puts a value, as it stands, on this CTA's list.
  template <bool finite>
  __device__ __forceinline__ void offer(float z, int32_t at) const {
    const uint32_t i = fetch_add_shared(counters, 1);
    if (i < kMostOwn)
      store_shared(own + 8 * i, entry_of(key_of(plain_form<linear, finite>(z)), at));
  }

  /// Offers those of this thread's values in shared memory that reach `floor`.
  template <int vec, bool finite>
  __device__ __forceinline__ void offer_kept(uint32_t mine, uint32_t floor) const {
    if (mine < floor) return;
    const OwnValues<slices, vec> values(row.team.rank);
    const float least = value_of(floor);
#pragma unroll 2
    for (int32_t i = 0; i < OwnValues<slices, vec>::kSteps; ++i) {
      float z[vec];
      load_kept<vec>(row.value_at(values.offset(i)), z);
#pragma unroll
      for (int e = 0; e < vec; ++e) {
        if (z[e] >= least) offer<finite>(z[e], values.at(i) + e);
      }
    }
  }

  /// Sends what reaches `floor` of all lists to the first CTA; how many entries that are, in every
  /// CTA. More than kMost: there is no list.
  __device__ __forceinline__ uint32_t collect(uint32_t floor) const {
    __syncthreads();
    const uint32_t number = static_cast<uint32_t>(load_shared_i32(counters));
    const uint32_t to = sent + 8 * kShare * static_cast<uint32_t>(row.team.rank);
    for (uint32_t i = threadIdx.x; i < min_of(number, kMostOwn); i += kThreads) {
      const uint64_t entry = load_shared_u64(own + 8 * i);
      if (static_cast<uint32_t>(entry >> 32) < floor) continue;
      const uint32_t at = fetch_add_shared(counters + 4, 1);
      if (at >= kShare) continue;
      if constexpr (kCtas > 1) {
        store_peer(peer_address(to + 8 * at, 0), entry);
      } else {
        store_shared(to + 8 * at, entry);
      }
    }
    __syncthreads();
    uint64_t mine[1] = {static_cast<uint32_t>(load_shared_i32(counters + 4))};
    if (number > kMostOwn || mine[0] > kShare) mine[0] = kMost + 1;
    uint32_t total = 0;
    row.team.exchange(mine, [&](int, const Mail& read) {
      total = min_of(total + static_cast<uint32_t>(read(0)), kMost + 1);
    });
    return total;
  }

  /// Entry `i` of the first CTA's list, which lies in shares.
  __device__ __forceinline__ uint64_t sent_entry(uint32_t i) const {
    if constexpr (kCtas == 1) return load_shared_u64(sent + 8 * i);
    uint32_t at = sent;
#pragma unroll 1
    for (int r = 0; r < kCtas - 1; ++r) {
      const auto share = static_cast<uint32_t>(row.team.last_mail(r)(0));
      if (i < share) break;
      i -= share;
      at += 8 * kShare;
    }
    return load_shared_u64(at + 8 * i);
  }

  __device__ __forceinline__ uint64_t entry(uint32_t i) const {
    return load_shared_u64(sorted + 8 * i);
  }
  __device__ __forceinline__ uint64_t mass(uint32_t i) const {
    return load_shared_u64(masses + 8 * i);
  }

  /// How `number` entries are dealt: neighbouring threads share one.
  struct Deal {
    uint32_t entry, part, parts;

    __device__ __forceinline__ explicit Deal(uint32_t number) {
      uint32_t width = kMost / 32;
      while (width < number) width *= 2;
      parts = kMost / width;
      entry = threadIdx.x / parts;
      part = threadIdx.x & (parts - 1);
    }
    template <class T>
    __device__ __forceinline__ T sum(T x) const {
      for (uint32_t i = 1; i < parts; i *= 2) x += __shfl_xor_sync(~0u, x, static_cast<int>(i));
      return x;
    }
  };

  /// Orders the list, the best first, and weighs the first `k`; those below `least` weigh nothing.
  /// REQUIRES: the first CTA, number <= kMost.
  __device__ __forceinline__ void sort(uint32_t number, uint32_t k, uint32_t least,
                                       const MassScale& scale) const {
    uint32_t list = sent;
    if constexpr (kCtas > 1) {
      list = own;
      if (threadIdx.x < number) store_shared(own + 8 * threadIdx.x, sent_entry(threadIdx.x));
      __syncthreads();
    }
    const Deal deal(number);
    const uint64_t mine = load_shared_u64(list + 8 * deal.entry);
    uint32_t rank = 0;
#pragma unroll 4
    for (uint32_t j = deal.part; j < number; j += deal.parts) {
      rank += load_shared_u64(list + 8 * j) > mine;
    }
    rank = deal.sum(rank);
    if (deal.part == 0 && deal.entry < number) {
      store_shared(sorted + 8 * rank, mine);
      const auto key = static_cast<uint32_t>(mine >> 32);
      if (rank < k) {
        store_shared(masses + 8 * rank, key < least ? 0 : mass_of<linear>(value_of(key), scale));
      }
    }
    __syncthreads();
  }

  /// Sum of amount(j, entry) over the first `number` entries that stand before `own` in the row;
  /// the same in all threads that share an entry.
  template <class T, class Amount>
  __device__ __forceinline__ T before_in_row(const Deal& deal, uint64_t own_entry, uint32_t number,
                                             Amount&& amount) const {
    T sum = 0;
#pragma unroll 2
    for (uint32_t j = deal.part; j < number; j += deal.parts) {
      const uint64_t other = entry(j);
      const T x = amount(j, other);
      sum += position_of(other) < position_of(own_entry) ? x : 0;
    }
    return deal.sum(sum);
  }

  struct Kept {
    uint32_t number;  // of the ordered list
    uint64_t total;   // their mass
  };

  /// Mass of the entries that are better than the `i`-th kept one.
  __device__ __forceinline__ uint64_t better(uint32_t i) const {
    return load_shared_u64(own + 8 * i);
  }

  /// What min-p (keys of at least `least`) and top-p keep of the first `k` entries. `whole`: the
  /// mass that top-p is a share of, 0 for what the others leave.
  __device__ __forceinline__ Kept keep(uint32_t k, uint32_t least, float top_p,
                                       uint64_t whole) const {
    if (row.warp() == 0) {
      const uint32_t each = ceil_div(k, 32u), first = static_cast<uint32_t>(row.lane()) * each;
      const uint32_t last = min_of(first + each, k);
      uint64_t sum = 0, reach = 0;
      for (uint32_t i = first; i < last; ++i) {
        sum += mass(i);
        reach += static_cast<uint32_t>(entry(i) >> 32) >= least;
      }
      const uint64_t upto = warp_sum_upto(sum), total = __shfl_sync(~0u, upto, 31);
      reach = warp_reduce(reach, Add());
      const auto tell = [&](uint64_t number, uint64_t mass_of_all) {
        store_shared(words, number);
        store_shared(words + 8, mass_of_all);
      };
      if (row.lane() == 0) tell(reach, total);
      __syncwarp();
      const uint64_t wanted =
          top_p < 1.0f ? share_of_mass(top_p, whole != 0 ? whole : total) : ~uint64_t{0};
      uint64_t before = upto - sum;
      for (uint32_t i = first; i < last; ++i) {
        const uint64_t x = mass(i);
        store_shared(own + 8 * i, before);
        if (before < wanted && wanted <= before + x) tell(i + 1, before + x);
        before += x;
      }
    }
    __syncthreads();
    return {static_cast<uint32_t>(load_shared_u64(words)), load_shared_u64(words + 8)};
  }
};

}  // namespace weft
