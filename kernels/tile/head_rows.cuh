// SPDX-License-Identifier: Apache-2.0
// The heads of one token by one warp: read, rotated, scaled, converted, written elsewhere or in
// place. The body of rope and append; knows no page and no position's origin.
//
// A head is dealt to lanes in units of two vectors of `vec` elements that lie half the rotated part
// apart, so that a lane has both halves of its neox pairs, keeps the same cosines for every head,
// and a warp reads whole 128-byte lines. What does not rotate is dealt the same way behind.
#pragma once

#include "kernels/core/rope.h"
#include "kernels/ptx/shared.cuh"
#include "kernels/tile/elements.cuh"
#include "kernels/tile/head_rows.h"

namespace weft {

/// What a lane does in one pass.
struct LaneUnit {
  int32_t head;    // first one; kNoHead for a lane without work
  int32_t first;   // element of its first vector
  int32_t second;  // of its second
  int32_t unit;
  bool rotated;
  bool has_second;

  static constexpr int32_t kNoHead = 0x40000000;
};

/// `copies_rest`: elements that do not rotate are written too.
template <HeadRowSpec s>
__device__ __forceinline__ LaneUnit lane_unit(int32_t pass, bool copies_rest) {
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32;
  const int32_t unit = pass * 32 + lane % s.lanes();
  const int32_t rest = unit - s.rotated_units();
  LaneUnit u{lane / s.lanes(), 0, 0, unit, rest < 0, true};
  if (u.rotated) {
    u.first = s.single_pairs() ? 2 * unit : unit * s.vec;
    u.second = s.single_pairs() ? 2 * unit + 1 : s.half() + unit * s.vec;
  } else {
    u.first = s.rotated_dim + rest * s.vec;
    u.second = u.first + s.rest_units() * s.vec;
    u.has_second = u.second < s.head_dim;
    if (!copies_rest) u.head = LaneUnit::kNoHead;
  }
  if (unit >= s.units() || u.head >= s.heads_at_once()) u.head = LaneUnit::kNoHead;
  return u;
}

/// Where angles come from.
struct AngleSource {
  const uint64_t* turns;  // [dim / 2], kernels/core/rope.h
  const float* cache;     // [max_position, dim] or null: replaces turns
  int64_t cache_stride;
};

/// Cosines and sines of a lane's pairs: of neox, pair i turns element i of both vectors; of
/// interleaved, the first half of the pairs is the first vector.
template <int vec>
struct LaneAngles {
  CosSin of[vec];
};

/// Cosine and sine of one pair.
__device__ __forceinline__ CosSin angle_of(const AngleSource& from, int32_t half, int64_t position,
                                           int32_t pair) {
  if (from.cache == nullptr) return rope_cos_sin(rope_angle(from.turns[pair], position));
  const float* row = from.cache + position * from.cache_stride + pair;
  return {row[0], row[half]};
}

/// REQUIRES: n is a power of two, `at` aligned to n floats, or to 16 bytes when they are more.
template <int n>
__device__ __forceinline__ void load_shared_floats(uint32_t at, float (&x)[n]) {
  if constexpr (n == 1) {
    x[0] = load_shared_f32(at);
  } else if constexpr (n == 2) {
    const float2 two = load_shared_f32x2(at);
    x[0] = two.x, x[1] = two.y;
  } else {
#pragma unroll
    for (int i = 0; i < n; i += 4) {
      const float4 four = load_shared_f32x4(at + static_cast<uint32_t>(4 * i));
      x[i] = four.x, x[i + 1] = four.y, x[i + 2] = four.z, x[i + 3] = four.w;
    }
  }
}

/// The angles of a pass, each made by one lane and handed to those that need it through
/// `shared` (s.angle_bytes() of it), the warp's own. All lanes take part.
template <HeadRowSpec s>
__device__ __forceinline__ void make_angles(const AngleSource& from, int64_t position, int32_t pass,
                                            uint32_t shared, LaneAngles<s.vec>& angles) {
  constexpr int32_t kPairs = s.pass_pairs();
  constexpr bool kTwoRuns = s.mode == RopeMode::interleaved && s.vec > 1;
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32;
  const int32_t count = min_of(s.rotated_units() - pass * 32, 32) * s.vec;  // in this pass
  // Of interleaved, the second vectors have the pairs a quarter of the rotated part further on.
  const int32_t run = kTwoRuns ? count / 2 : count;
  const int32_t begin = pass * 32 * (kTwoRuns ? s.vec / 2 : s.vec);
  __syncwarp();  // the last pass has been read
#pragma unroll
  for (int32_t i = 0; i < ceil_div<int32_t>(kPairs, 32); ++i) {
    const int32_t slot = lane + 32 * i;
    if (slot >= count) continue;
    const int32_t pair = begin + (slot < run ? slot : slot - run + s.half() / 2);
    const CosSin w = angle_of(from, s.half(), position, pair);
    store_shared(shared + 4 * slot, w.cos);
    store_shared(shared + 4 * (kPairs + slot), w.sin);
  }
  __syncwarp();
  const int32_t unit = lane % s.lanes();
  if (unit * s.vec >= count) return;  // does not rotate
  constexpr int kRun = kTwoRuns ? s.vec / 2 : s.vec;
#pragma unroll
  for (int r = 0; r < s.vec / kRun; ++r) {
    const uint32_t from_slot = shared + 4 * (r * run + unit * kRun);
    float cosines[kRun], sines[kRun];
    load_shared_floats(from_slot, cosines);
    load_shared_floats(from_slot + 4 * kPairs, sines);
#pragma unroll
    for (int i = 0; i < kRun; ++i) angles.of[r * kRun + i] = {cosines[i], sines[i]};
  }
}

template <RopeMode mode, int vec>
__device__ __forceinline__ void rotate_vectors(float (&a)[vec], float (&b)[vec],
                                               const LaneAngles<vec>& angles) {
  if constexpr (mode == RopeMode::interleaved && vec > 1) {
#pragma unroll
    for (int i = 0; i < vec / 2; ++i) {
      rope_rotate(a[2 * i], a[2 * i + 1], angles.of[i]);
      rope_rotate(b[2 * i], b[2 * i + 1], angles.of[vec / 2 + i]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < vec; ++i) rope_rotate(a[i], b[i], angles.of[i]);
  }
}

template <HeadRowSpec s>
struct UnitBits {
  RawOf<s.in, s.vec> first, second;
};

template <HeadRowSpec s>
__device__ __forceinline__ UnitBits<s> load_unit(const char* head, const LaneUnit& u) {
  UnitBits<s> bits{};
  bits.first = load_raw<s.vec * size_of(s.in)>(head + u.first * size_of(s.in));
  if (u.has_second) bits.second = load_raw<s.vec * size_of(s.in)>(head + u.second * size_of(s.in));
  return bits;
}

/// The two vectors of a unit, rotated, scaled and written.
template <HeadRowSpec s>
__device__ __forceinline__ void finish_unit(char* head, const LaneUnit& u, float (&a)[s.vec],
                                            float (&b)[s.vec], float scale,
                                            const LaneAngles<s.vec>& angles) {
  if constexpr (s.mode != RopeMode::none) {
    if (u.rotated) rotate_vectors<s.mode, s.vec>(a, b, angles);
  }
#pragma unroll
  for (int i = 0; i < s.vec; ++i) a[i] *= scale, b[i] *= scale;
  store_raw(head + u.first * size_of(s.out), from_f32<s.out, s.vec>(a));
  if (u.has_second) store_raw(head + u.second * size_of(s.out), from_f32<s.out, s.vec>(b));
}

template <HeadRowSpec s>
__device__ __forceinline__ void store_unit(char* head, const LaneUnit& u, const UnitBits<s>& bits,
                                           float scale, const LaneAngles<s.vec>& angles) {
  if constexpr (s.in == s.out) {
    // The same type and no scale: the bits themselves, NaN payloads included.
    if (scale == 1.0f && !u.rotated) {
      store_raw(head + u.first * size_of(s.out), bits.first);
      if (u.has_second) store_raw(head + u.second * size_of(s.out), bits.second);
      return;
    }
  }
  float a[s.vec], b[s.vec];
  to_f32<s.in, s.vec>(bits.first, a);
  to_f32<s.in, s.vec>(bits.second, b);
  finish_unit<s>(head, u, a, b, scale, angles);
}

/// Heads of a token that one warp does: groups of heads_at_once, from `begin` on, every `step`
/// heads. The warps of a token take turns, so that together they read what lies together.
struct HeadRange {
  int32_t begin, step, end;
};

/// Share `chunk` of 2^shift of `count` heads.
template <HeadRowSpec s>
__device__ __forceinline__ HeadRange share_of(int32_t count, int32_t chunk, int32_t shift) {
  return {chunk * s.heads_at_once(), s.heads_at_once() << shift, count};
}

/// Heads of `range`, which `heads` knows: in(h) and out(h) are addresses, scale(h) multiplies, and
/// writes(h) says whether it is written at all. What is loaded first may wait in registers while
/// angles are made and out() becomes known.
template <HeadRowSpec s>
struct HeadBatch {
  UnitBits<s> bits[s.unroll];
  int32_t head;  // the lane's first

  template <class Heads>
  __device__ __forceinline__ void load(const Heads& heads, HeadRange range, const LaneUnit& u) {
#pragma unroll
    for (int32_t i = 0; i < s.unroll; ++i) {
      const int32_t h = head + i * range.step;
      if (h < range.end) bits[i] = load_unit<s>(heads.in(h), u);
    }
  }

  template <class Heads>
  __device__ __forceinline__ void begin(const Heads& heads, HeadRange range, const LaneUnit& u) {
    head = range.begin + u.head;
    load(heads, range, u);
  }

  /// Writes what is loaded, then all that follows.
  template <class Heads>
  __device__ __forceinline__ void finish(const Heads& heads, HeadRange range, const LaneUnit& u,
                                         const LaneAngles<s.vec>& angles) {
    while (head < range.end) {
#pragma unroll
      for (int32_t i = 0; i < s.unroll; ++i) {
        const int32_t h = head + i * range.step;
        if (h < range.end && heads.writes(h)) {
          store_unit<s>(heads.out(h), u, bits[i], heads.scale(h), angles);
        }
      }
      head += s.unroll * range.step;
      load(heads, range, u);
    }
  }
};

}  // namespace weft
