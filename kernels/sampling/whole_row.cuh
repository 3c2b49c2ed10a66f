// SPDX-License-Identifier: Apache-2.0
// A row that passes by and of which all counts (top-p, min-p, no filter at all): read again to be
// weighed, once its largest value is known; the first CTA then finds the cut among the tokens near
// it, and the token in the stretch of a warp. Used by sampling.
#pragma once

#include "kernels/sampling/whole_bins.cuh"

namespace weft {

/// Reads of a warp's stretch that are on their way while as many are looked at.
inline constexpr int kBackSteps = 2;

/// The steps of one row. `Pick` has lists of entries, a search and a team; `Values` says where the
/// row lies.
template <DType dtype, int vec, class Pick>
struct WholeRow {
  static constexpr RowSlices kSlices = Pick::kSlices;
  static constexpr bool kLinear = Pick::kLinear;
  static constexpr int kThreads = Pick::kThreads, kCtas = Pick::kCtas;
  static constexpr int32_t kWarps = kSlices.num_warps(), kStretch = kSlices.stretch();
  static constexpr int32_t kStretches = kCtas * kWarps;
  static constexpr uint32_t kShare = kCutEntries / kCtas;
  static constexpr WholeSmem kSmem = WholeSmem::of(kSlices);
  static constexpr uint64_t kOverflow = uint64_t{1} << 63;
  // Few enough to be compared with each other.
  static constexpr uint32_t kFew = 64;

  const Pick& pick;
  const MassScale& scale;

  __device__ __forceinline__ uint32_t at(int32_t offset) const {
    return pick.row.smem + static_cast<uint32_t>(offset);
  }
  /// An address in the first CTA of the row.
  __device__ __forceinline__ static void tell_first(uint32_t to, uint64_t x) {
    if constexpr (kCtas > 1) {
      store_peer(peer_address(to, 0), x);
    } else {
      store_shared(to, x);
    }
  }

  // ---- Passes over this CTA's slice

  /// visit(z[4], position in the slice), the last values first: these the L2 still has. Values are
  /// as they stand, -infinity behind the row.
  template <int ahead, class F>
  __device__ __forceinline__ void each_back(F&& visit) const {
    constexpr int kSize = size_of(dtype);
    const uint32_t place = pick.row.values.place;
    const auto* const data = reinterpret_cast<const char*>(load_shared_u64(place));
    const int32_t begin = pick.row.warp() * kStretch;
    const int32_t mine = begin + pick.row.lane() * 4;
    const int32_t length = clamp_to(load_shared_i32(place + 8) - begin, 0, kStretch);
    int32_t steps = length / 128;
    if (steps * 128 < length) {  // the row ends here
      float z[4];
      end_of_row<dtype, 4>(data, mine + steps * 128, begin + length, z);
      visit(z, mine + steps * 128);
    }
    using Four = Raw<4 * kSize>;
    const auto fetch = [&](Four(&to)[ahead], int32_t left) {
#pragma unroll
      for (int s = 0; s < ahead; ++s) {
        if (s < left) load_four(to[s], data + int64_t{mine + (left - 1 - s) * 128} * kSize);
      }
    };
    Four next[ahead];
    fetch(next, steps);
#pragma unroll 1
    for (; steps > 0; steps -= ahead) {
      Four now[ahead];
#pragma unroll
      for (int s = 0; s < ahead; ++s) now[s] = next[s];
      fetch(next, steps - ahead);
#pragma unroll
      for (int s = 0; s < ahead; ++s) {
        if (s >= steps) break;
        float z[4];
        to_f32<dtype, 4>(now[s], z);
        visit(z, mine + (steps - 1 - s) * 128);
      }
    }
  }

  /// Masses of this CTA's values: all that top-p is a share of, above a range and in it.
  struct Weights {
    uint64_t total, above, inside;
  };

  /// Weighs values of at least `base`: all of them, or those above a range, are the thread's part
  /// of a tally; those in the range go to the first CTA. REQUIRES: no value is +infinity or NaN.
  template <bool ranged>
  __device__ __forceinline__ Weights weigh(float base, const CutRange& range) const {
    const uint32_t counter = at(kSmem.words + 32);
    const auto rank = static_cast<uint32_t>(pick.row.team.rank);
    const int32_t begin = pick.row.team.rank * kSlices.slice;
    Weights w{0, 0, 0};
    each_back<kBackSteps>([&](const float(&z)[4], int32_t i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float x = kLinear ? fmaxf(z[e], 0.0f) : z[e];
        const uint64_t mass = mass_of<kLinear>(x, scale);
        if constexpr (ranged) {
          if (x >= base) w.total += mass;
          if (x > range.high) w.above += mass;
          if (x >= range.low && x <= range.high) {
            w.inside += mass;
            const uint32_t slot = fetch_add_shared(counter, 1);
            if (slot < kShare) {
              const uint32_t key = key_of(plain_form<kLinear, false>(x));
              tell_first(at(kSmem.entries) + 8 * (rank * kShare + slot),
                         entry_of(key, begin + i + e));
            }
          }
        } else {
          if (x >= base) w.above += mass;
        }
      }
    });
    return w;
  }

  /// What all CTAs together weigh; the first one has all tallies then.
  struct Weighed {
    uint64_t total, above, inside;
    bool overflow;
  };

  template <bool ranged>
  __device__ __forceinline__ Weighed weigh_row(float base, const CutRange& range) {
    auto& team = pick.row.team;
    const uint32_t counter = at(kSmem.words + 32);
    const auto rank = static_cast<uint32_t>(team.rank);
    if (ranged) {
      if (threadIdx.x == 0) store_shared(counter, int32_t{0});
      __syncthreads();
    }
    const Weights w = weigh<ranged>(base, range);
    const uint64_t tally = warp_reduce(w.above, Add());
    if (pick.row.lane() == 0) {
      tell_first(at(kSmem.tallies) + 8 * (rank * kWarps + static_cast<uint32_t>(pick.row.warp())),
                 tally);
    }
    uint64_t sums[3] = {0, team.reduce(w.above, Add()), 0};
    if constexpr (ranged) {
      sums[0] = team.reduce(w.total, Add());
      sums[2] = team.reduce(w.inside, Add());
      const auto number = static_cast<uint32_t>(load_shared_i32(counter));
      if (threadIdx.x == 0) tell_first(at(kSmem.numbers) + 8 * rank, min_of(number, kShare));
      if (number > kShare) sums[1] |= kOverflow;
    }
    Weighed all{0, 0, 0, false};
    team.exchange(sums, [&](int, const Mail& read) {
      all.total += read(0), all.above += read(1) & ~kOverflow, all.inside += read(2);
      all.overflow |= (read(1) & kOverflow) != 0;
    });
    return all;
  }

  // ---- The cut, in the first CTA

  /// visit(entry) for this thread's part of what the CTAs sent.
  template <class F>
  __device__ __forceinline__ void each_entry(F&& visit) const {
    constexpr uint32_t kEach = kThreads / kCtas;
    const uint32_t from = threadIdx.x / kEach;
    const auto number = static_cast<uint32_t>(load_shared_u64(at(kSmem.numbers) + 8 * from));
    for (uint32_t i = threadIdx.x % kEach; i < number; i += kEach) {
      visit(load_shared_u64(at(kSmem.entries) + 8 * (from * kShare + i)));
    }
  }

  struct Last {
    uint64_t entry;
    uint64_t upto;  // the mass of it and of all better ones
  };

  /// The entry at which the masses of what was sent reach `amount`, of those from `high` down to
  /// `low`. REQUIRES: they do.
  __device__ __forceinline__ Last find_last(uint64_t amount, uint64_t high, uint64_t low) {
    auto& row = pick.row;
    const uint32_t words = at(kSmem.words), few = row.smem + Pick::Search::kSmem.own_keys;
    const auto mass_in = [&](uint64_t entry) {
      return mass_of<kLinear>(value_of(static_cast<uint32_t>(entry >> 32)), scale);
    };
    uint64_t above = 0;
    uint32_t number = kFew + 1;
#pragma unroll 1
    while (number > kFew) {
      const int32_t shift = max_of(0, bit_length(high - low) - kBinBits);
      row.clear_histogram();
      if (threadIdx.x == 0) store_shared(words, int32_t{0});
      each_entry([&](uint64_t entry) {
        if (entry < low || entry > high) return;
        const uint64_t mass = mass_in(entry);
        if (mass != 0) row.count(static_cast<uint32_t>((high - entry) >> shift), mass);
      });
      const auto bin = row.find_bin(amount - above, false);
      above += bin.above;
      high -= uint64_t{bin.index} << shift;
      const uint64_t width = (uint64_t{1} << shift) - 1;
      low = high - low <= width ? low : high - width;
      each_entry([&](uint64_t entry) {
        if (entry >= low && entry <= high) {
          store_shared(few + 8 * fetch_add_shared(words, 1), entry);
        }
      });
      __syncthreads();
      number = static_cast<uint32_t>(load_shared_i32(words));
    }
    if (threadIdx.x < number) {
      const uint64_t own = load_shared_u64(few + 8 * threadIdx.x);
      uint64_t before = above;
      for (uint32_t j = 0; j < number; ++j) {
        const uint64_t other = load_shared_u64(few + 8 * j);
        if (other > own) before += mass_in(other);
      }
      const uint64_t upto = before + mass_in(own);
      if (before < amount && amount <= upto) {
        store_shared(words + 8, own);
        store_shared(words + 16, upto);
      }
    }
    __syncthreads();
    const Last last{load_shared_u64(words + 8), load_shared_u64(words + 16)};
    __syncthreads();  // a search behind this one has its own
    return last;
  }

  /// Mass of what was sent above `key`.
  __device__ __forceinline__ uint64_t sent_above(uint32_t key) {
    uint64_t sum = 0;
    each_entry([&](uint64_t entry) {
      const auto other = static_cast<uint32_t>(entry >> 32);
      if (other > key) sum += mass_of<kLinear>(value_of(other), scale);
    });
    return pick.row.team.reduce(sum, Add());
  }

  // ---- The draw, in the first CTA

  /// What is kept of a row: what lies above `key`, and of what lies at it tokens up to `last`.
  struct KeptRow {
    uint32_t key;
    int32_t last;
    uint64_t above;  // mass above the key
    uint64_t total;
  };

  /// The token that a draw below kept.above comes to, and its value, to take(token, value) in one
  /// thread. `sent`: what was sent lies apart from tallies.
  template <class Take>
  __device__ __forceinline__ void find_token(const KeptRow& kept, uint64_t draw, bool sent,
                                             Take&& take) {
    if (sent) {
      each_entry([&](uint64_t entry) {
        const auto key = static_cast<uint32_t>(entry >> 32);
        if (key <= kept.key) return;
        add_tally(static_cast<uint32_t>(position_of(entry) / kStretch),
                  mass_of<kLinear>(value_of(key), scale));
      });
      __syncthreads();
    }
    // Each warp finds the stretch for itself: some for each lane.
    constexpr uint32_t kEach = ceil_div(kStretches, 32);
    const uint32_t first = static_cast<uint32_t>(pick.row.lane()) * kEach;
    uint64_t sum = 0;
#pragma unroll
    for (uint32_t s = first; s < first + kEach; ++s) sum += tally(s);
    uint64_t before = warp_sum_upto(sum) - sum;
    uint32_t stretch = first;
    const bool mine = before <= draw && draw < before + sum;
#pragma unroll
    for (uint32_t e = 1; e < kEach; ++e) {
      const uint64_t x = tally(stretch);
      if (before + x <= draw) before += x, ++stretch;
    }
    const int lane = 31 - __clz(static_cast<int32_t>(__ballot_sync(~0u, mine)));
    before = __shfl_sync(~0u, before, lane);
    stretch = __shfl_sync(~0u, stretch, lane);
    find_in(static_cast<int32_t>(stretch), draw - before, value_of(kept.key), take);
  }

  /// Of the values above `least` of a stretch, the one at which the running mass passes `draw`.
  template <class Take>
  __device__ __forceinline__ void find_in(int32_t stretch, uint64_t draw, float least,
                                          Take&& take) {
    constexpr int kEach = round_up(ceil_div(kStretch, kThreads), 4), kBatch = min_of(16, kEach);
    const uint32_t place = pick.row.values.place;
    const auto* const data = reinterpret_cast<const char*>(load_shared_u64(place));
    const int32_t of_row = load_shared_i32(place + 8);
    const int32_t first = stretch * kStretch + static_cast<int32_t>(threadIdx.x) * kEach;
    const int32_t end = min_of(min_of((stretch + 1) * kStretch, first + kEach), of_row);
    const auto amount = [&](float z) {
      const float x = plain_form<kLinear, false>(z);
      return x > least ? mass_of<kLinear>(x, scale) : uint64_t{0};
    };
    uint64_t sum = 0;
#pragma unroll 1
    for (int32_t i = first; i < end; i += kBatch) {
      float z[kBatch];
      load_upto(z, data, i, end);
#pragma unroll
      for (const float x : z) sum += amount(x);
    }
    uint64_t before = pick.row.team.sum_before(sum);
    if (draw < before || draw - before >= sum) return;
#pragma unroll 1
    for (int32_t i = first; i < end; i += 4) {
      float z[4];
      load_upto(z, data, i, end);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const uint64_t x = amount(z[e]);
        if (draw < before + x) return take(i + e, plain_form<kLinear, false>(z[e]));
        before += x;
      }
    }
  }

 private:
  __device__ __forceinline__ uint64_t tally(uint32_t stretch) const {
    return stretch < kStretches ? load_shared_u64(at(kSmem.tallies) + 8 * stretch) : 0;
  }
  __device__ __forceinline__ void add_tally(uint32_t stretch, uint64_t mass) const {
    const uint32_t place = at(kSmem.tallies) + 8 * stretch;
    const auto low = static_cast<uint32_t>(mass);
    const uint32_t before = fetch_add_shared(place, low);
    const uint32_t high = static_cast<uint32_t>(mass >> 32) + (before + low < before);
    if (high != 0) add_shared(place + 4, high);
  }

  static constexpr int32_t kBinBits = 9;
  static_assert(1 << kBinBits == kSearchBins);

  __device__ __forceinline__ static int32_t bit_length(uint64_t x) {
    const auto high = static_cast<int32_t>(x >> 32);
    return high != 0 ? 64 - __clz(high) : 32 - __clz(static_cast<int32_t>(x));
  }

  /// Elements from `i` on, -infinity from `end` on.
  template <int n>
  __device__ __forceinline__ static void load_upto(float (&z)[n], const char* data, int32_t i,
                                                   int32_t end) {
#pragma unroll
    for (int b = 0; b < n; b += 4) {
      float four[4];
      if (i + b + 4 <= end) {
        Raw<4 * size_of(dtype)> raw;
        load_four(raw, data + int64_t{i + b} * size_of(dtype));
        to_f32<dtype, 4>(raw, four);
      } else {
        end_of_row<dtype, 4>(data, i + b, end, four);
      }
#pragma unroll
      for (int e = 0; e < 4; ++e) z[b + e] = four[e];
    }
  }

  __device__ __forceinline__ static void load_four(Raw<4 * size_of(dtype)>& raw, const char* from) {
    if constexpr (vec == 4) {
      raw = load_raw<4 * size_of(dtype)>(from);
    } else {
      float z[4];
      end_of_row<dtype, 4>(from, 0, 4, z);
      raw = from_f32<dtype, 4>(z);
    }
  }
};

}  // namespace weft
