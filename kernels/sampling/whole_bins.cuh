// SPDX-License-Identifier: Apache-2.0
// A row that passes by and of which all counts: its tokens counted in bins below the largest of its
// first values, and from the counts a range of values that the cut of top-p lies in. A guess: what
// the masses then say decides.
#pragma once

#include "kernels/sampling/params.h"
#include "kernels/sampling/stream_row.cuh"

namespace weft {

/// Of the groups whose largest values tell how wide bins should be, this many reach a floor.
inline constexpr int32_t kSpreadTokens = 32;
/// Bins reach as many times as far down as that floor does: 7 would do for normal numbers, sums of
/// a few uniform ones take 20.
inline constexpr uint32_t kSpread = 24;
/// As many powers of two below the largest, what 2^17 tokens have together no longer matters.
inline constexpr uint32_t kMostOctaves = 24;

/// Bins of one width from the largest of a row's first values down to the least that may matter: of
/// logits by their difference, of probabilities by their bits. The first one is around that value.
template <bool linear>
struct RowBins {
  static constexpr bool kCounts = true;
  static constexpr float kWhole = 8388608.0f;  // 2^23: numbers from here on are whole ones
  // Bit patterns of an octave.
  static constexpr uint32_t kOctave = 1u << 23;

  uint32_t place;  // u32 [kRowBins]
  float top;       // the largest of the first values
  float per;       // bins a unit, of logits
  int32_t shift;   // log2 of bit patterns a bin, of probabilities

  /// Bins that set() made, which left in shared memory at `words` what they are.
  __device__ __forceinline__ static RowBins at(uint32_t place, uint32_t words) {
    const float per = load_shared_f32(words + 4);
    return {place, load_shared_f32(words), per, static_cast<int32_t>(bits_of(per))};
  }

  __device__ __forceinline__ void set(Top first, float temperature, uint32_t words) {
    top = value_of(first.key);
    const float floor = value_of(max_of(first.floor, kMaskedKey));
    if constexpr (linear) {
      const uint32_t gap = bits_of(top) - bits_of(fmaxf(floor, 0.0f));
      const uint32_t most = kMostOctaves * kOctave;
      const uint32_t span = min_of(gap, most / kSpread) * kSpread;
      shift = max_of(0, 21 - __clz(static_cast<int32_t>(span)));
    } else {
      const float rate = MassScale::of_logits(top, temperature).rate;
      const float span = fminf(static_cast<float>(kSpread) * (top - floor),
                               quotient(static_cast<float>(kMostOctaves), rate));
      per = quotient(static_cast<float>(kRowBins), span);
    }
    if (threadIdx.x != 0) return;
    store_shared(words, top);
    store_shared(words + 4, linear ? float_of(static_cast<uint32_t>(shift)) : per);
  }

  /// A value below the largest of the first ones. What lies too far down is not counted.
  __device__ __forceinline__ void count(float z) const {
    if constexpr (linear) {
      const uint32_t bin = (bits_of(top) - bits_of(z) + (1u << shift >> 1)) >> shift;
      if (bin < kRowBins) add_shared(place + 4 * bin, 1);
    } else {
      // Rounded by a sum, whose lower bits then are the bin: conversions come at a quarter the
      // rate.
      const float bin = __fmaf_rn(__fadd_rn(top, -z), per, kWhole);
      if (bin < kWhole + static_cast<float>(kRowBins)) {
        add_shared(place + 4 * (bits_of(bin) - bits_of(kWhole)), 1);
      }
    }
  }

  /// The value `halves` half bins below the largest.
  __device__ __forceinline__ float value_below(uint32_t halves) const {
    if constexpr (linear) {
      const uint32_t bits = bits_of(top), fall = halves << shift >> 1;
      return float_of(bits > fall ? bits - fall : 0);
    } else {
      return top - static_cast<float>(halves) * quotient(0.5f, per);
    }
  }

  /// By which share the mass of two tokens of a bin may differ.
  __device__ __forceinline__ float width(const MassScale& scale) const {
    if constexpr (linear) return float_of((127u - 23u + static_cast<uint32_t>(shift)) << 23);
    return fminf(quotient(scale.rate * kLn2, per), 1.0f);
  }
};

/// Values between which the cut of top-p is thought to be; above `high` all is kept.
struct CutRange {
  float low, high;
};

/// 4 % off.
__device__ __forceinline__ float rough_root(float x) {
  return float_of((bits_of(x) >> 1) + 0x1fbd1df5u);
}

/// Of kEach bins from `first` on, how many tokens all CTAs counted.
template <class Pick, int kEach>
__device__ __forceinline__ void add_counts(uint32_t at, uint32_t (&counts)[kEach]) {
#pragma unroll
  for (uint32_t r = 0; r < Pick::kCtas; ++r) {
#pragma unroll
    for (int e = 0; e < kEach; e += 4) {
      const auto from = at + 4 * static_cast<uint32_t>(e);
      uint4 four;
      if constexpr (Pick::kCtas > 1) {
        four = load_peer_u32x4(peer_address(from, r));
      } else {
        four = load_shared_u32x4(from);
      }
      counts[e] += four.x, counts[e + 1] += four.y;
      counts[e + 2] += four.z, counts[e + 3] += four.w;
    }
  }
}

/// Mass of what reaches the largest of the first values, by the lists of all CTAs: this thread's
/// part of it.
template <class Pick, bool linear>
__device__ __forceinline__ uint64_t mass_of_lists(const Pick& pick, const MassScale& scale) {
  // Each CTA's list to as many threads.
  constexpr uint32_t kPart = Pick::kThreads / Pick::kCtas;
  const uint32_t from = threadIdx.x / kPart;
  const auto peer = [&](uint32_t at) { return Pick::kCtas > 1 ? peer_address(at, from) : at; };
  const auto number = Pick::kCtas > 1 ? load_peer_u32(peer(pick.counters))
                                      : static_cast<uint32_t>(load_shared_i32(pick.counters));
  uint64_t sum = 0;
  for (uint32_t i = threadIdx.x % kPart; i < min_of(number, Pick::kMostOwn); i += kPart) {
    const uint32_t at = peer(pick.own + 8 * i);
    const uint64_t entry = Pick::kCtas > 1 ? load_peer_u64(at) : load_shared_u64(at);
    sum += mass_of<linear>(value_of(static_cast<uint32_t>(entry >> 32)), scale);
  }
  return sum;
}

/// From the counts of all CTAs. Errors of masses in a bin are up to half its width, and mostly
/// cancel out; some ten times their standard deviation is left on both sides. REQUIRES: the first
/// CTA, p < 1; CTAs have met since they counted.
template <class Pick, bool linear>
__device__ __forceinline__ CutRange guess_range(const Pick& pick, const RowBins<linear>& bins,
                                                const MassScale& scale, uint32_t words, float top_p,
                                                float base) {
  constexpr int kEach = kRowBins / Pick::kThreads, kSquareShift = 18;
  constexpr uint32_t kWarps = Pick::kThreads / 32;
  static_assert(kEach * Pick::kThreads == kRowBins && kEach % 4 == 0);
  const uint32_t first = threadIdx.x * kEach, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  uint32_t counts[kEach] = {};
  add_counts<Pick>(bins.place + 4 * first, counts);
  const uint64_t in_lists = mass_of_lists<Pick, linear>(pick, scale);
  uint64_t sum = 0, squares = 0;
  const auto mass_of_one = [&](uint32_t e) {
    const float middle = bins.value_below(2 * (first + e));
    return middle < base ? 0 : mass_of<linear>(middle, scale);
  };
#pragma unroll
  for (uint32_t e = 0; e < kEach; ++e) {
    const uint64_t mass = mass_of_one(e), root = mass >> kSquareShift;
    sum += counts[e] * mass;
    squares += counts[e] * root * root;
  }
  // Sums of warps side by side, so that all meet once.
  const uint32_t place = pick.row.smem + Pick::Search::kSmem.totals;
  const uint64_t upto = warp_sum_upto(sum);
  const uint64_t lists = warp_reduce(in_lists, Add());
  squares = warp_reduce(squares, Add());
  if (lane == 31) {
    store_shared(place + 24 * warp, upto);
    store_shared(place + 24 * warp + 8, lists);
    store_shared(place + 24 * warp + 16, squares);
  }
  if (threadIdx.x == 0) {  // where neither end is found
    store_shared(words, bins.value_below(0));
    store_shared(words + 4, bins.value_below(2 * kRowBins));
  }
  __syncthreads();
  uint64_t listed = 0, before = upto - sum, total = 0;
  squares = 0;
#pragma unroll 4
  for (uint32_t w = 0; w < kWarps; ++w) {
    const uint64_t of_warp = load_shared_u64(place + 24 * w);
    before += w < warp ? of_warp : 0;
    total += of_warp;
    listed += load_shared_u64(place + 24 * w + 8);
    squares += load_shared_u64(place + 24 * w + 16);
  }
  before += listed, total += listed;
  const float deviation =
      rough_root(static_cast<float>(squares)) * static_cast<float>(1 << kSquareShift);
  const auto error =
      (total >> 15) +
      static_cast<uint64_t>(bins.width(scale) * fminf(static_cast<float>(total), 4.0f * deviation));
  const uint64_t wanted = share_of_mass(top_p, total);
  const uint64_t from = wanted > error ? wanted - error : 0, to = wanted + error;
  if (threadIdx.x == 0) {
    if (from <= listed) store_shared(words, kLargest);
    if (to <= listed) store_shared(words + 4, bins.value_below(0));
  }
#pragma unroll
  for (uint32_t e = 0; e < kEach; ++e) {
    const uint32_t halves = 2 * (first + e);
    const uint64_t reached = before + counts[e] * mass_of_one(e);
    if (before < from && from <= reached) {
      store_shared(words, bins.value_below(halves - min_of(halves, 1u)));
    }
    if (before < to && to <= reached) store_shared(words + 4, bins.value_below(halves + 1));
    before = reached;
  }
  __syncthreads();
  return {load_shared_f32(words + 4), load_shared_f32(words)};
}

}  // namespace weft
