// SPDX-License-Identifier: Apache-2.0
// A row that passes by once, with a list in each CTA of what reaches a floor. The floor is a rank
// of a sample: each thread's largest of some of its first values, which are from everywhere in the
// row. Used for many of a row, where groups of threads tell no floor (row_floor.cuh).
#pragma once

#include "kernels/topk/result.cuh"
#include "kernels/topk/sample.h"

namespace weft {
namespace topk_kernel {

/// Of a sample: the key of a floor, or 0 where there is none, and the largest.
struct SampleFloor {
  uint32_t key, largest;
};

template <TopkRowSpec spec>
struct ListedRow {
  using Row = Search<spec>;
  static constexpr TopkSmem kSmem = TopkSmem::of(spec);
  static constexpr int kThreads = spec.slices.num_threads, kCtas = spec.slices.cluster;
  static constexpr int kVec = spec.vec, kSize = size_of(spec.dtype);
  static constexpr int kLanes = 8, kChunk = kThreads * kVec, kRound = kLanes * kChunk;
  using Access = Raw<kVec * kSize>;
  // Places on the list are asked for once a round: the answer takes 100 clocks. Where two CTAs
  // share an SM the other one hides them, and there are no registers for it.
  static constexpr bool kAtOnce = spec.slices.ctas_per_sm == 1;

  static_assert(TopkSmem::fits(spec) && kThreads <= 512 && kThreads % kCtas == 0);

  Row& row;
  const char* data;  // of the row
  int32_t length;    // of the row
  int32_t ctas;      // that have some of it
  int32_t begin;     // of this CTA's values
  int32_t of_cta;    // of each but the last one's
  int32_t number;    // of this one's

  // Numbers in shared memory.
  static constexpr int kListed = 0, kClose = 4, kBefore = 8, kHere = 12, kFound = 16, kLane = 32,
                       kEnd = 36, kFloor = 48, kCounts = 64;

  __device__ __forceinline__ ListedRow(Row& search, const char* row_data, int32_t row_length)
      : row(search), data(row_data), length(row_length) {
    ctas = clamp_to(length / kChunk, 1, kCtas);
    of_cta = round_up(ceil_div(length, ctas), kVec);
    begin = min_of(row.team.rank * of_cta, length);
    number = min_of(length - begin, of_cta);
  }

  __device__ __forceinline__ static int32_t thread() { return static_cast<int32_t>(threadIdx.x); }
  __device__ __forceinline__ uint32_t at(int32_t offset) const {
    return row.smem + static_cast<uint32_t>(offset);
  }
  __device__ __forceinline__ uint32_t word(int32_t which) const { return at(kSmem.words + which); }
  __device__ __forceinline__ uint32_t number_at(int32_t which) const {
    return static_cast<uint32_t>(load_shared_i32(word(which)));
  }

  /// Chunks of a lane.
  __device__ __forceinline__ int32_t rounds_of_lanes() const { return ceil_div(of_cta, kRound); }

  /// Before the CTA meets for the first time.
  __device__ __forceinline__ void clear() const {
    if (thread() < 64) {
      // Two numbers are read anew whenever a row that passes by has no registers for them, nor for
      // multiples of lanes.
      int32_t first = thread() == kLane / 4 ? rounds_of_lanes() * kChunk : 0;
      if (thread() == kEnd / 4) first = begin + number;
      store_shared(word(0) + 4u * threadIdx.x, first);
    }
    clear_bins();
    const uint4 nothing{0, 0, 0, 0};
    for (int32_t i = thread() * 4; i < TopkSmem::slice_words(spec); i += kThreads * 4) {
      store_shared(at(kSmem.kept) + 4u * static_cast<uint32_t>(i), nothing);
    }
  }
  __device__ __forceinline__ void clear_bins() const {
    for (int32_t i = thread() * 2; i < kListBins; i += kThreads * 2) {
      store_shared(at(kSmem.bins) + 4u * static_cast<uint32_t>(i), uint64_t{0});
    }
  }

  // ---- The list

  /// A value as it stands, and its position.
  __device__ __forceinline__ void note(uint32_t slot, float z, int32_t position) const {
    store_shared(at(kSmem.list) + 8 * slot, pair_of(bits_of(z), static_cast<uint32_t>(position)));
  }
  /// Larger is better: by value, equal ones by position.
  __device__ __forceinline__ static uint64_t entry_from(uint64_t noted) {
    const float z = float_of(static_cast<uint32_t>(noted >> 32));
    return entry_of(key_of(plain_form<false, true>(z)), static_cast<int32_t>(noted));
  }
  __device__ __forceinline__ uint64_t own(uint32_t i) const {
    return load_shared_u64(at(kSmem.list) + 8 * i);
  }

  /// Lists one value that reaches `least`.
  __device__ __forceinline__ void offer_one(float z, int32_t position, float least) const {
    if (!(z >= least)) return;
    const uint32_t slot = fetch_add_shared(word(kListed), 1);
    if (slot < spec.list) note(slot, z, position);
  }

  /// How many values of an access reach `least`.
  __device__ __forceinline__ static uint32_t count(const Access& raw, float least) {
    float z[kVec];
    to_f32<spec.dtype, kVec>(raw, z);
    uint32_t hits = 0;
#pragma unroll
    for (int e = 0; e < kVec; ++e) hits += z[e] >= least;
    return hits;
  }
  /// A place for `hits` of a thread's values; the end of the list where it is full.
  __device__ __forceinline__ uint32_t place_for(uint32_t hits) const {
    const uint32_t slot = fetch_add_shared(word(kListed), hits);
    return slot + hits <= spec.list ? slot : spec.list;
  }
  /// Puts those of one access on the list, from `slot` on.
  __device__ __forceinline__ void put(const Access& raw, int32_t position, float least,
                                      uint32_t& slot) const {
    float z[kVec];
    to_f32<spec.dtype, kVec>(raw, z);
#pragma unroll
    for (int e = 0; e < kVec; ++e) {
      if (z[e] >= least) note(slot++, z[e], position + e);
    }
  }

  __device__ __forceinline__ void offer(const Access& raw, int32_t position, float least) const {
    const uint32_t hits = count(raw, least);
    if (hits == 0) return;
    uint32_t slot = fetch_add_shared(word(kListed), hits);
    if (slot + hits > spec.list) return;
    put(raw, position, least, slot);
  }

  /// All of a row that is no longer than a list.
  __device__ __forceinline__ void list_all() const {
    for (int32_t i = thread(); i < number; i += kThreads) {
      float z[1];
      to_f32<spec.dtype, 1>(load_raw<kSize>(data + int64_t{begin + i} * kSize), z);
      note(static_cast<uint32_t>(i), z[0], begin + i);
    }
    if (thread() == 0) store_shared(word(kListed), number);
  }

  // ---- The floor

  /// `mine`: the key of the largest value that this thread saw; 0: it saw none. Of `seen` threads
  /// of all CTAs that are asked, `wanted` have a key that reaches the floor, or few more.
  __device__ __forceinline__ SampleFloor find_floor(uint32_t mine, int32_t seen, int32_t wanted) {
    if constexpr (kCtas > 1) {
      // One of kCtas neighbours is asked; each of them tells a CTA.
      const int32_t teller = thread() & ~(kCtas - 1);
      mine = __shfl_sync(~0u, mine, teller % 32);
      const int32_t place = row.team.rank * (kThreads / kCtas) + thread() / kCtas;
      row.team.await_all();
      store_peer(
          peer_address(at(kSmem.largest) + 8u * static_cast<uint32_t>(place), threadIdx.x % kCtas),
          mine);
      row.team.meet();
      mine = static_cast<uint32_t>(load_shared_u64(at(kSmem.largest) + 8u * threadIdx.x));
    }
    const uint64_t ends = row.team.reduce(pair_of(mine, mine == 0 ? 0 : ~mine), MostEach());
    const auto largest = static_cast<uint32_t>(ends >> 32);
    if (wanted >= seen) return {0, largest};
    // `reached` threads reach `low`; fewer than are wanted reach `high`.
    uint32_t low = ~static_cast<uint32_t>(ends), high = largest + 1;
    auto reached = static_cast<uint32_t>(seen);
    const auto enough = static_cast<uint32_t>(wanted);
#pragma unroll 1
    for (uint32_t step = 0; high - low > 1 && reached > enough + enough / 32; ++step) {
      const uint32_t part = max_of((high - low) >> 2, 1u);
      uint32_t number_of[3];
#pragma unroll
      for (uint32_t j = 0; j < 3; ++j) {
        number_of[j] =
            static_cast<uint32_t>(__popc(__ballot_sync(~0u, mine >= low + (j + 1) * part)));
      }
      if (row.lane() == 0) {
        add_shared(word(kCounts) + 4 * step,
                   number_of[0] | number_of[1] << 10 | number_of[2] << 20);
      }
      __syncthreads();
      const uint32_t all = number_at(kCounts + 4 * static_cast<int32_t>(step));
      uint32_t next = low;
#pragma unroll
      for (uint32_t j = 0; j < 3; ++j) {
        const uint32_t here = all >> (10 * j) & 1023, pivot = low + (j + 1) * part;
        if (here >= enough) {
          next = pivot, reached = here;
        } else {
          high = min_of(high, pivot);
        }
      }
      low = next;
    }
    return {low, largest};
  }

  // ---- The row

  /// An access at a position, where that ends before `end`; else -infinity.
  __device__ __forceinline__ void load(Access& to, int32_t position, int32_t end) const {
    if (position + kVec <= end) {
      to = load_raw<kVec * kSize>(data + int64_t{position} * kSize);
      return;
    }
    constexpr uint32_t kHalf = spec.dtype == DType::bf16 ? 0xff80u : 0xfc00u;
    constexpr uint32_t kNothing = spec.dtype == DType::f32 ? 0xff800000u : kHalf << 16 | kHalf;
#pragma unroll
    for (uint32_t& two : to.word) two = kNothing;
  }
  __device__ __forceinline__ static float most_of(const Access& raw) {
    float z[kVec];
    to_f32<spec.dtype, kVec>(raw, z);
    float most = z[0];
#pragma unroll
    for (int e = 1; e < kVec; ++e) most = fmaxf(most, z[e]);
    return most;
  }

  __device__ __forceinline__ SampleFloor floor_of(const Access (&raw)[kLanes], int32_t k,
                                                  int32_t rounds) {
    const int32_t seen = kThreads / kCtas * ctas;
    const TopkSample sample = TopkSample::of(k, length, of_cta, kChunk, kVec, rounds, seen);
    float first[kVec];
    to_f32<spec.dtype, kVec>(raw[0], first);
    float most = first[0];
    const int32_t stride = kLanes / max_of(sample.lanes, 1);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
      if (sample.lanes > 0 && i % stride == 0) most = fmaxf(most, most_of(raw[i]));
    }
    const uint32_t mine = row.team.rank < ctas ? key_of(plain_form<false, true>(most)) : 0;
    return find_floor(mine, seen, sample.wanted);
  }

  /// Lists what reaches a floor, which stands under kFloor behind a barrier; false, and nothing
  /// listed, where there is none.
  __device__ __forceinline__ bool list_best(int32_t k) {
    Access raw[kLanes];
    // Lanes are of neighbouring chunks, and each warp begins with another chunk: what a thread sees
    // first is from everywhere, and so is what warps see.
    const int32_t rounds = rounds_of_lanes(), mine = begin + thread() * kVec;
    int32_t chunk = row.warp() % rounds * kChunk;
#pragma unroll
    for (int i = 0; i < kLanes; ++i)
      load(raw[i], mine + chunk + i * rounds * kChunk, begin + number);
    const SampleFloor floor = floor_of(raw, k, rounds);
    if (floor.key <= kLowestKey) return false;
    if (thread() == 0) {
      store_shared(word(kFloor), static_cast<int32_t>(floor.largest));
      store_shared(word(kFloor + 4), static_cast<int32_t>(floor.key));
    }
    const float least = value_of(floor.key);
    const int32_t left = number % kVec;
    if (thread() < left) {  // behind the last whole access
      const int32_t i = begin + number - left + thread();
      float z[1];
      to_f32<spec.dtype, 1>(load_raw<kSize>(data + int64_t{i} * kSize), z);
      offer_one(z[0], i, least);
    }
#pragma unroll 1
    for (int32_t round = rounds; round > 0; --round) {
      const int32_t lane = load_shared_i32(word(kLane));
      const int32_t end = round > 1 ? load_shared_i32(word(kEnd)) : 0;
      const int32_t next = chunk + kChunk < lane ? chunk + kChunk : 0;
      if constexpr (kAtOnce) {
        uint32_t hits = 0;
#pragma unroll
        for (int i = 0; i < kLanes; ++i) hits += count(raw[i], least);
        uint32_t slot = hits == 0 ? spec.list : place_for(hits);
        const bool some = slot < spec.list;
#pragma unroll
        for (int i = 0; i < kLanes; ++i) {
          if (some) put(raw[i], mine + chunk + i * lane, least, slot);
          load(raw[i], mine + next + i * lane, end);
        }
      } else {
#pragma unroll
        for (int i = 0; i < kLanes; ++i) {
          if (most_of(raw[i]) >= least) offer(raw[i], mine + chunk + i * lane, least);
          load(raw[i], mine + next + i * lane, end);
        }
      }
      chunk = next;
    }
    return true;
  }
};

}  // namespace topk_kernel
}  // namespace weft
