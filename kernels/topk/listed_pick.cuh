// SPDX-License-Identifier: Apache-2.0
// The k best of what a row's CTAs listed: each CTA looks at all lists, finds the last entry that is
// kept, and writes what is its own. Used by topk for many of a row.
#pragma once

#include "kernels/topk/listed_row.cuh"

namespace weft {
namespace topk_kernel {

template <TopkRowSpec spec>
struct ListedPick {
  using Listed = ListedRow<spec>;
  static constexpr TopkSmem kSmem = TopkSmem::of(spec);
  static constexpr int kThreads = spec.slices.num_threads, kCtas = spec.slices.cluster;

  const Listed& listed;
  Search<spec>& row;

  __device__ __forceinline__ explicit ListedPick(const Listed& of) : listed(of), row(of.row) {}

  /// This thread's part of the entries of all CTAs: warps share the lists out. Of
  /// few rows the first entries are held, for a peer's memory is hundreds of clocks away.
  struct Share {
    static constexpr int kHeld = Listed::kAtOnce && kCtas > 1 ? 8 : 0, kAhead = kHeld > 0 ? 1 : 4;
    static constexpr int32_t kStep = kThreads / kCtas;
    uint64_t held[max_of(kHeld, 1)];
    uint32_t list;
    int32_t number, first;

    __device__ __forceinline__ explicit Share(const ListedPick& pick) {
      const int32_t of_rank = pick.row.warp() % kCtas;
      number = static_cast<int32_t>(pick.row.team.last_mail(of_rank)(0));
      first = pick.row.warp() / kCtas * 32 + pick.row.lane();
      list = pick.listed.at(kSmem.list);
      if constexpr (kCtas > 1) list = peer_of(list, of_rank);
#pragma unroll
      for (int a = 0; a < kHeld; ++a) {
        const int32_t i = first + a * kStep;
        if (i < number) held[a] = noted_at(list + 8u * static_cast<uint32_t>(i));
      }
#pragma unroll
      for (int a = 0; a < kHeld; ++a) held[a] = Listed::entry_from(held[a]);
    }

    template <class F>
    __device__ __forceinline__ void each(F&& visit) const {
#pragma unroll
      for (int a = 0; a < kHeld; ++a) {
        if (first + a * kStep < number) visit(held[a]);
      }
#pragma unroll 1
      for (int32_t i = first + kHeld * kStep; i < number; i += kAhead * kStep) {
        uint64_t noted[kAhead] = {};
#pragma unroll
        for (int a = 0; a < kAhead; ++a) {
          const int32_t next = i + a * kStep;
          if (next < number) noted[a] = noted_at(list + 8u * static_cast<uint32_t>(next));
        }
#pragma unroll
        for (int a = 0; a < kAhead; ++a) {
          if (i + a * kStep < number) visit(Listed::entry_from(noted[a]));
        }
      }
    }
  };

  __device__ __forceinline__ static uint32_t peer_of(uint32_t address, int32_t rank) {
    return peer_address(address, static_cast<uint32_t>(rank));
  }
  __device__ __forceinline__ static uint64_t noted_at(uint32_t address) {
    if constexpr (kCtas > 1) return load_peer_u64(address);
    return load_shared_u64(address);
  }
  // ---- The last entry that is kept

  /// Entries [low, high] hold the `wanted`-th best of them, `inside` in number.
  struct Range {
    uint64_t low, high;
    uint32_t wanted, inside;
  };

  __device__ __forceinline__ static uint32_t bin_of(uint64_t above_low, int32_t shift) {
    return static_cast<uint32_t>(min_of(above_low >> shift, uint64_t{kListBins - 1}));
  }

  /// By bins of 2^shift entries from range.low on, the last one without an end. All bins are 0.
  __device__ __forceinline__ void narrow(const Share& share, Range& range, int32_t shift) {
    const uint32_t bins = listed.at(kSmem.bins);
    share.each([&](uint64_t entry) {
      if (entry < range.low || entry > range.high) return;
      add_shared(bins + 4 * bin_of(entry - range.low, shift), 1);
    });
    __syncthreads();
    constexpr uint32_t kEach = kListBins / kThreads;
    const uint32_t last = kListBins - 1 - threadIdx.x * kEach;
    uint32_t sum = 0;
#pragma unroll
    for (uint32_t b = 0; b < kEach; ++b) sum += count_of(last - b);
    auto before = static_cast<uint32_t>(row.team.sum_before(sum));
    if (before < range.wanted && range.wanted <= before + sum) {
      uint32_t bin = last, here = count_of(bin);
      while (before + here < range.wanted) before += here, here = count_of(--bin);
      const uint32_t found = listed.word(Listed::kFound);
      store_shared(found, uint4{bin, before, here, 0});
    }
    __syncthreads();
    const uint4 found = load_shared_u32x4(listed.word(Listed::kFound));
    range.low += uint64_t{found.x} << shift;
    if (found.x != kListBins - 1) {
      range.high = min_of(range.high, range.low + ((uint64_t{1} << shift) - 1));
    }
    range.wanted -= found.y;
    range.inside = found.z;
  }
  __device__ __forceinline__ uint32_t count_of(uint32_t bin) const {
    return static_cast<uint32_t>(load_shared_i32(listed.at(kSmem.bins) + 4 * bin));
  }

  /// Shift for bins over all of a range.
  __device__ __forceinline__ static int32_t shift_of(uint64_t span) {
    const auto high = static_cast<int32_t>(span >> 32), low = static_cast<int32_t>(span);
    const int32_t bits = high != 0 ? 64 - __clz(high) : 32 - __clz(low);
    return max_of(bits - 10, 0);
  }

  /// The `k`-th best entry. Leaves under kBefore how many of those that are kept stand in CTAs
  /// before this one; a barrier of the CTA must come before that is read.
  __device__ __forceinline__ uint64_t find_last(uint32_t k) {
    const Share share(*this);
    const uint64_t sampled = load_shared_u64(listed.word(Listed::kFloor));
    const auto floor = static_cast<uint32_t>(sampled >> 32);
    const uint32_t largest = max_of(static_cast<uint32_t>(sampled), floor + 1);
    static_assert(kListBins == 1024);
    Range range{pair_of(floor, 0), ~uint64_t{0}, k, ~0u};
    // The sample's largest is exceeded by few: bins end there.
    const int32_t shift = shift_of(floor == 0 ? ~uint64_t{0} : pair_of(largest - floor, 0));
    narrow(share, range, shift);
#pragma unroll 1
    while (range.inside > kThreads) {
      listed.clear_bins();
      __syncthreads();
      narrow(share, range, shift_of(range.high - range.low));
    }
    uint32_t before = 0;
    const uint32_t close = listed.at(kSmem.close), begin = static_cast<uint32_t>(listed.begin);
    share.each([&](uint64_t entry) {
      if (entry > range.high) {
        before += static_cast<uint32_t>(position_of(entry)) < begin;
      } else if (entry >= range.low) {
        store_shared(close + 8 * fetch_add_shared(listed.word(Listed::kClose), 1), entry);
      }
    });
    if constexpr (kCtas > 1) {
      before = static_cast<uint32_t>(warp_reduce(before, Add()));
      if (row.lane() == 0) add_shared(listed.word(Listed::kBefore), before);
    }
    __syncthreads();
    uint64_t mine = 0;
    if (threadIdx.x < range.inside) {
      mine = load_shared_u64(close + 8 * threadIdx.x);
      uint32_t rank = 1;
#pragma unroll 4
      for (uint32_t j = 0; j < range.inside; ++j) rank += load_shared_u64(close + 8 * j) > mine;
      if (rank == range.wanted) store_shared(listed.word(Listed::kFound), mine);
    }
    __syncthreads();
    const uint64_t last = load_shared_u64(listed.word(Listed::kFound));
    if constexpr (kCtas > 1) {
      const bool earlier = mine >= last && static_cast<uint32_t>(position_of(mine)) < begin;
      const uint32_t more = static_cast<uint32_t>(__popc(__ballot_sync(~0u, earlier)));
      if (row.lane() == 0) add_shared(listed.word(Listed::kBefore), more);
    }
    return last;
  }

  // ---- What is written

  /// visit(index, noted) for this thread's part of this CTA's entries that are kept.
  template <class F>
  __device__ __forceinline__ void each_kept(uint64_t last, F&& visit) const {
    const auto number = static_cast<uint32_t>(row.team.last_mail(row.team.rank)(0));
#pragma unroll 2
    for (uint32_t i = threadIdx.x; i < number; i += kThreads) {
      const uint64_t noted = listed.own(i);
      if (Listed::entry_from(noted) >= last) visit(i, noted);
    }
  }
  __device__ __forceinline__ uint32_t bit_of(uint64_t noted) const {
    return static_cast<uint32_t>(noted) - static_cast<uint32_t>(listed.begin);
  }
  __device__ __forceinline__ uint32_t kept_bits(uint32_t word) const {
    return static_cast<uint32_t>(load_shared_i32(listed.at(kSmem.kept) + 4 * word));
  }

  /// By position: a bit for each kept value tells how many stand before it.
  __device__ __forceinline__ void write_by_position(const TopkParams& p, int64_t i, uint64_t last) {
    const uint32_t kept = listed.at(kSmem.kept), before_word = listed.at(kSmem.before);
    const uint32_t order = listed.at(kSmem.largest);
    each_kept(last, [&](uint32_t, uint64_t noted) {
      const uint32_t bit = bit_of(noted);
      add_shared(kept + 4 * (bit / 32), 1u << (bit % 32));
    });
    __syncthreads();
    const auto words = static_cast<uint32_t>(ceil_div(listed.number, 32));
    const uint32_t each = 4 * ceil_div(words, uint32_t{4 * kThreads}), first = threadIdx.x * each;
    const uint32_t end = min_of(first + each, words);
    uint32_t sum = 0;
    for (uint32_t w = first; w < end; w += 4) {
      const uint4 four = load_shared_u32x4(kept + 4 * w);
      sum += __popc(four.x) + __popc(four.y) + __popc(four.z) + __popc(four.w);
    }
    auto before = static_cast<uint32_t>(row.team.sum_before(sum));
    if (threadIdx.x == kThreads - 1) {
      store_shared(listed.word(Listed::kHere), static_cast<int32_t>(before + sum));
    }
    for (uint32_t w = first; w < end; w += 4) {
      const uint4 four = load_shared_u32x4(kept + 4 * w);
      const uint32_t second = before + __popc(four.x), third = second + __popc(four.y);
      const uint32_t fourth = third + __popc(four.z);
      store_shared(before_word + 2 * w, make_uint2(before | second << 16, third | fourth << 16));
      before = fourth + __popc(four.w);
    }
    __syncthreads();
    each_kept(last, [&](uint32_t index, uint64_t noted) {
      const uint32_t bit = bit_of(noted), word = bit / 32;
      const uint32_t slot = load_shared_u16(before_word + 2 * word) +
                            __popc(kept_bits(word) & ((1u << (bit % 32)) - 1));
      store_shared(order + 2 * slot, static_cast<uint16_t>(index));
    });
    __syncthreads();
    const uint32_t here = listed.number_at(Listed::kHere);
    const uint32_t earlier = listed.number_at(Listed::kBefore);
    // Found anew: while a row passes by there are no registers for it.
    const TopkRow r = topk_row(p, i);
    const TopkResult<spec> result{p, r, i};
    for (uint32_t slot = threadIdx.x; slot < here; slot += kThreads) {
      const uint64_t noted = listed.own(load_shared_u16(order + 2 * slot));
      result.put(static_cast<int32_t>(earlier + slot),
                 static_cast<int32_t>(static_cast<uint32_t>(noted)),
                 float_of(static_cast<uint32_t>(noted >> 32)));
    }
  }

  /// The largest first, by the first CTA.
  __device__ __forceinline__ void write_sorted(const TopkParams& p, int64_t i, uint64_t last,
                                               uint32_t k) {
    const uint32_t entries = listed.at(kSmem.largest);
    __syncthreads();
    const uint32_t earlier = listed.number_at(Listed::kBefore);
    each_kept(last, [&](uint32_t, uint64_t noted) {
      const uint32_t slot = earlier + fetch_add_shared(listed.word(Listed::kHere), 1);
      const uint64_t entry = Listed::entry_from(noted);
      if constexpr (kCtas > 1) {
        store_peer(peer_of(entries + 8 * slot, 0), entry);
      } else {
        store_shared(entries + 8 * slot, entry);
      }
    });
    row.team.meet();
    if (row.team.rank != 0) return;
    sort_entries<spec>(entries, k);
    const TopkRow r = topk_row(p, i);
    const TopkResult<spec> result{p, r, i};
    for (uint32_t slot = threadIdx.x; slot < k; slot += kThreads) {
      result.put(static_cast<int32_t>(slot), load_shared_u64(entries + 8 * slot));
    }
  }
};

/// The p.k largest of row `i`, or all of a shorter one; false, and nothing written, where lists do
/// not hold what a floor lets pass or too few reach it.
template <TopkRowSpec spec>
__device__ __forceinline__ bool pick_listed(Search<spec>& row, const TopkParams& p, int64_t i,
                                            const char* data, int32_t length) {
  constexpr bool kTeam = spec.slices.cluster > 1;
  ListedRow<spec> listed(row, data, length);
  listed.clear();
  if (length <= spec.list) {
    __syncthreads();  // behind clear
    listed.list_all();
  } else if (!listed.list_best(p.k)) {
    return false;
  }
  __syncthreads();
  const uint64_t mine[1] = {listed.number_at(ListedRow<spec>::kListed)};
  uint32_t total = 0;
  bool whole = true;
  row.team.exchange(mine, [&](int, const Mail& read) {
    const auto number = static_cast<uint32_t>(read(0));
    total += number, whole &= number <= spec.list;
  });
  const auto wanted = static_cast<uint32_t>(min_of(p.k, length));
  if (!whole || total < wanted) return false;
  ListedPick<spec> pick(listed);
  const uint64_t last = pick.find_last(wanted);
  if constexpr (spec.sorted) {
    pick.write_sorted(p, i, last, wanted);
  } else {
    if constexpr (kTeam) cluster_arrive();  // has read its peers' lists
    pick.write_by_position(p, i, last);
    if constexpr (kTeam) cluster_wait();
  }
  return true;
}

}  // namespace topk_kernel
}  // namespace weft
