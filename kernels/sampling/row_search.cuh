// SPDX-License-Identifier: Apache-2.0
// RowSearch: one row of values in the shared memory of a cluster, and the searches that sampling
// and topk make in it: sums of masses, and the cut below a number of tokens or an amount of mass.
// Integers throughout, so nothing depends on the order in which threads and CTAs come.
//
// A cut is narrowed by histograms of 512 bins. The first one of a long row is over powers of two
// below the largest; what falls into the bin that matters mostly fits a list, which every CTA then
// narrows for itself by the bits of its keys. Where it does not fit, the row is looked at again.
#pragma once

#include "kernels/ptx/shared_atomic.cuh"
#include "kernels/sampling/mass.h"
#include "kernels/sampling/smem.h"
#include "kernels/tile/row_team.cuh"

namespace weft {

/// The fewest tokens whose number, or mass, reaches `amount`, among keys of at least `least`.
struct Wanted {
  bool by_mass;
  uint64_t amount;
  uint32_t least;
};

/// Bins of values by how far they are below the largest: fourteen for a power of two, so that the
/// last one begins where masses end.
template <bool linear>
struct FallBins {
  float top, rate;

  __device__ __forceinline__ explicit FallBins(const MassScale& s)
      : top(s.top), rate(fminf(14.0f * s.rate, kLargest)) {}

  __device__ __forceinline__ uint32_t of(float z) const {
    constexpr uint32_t kLast = kSearchBins - 1;
    if constexpr (linear) return min_of((bits_of(top) - bits_of(z)) >> 19, kLast);
    const float fall = __fmul_rn(__fadd_rn(top, -z), rate);
    return static_cast<uint32_t>(fminf(fall, static_cast<float>(kLast)));
  }
};

/// The values of a CTA's slice, in shared memory.
struct KeptValues {
  uint32_t smem;

  __device__ __forceinline__ float4 four(int32_t i) const {
    return load_shared_f32x4(smem + 4u * static_cast<uint32_t>(i));
  }
  __device__ __forceinline__ float one(int32_t i) const {
    return load_shared_f32(smem + 4u * static_cast<uint32_t>(i));
  }
};

/// `Values` has what KeptValues has; values are in the form of plain_form (load_row.cuh).
template <RowSlices slices, bool linear, class Values = KeptValues>
struct RowSearch {
  static constexpr SearchSmem kSmem = SearchSmem::of(slices);
  static constexpr int kThreads = slices.num_threads, kCtas = slices.cluster;
  static constexpr int kStretch = slices.stretch();
  static_assert(slices.num_warps() >= kCtas && kStretch % 128 == 0);

  uint32_t smem;
  RowTeam<slices> team;
  uint32_t histogram_turn = 0;
  Values values;

  __device__ __forceinline__ explicit RowSearch(uint32_t base)
      : smem(base),
        team(base + kSmem.team),
        values{base + static_cast<uint32_t>(slices.kept ? kSmem.values : kSmem.words + 96)} {}

  /// As it was made, once all have met: turns that are known cost no registers.
  __device__ __forceinline__ void begin_anew() {
    histogram_turn = team.word_turn = team.mail_turn = 0;
    team.all_run = true;
  }

  __device__ __forceinline__ static int32_t warp() {
    return static_cast<int32_t>(threadIdx.x) / 32;
  }
  __device__ __forceinline__ static int32_t lane() {
    return static_cast<int32_t>(threadIdx.x) % 32;
  }

  /// Where value `i` of this warp's stretch lies.
  __device__ __forceinline__ uint32_t value_at(int32_t i) const {
    return smem + kSmem.values + 4u * static_cast<uint32_t>(warp() * kStretch + i);
  }

  /// Four values of this warp's stretch, from its `i`-th on for the first lane.
  __device__ __forceinline__ float4 four(int32_t i) const {
    return values.four(warp() * kStretch + i + lane() * 4);
  }

  /// visit(value) for each of this CTA's values that may reach `least`.
  template <class F>
  __device__ __forceinline__ void each_value(float least, F&& visit) const {
#pragma unroll 1
    for (int32_t i = 0; i < kStretch; i += 128) {
      const float4 z = four(i);
      const float most = fmaxf(fmaxf(z.x, z.y), fmaxf(z.z, z.w));
      if (!__any_sync(~0u, most >= least)) continue;
      visit(z.x), visit(z.y), visit(z.z), visit(z.w);
    }
  }

  /// What the row's warps and CTAs hold of values above a key and at it.
  struct Shares {
    uint64_t before, here, all;  // above: in the CTAs before this one, in this one, in all
    uint64_t ties_before, ties;  // how many are at the key, likewise
  };

  /// Where share_out leaves, for each warp of this CTA, what it has above and how many at the key.
  __device__ __forceinline__ uint32_t tally_at(uint32_t warp) const {
    return smem + kSmem.all_keys + 16 * warp;
  }

  /// Sums of amount(z) of the values above `key`, and counts of those at it.
  template <class Amount>
  __device__ __forceinline__ Shares share_out(uint32_t key, Amount&& amount) {
    uint64_t above = 0;
    uint32_t at = 0;
    const float least = value_of(key);
    each_value(least, [&](float z) {
      const uint64_t x = amount(z);
      above += z > least ? x : 0;
      at += z == least;
    });
    above = warp_reduce(above, Add());
    const uint64_t ties = warp_reduce(at, Add());
    __syncthreads();  // the list has been read
    if (lane() == 0) {
      store_shared(tally_at(static_cast<uint32_t>(warp())), above);
      store_shared(tally_at(static_cast<uint32_t>(warp())) + 8, ties);
    }
    __syncthreads();
    const uint32_t other = static_cast<uint32_t>(lane()) % slices.num_warps();
    uint64_t sums[2] = {load_shared_u64(tally_at(other)), load_shared_u64(tally_at(other) + 8)};
#pragma unroll
    for (int i = slices.num_warps() / 2; i > 0; i /= 2) {
      sums[0] += __shfl_xor_sync(~0u, sums[0], i);
      sums[1] += __shfl_xor_sync(~0u, sums[1], i);
    }
    Shares s{0, sums[0], 0, 0, sums[1]};
    team.exchange(sums, [&](int r, const Mail& read) {
      s.all += read(0);
      if (r < team.rank) s.before += read(0), s.ties_before += read(1);
    });
    return s;
  }

  // ---- Histograms
  // --------------------------------------------------------------------------------

  __device__ __forceinline__ uint32_t histogram() const {
    return smem + kSmem.histograms + (histogram_turn & 1) * 2 * kSearchBins * 4;
  }

  __device__ __forceinline__ void clear_histogram() {
    ++histogram_turn;
    for (int32_t i = threadIdx.x; i < kSearchBins; i += kThreads) {
      store_shared(histogram() + 8u * static_cast<uint32_t>(i), uint64_t{0});
    }
    __syncthreads();
  }

  __device__ __forceinline__ void count(uint32_t bin, uint64_t amount) const {
    const uint32_t low = static_cast<uint32_t>(amount);
    uint32_t high = static_cast<uint32_t>(amount >> 32);
    const uint32_t before = fetch_add_shared(histogram() + 4 * bin, low);
    high += before + low < before;
    if (high != 0) add_shared(histogram() + 4 * (kSearchBins + bin), high);
  }

  /// One token: no sum of these needs an upper half.
  __device__ __forceinline__ void count_one(uint32_t bin) const {
    add_shared(histogram() + 4 * bin, 1);
  }

  struct Bin {
    uint32_t index;
    bool reached;
    uint64_t above;   // in the bins before it
    uint64_t inside;  // in it
  };

  /// The bin in which the running amount reaches `amount`, over the CTAs of the row or in this one.
  __device__ __forceinline__ Bin find_bin(uint64_t amount, bool all_ctas) {
    if (all_ctas) {
      team.meet();
    } else {
      __syncthreads();
    }
    const uint32_t totals = smem + kSmem.totals, words = smem + kSmem.words;
    for (int32_t i = threadIdx.x; i < kSearchBins; i += kThreads) {
      const uint32_t at = histogram() + 4u * static_cast<uint32_t>(i);
      uint64_t sum = pair_of(static_cast<uint32_t>(load_shared_i32(at + 4 * kSearchBins)),
                             static_cast<uint32_t>(load_shared_i32(at)));
      if (kCtas > 1 && all_ctas) {
#pragma unroll
        for (uint32_t step = 1; step < kCtas; ++step) {
          const uint32_t peer = (static_cast<uint32_t>(team.rank) + step) % kCtas;
          sum += load_peer_u32(peer_address(at, peer));
          sum += uint64_t{load_peer_u32(peer_address(at + 4 * kSearchBins, peer))} << 32;
        }
      }
      store_shared(totals + 8u * static_cast<uint32_t>(i), sum);
    }
    __syncthreads();
    if (warp() == 0) search_bins(amount, totals, words);
    __syncthreads();
    const uint32_t found = static_cast<uint32_t>(load_shared_i32(words));
    return {found & 0xffff, found >> 16 == 0, load_shared_u64(words + 8),
            load_shared_u64(words + 16)};
  }

  __device__ __forceinline__ void search_bins(uint64_t amount, uint32_t totals, uint32_t words) {
    constexpr int kBins = kSearchBins / 32;
    uint64_t sum = 0;
#pragma unroll
    for (int i = 0; i < kBins; ++i) {
      sum += load_shared_u64(totals + 8u * static_cast<uint32_t>(lane() * kBins + i));
    }
    const uint64_t upto = warp_sum_upto(sum);
    uint64_t above = upto - sum;
    if (lane() == 31 && upto < amount) store_shared(words, int32_t{1 << 16});
    if (above >= amount || upto < amount) return;
    uint32_t bin = static_cast<uint32_t>(lane() * kBins);
    uint64_t inside = load_shared_u64(totals + 8 * bin);
    while (above + inside < amount) {
      above += inside;
      inside = load_shared_u64(totals + 8 * ++bin);
    }
    store_shared(words, static_cast<int32_t>(bin));
    store_shared(words + 8, above);
    store_shared(words + 16, inside);
  }

  // ---- Lists of keys
  // -----------------------------------------------------------------------------

  /// Values that reach `least`, and lie in one bin when there is one.
  struct Range {
    FallBins<linear> bins;
    float least;
    uint32_t bin;  // kSearchBins: any

    __device__ __forceinline__ bool takes(float z) const {
      return z >= least && (bin == kSearchBins || bins.of(z) == bin);
    }
  };

  /// The keys in `range`, of all CTAs, in any order in all_keys; how many there are. More than
  /// kSearchKeys: there is no list.
  __device__ __forceinline__ uint32_t gather(const Range& range) {
    const uint32_t counter = smem + kSmem.words + 32, own = smem + kSmem.own_keys;
    if (threadIdx.x == 0) store_shared(counter, int32_t{0});
    __syncthreads();
    each_value(range.least, [&](float z) {
      if (!range.takes(z)) return;
      const uint32_t at = fetch_add_shared(counter, 1);
      if (at < kSearchKeys) store_shared(own + 4 * at, static_cast<int32_t>(key_of(z)));
    });
    __syncthreads();
    const uint64_t mine[1] = {static_cast<uint32_t>(load_shared_i32(counter))};
    uint32_t total = 0;
    team.exchange(mine, [&](int, const Mail& read) { total += static_cast<uint32_t>(read(0)); });
    if (total > kSearchKeys) return total;
    // Each warp takes the lists of some CTAs.
    uint32_t first = 0;
#pragma unroll 1
    for (int r = 0; r < kCtas; ++r) {
      const uint32_t number = static_cast<uint32_t>(team.last_mail(r)(0));
      if (warp() % kCtas == r) {
        for (uint32_t i = static_cast<uint32_t>(warp() / kCtas * 32 + lane()); i < number;
             i += kThreads / kCtas) {
          uint32_t key;
          if constexpr (kCtas > 1) {
            key = load_peer_u32(peer_address(own + 4 * i, static_cast<uint32_t>(r)));
          } else {
            key = static_cast<uint32_t>(load_shared_i32(own + 4 * i));
          }
          store_shared(smem + kSmem.all_keys + 4 * (first + i), static_cast<int32_t>(key));
        }
      }
      first += number;
    }
    __syncthreads();
    return total;
  }

  /// visit(value) for this thread's part of the list that gather made, where there is one, else of
  /// the values in `range`.
  template <class F>
  __device__ __forceinline__ void each_in(const Range& range, uint32_t number, F&& visit) const {
    if (number > kSearchKeys) {
      each_value(range.least, [&](float z) {
        if (range.takes(z)) visit(z);
      });
      return;
    }
    for (uint32_t i = threadIdx.x; i < number; i += kThreads) {
      visit(value_of(static_cast<uint32_t>(load_shared_i32(smem + kSmem.all_keys + 4 * i))));
    }
  }

  // ---- Cuts
  // --------------------------------------------------------------------------------------

  /// Narrows by bins of powers of two below the largest; false when all does not reach the amount.
  __device__ __forceinline__ bool narrow(Wanted& wanted, const MassScale& scale, Range& range) {
    clear_histogram();
    each_value(range.least, [&](float z) {
      if (z < range.least) return;
      if (!wanted.by_mass) return count_one(range.bins.of(z));
      const uint64_t amount = mass_of<linear>(z, scale);
      if (amount != 0) count(range.bins.of(z), amount);
    });
    const Bin bin = find_bin(wanted.amount, true);
    wanted.amount -= bin.above;
    range.bin = bin.index;
    return bin.reached;
  }

  /// The cut in a list, or in a range of the row, by the bits of keys. False when what is there
  /// does not reach the amount: `cut` then keeps it all.
  __device__ __forceinline__ bool find(Wanted wanted, const MassScale& scale, const Range& range,
                                       uint32_t number, Cut& cut) {
    const bool all_ctas = number > kSearchKeys;
    cut = {wanted.least - 1, 0};
    uint64_t ends = 0;  // the largest key, and the largest of those turned round
    each_in(range, number, [&](float z) {
      const uint32_t key = key_of(z);
      if (key >= wanted.least) ends = MostEach()(ends, pair_of(key, ~key));
    });
    ends = team.reduce(ends, MostEach());
    if (all_ctas) ends = team.share(ends, MostEach());
    if (ends == 0) return false;
    uint32_t high = static_cast<uint32_t>(ends >> 32), low = ~static_cast<uint32_t>(ends);
#pragma unroll 1
    for (bool first = true; first || low != high; first = false) {
      const uint32_t span = high - low;
      const int32_t shift = span < kSearchBins ? 0 : 23 - __clz(static_cast<int32_t>(span));
      clear_histogram();
      each_in(range, number, [&](float z) {
        const uint32_t key = key_of(z);
        if (key < low || key > high) return;
        if (!wanted.by_mass) return count_one((high - key) >> shift);
        const uint64_t amount = mass_of<linear>(z, scale);
        if (amount != 0) count((high - key) >> shift, amount);
      });
      const Bin bin = find_bin(wanted.amount, all_ctas);
      if (!bin.reached) return false;
      wanted.amount -= bin.above;
      high -= bin.index << shift;
      const uint32_t width = (1u << shift) - 1;
      low = high - low <= width ? low : high - width;
    }
    const uint64_t each = wanted.by_mass ? mass_of<linear>(value_of(high), scale) : 1;
    cut = {high, static_cast<uint32_t>((wanted.amount + each - 1) / each)};
    return true;
  }
};

}  // namespace weft
