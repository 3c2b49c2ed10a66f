// SPDX-License-Identifier: Apache-2.0
// Neighbouring elements of a tensor: from memory in as few accesses as their alignment allows, as
// f32, and back. Used by the row kernels (rope, append, merge); knows no operator.
#pragma once

#include "kernels/ptx/cvt_pack.cuh"

namespace weft {

/// `bytes` as they lie in memory; in the low end of the word when fewer than four.
template <int bytes>
struct Raw {
  uint32_t word[bytes < 4 ? 1 : bytes / 4];
};

/// REQUIRES: bytes is a power of two, `at` aligned to them, or to 16 when they are more.
template <int bytes>
__device__ __forceinline__ Raw<bytes> load_raw(const void* at) {
  Raw<bytes> raw;
  if constexpr (bytes == 1) {
    raw.word[0] = *static_cast<const uint8_t*>(at);
  } else if constexpr (bytes == 2) {
    raw.word[0] = *static_cast<const uint16_t*>(at);
  } else if constexpr (bytes == 4) {
    raw.word[0] = *static_cast<const uint32_t*>(at);
  } else if constexpr (bytes == 8) {
    const uint2 pair = *static_cast<const uint2*>(at);
    raw.word[0] = pair.x, raw.word[1] = pair.y;
  } else {
#pragma unroll
    for (int i = 0; i < bytes / 16; ++i) {
      const uint4 four = static_cast<const uint4*>(at)[i];
      raw.word[4 * i] = four.x, raw.word[4 * i + 1] = four.y;
      raw.word[4 * i + 2] = four.z, raw.word[4 * i + 3] = four.w;
    }
  }
  return raw;
}

template <int bytes>
__device__ __forceinline__ void store_raw(void* at, const Raw<bytes>& raw) {
  if constexpr (bytes == 1) {
    *static_cast<uint8_t*>(at) = static_cast<uint8_t>(raw.word[0]);
  } else if constexpr (bytes == 2) {
    *static_cast<uint16_t*>(at) = static_cast<uint16_t>(raw.word[0]);
  } else if constexpr (bytes == 4) {
    *static_cast<uint32_t*>(at) = raw.word[0];
  } else if constexpr (bytes == 8) {
    *static_cast<uint2*>(at) = make_uint2(raw.word[0], raw.word[1]);
  } else {
#pragma unroll
    for (int i = 0; i < bytes / 16; ++i) {
      static_cast<uint4*>(at)[i] = make_uint4(raw.word[4 * i], raw.word[4 * i + 1],
                                              raw.word[4 * i + 2], raw.word[4 * i + 3]);
    }
  }
}

template <DType type, int n>
using RawOf = Raw<n * size_of(type)>;

template <DType type, int n>
__device__ __forceinline__ void to_f32(const RawOf<type, n>& raw, float (&x)[n]) {
  if constexpr (type == DType::f32) {
#pragma unroll
    for (int i = 0; i < n; ++i) x[i] = __uint_as_float(raw.word[i]);
  } else if constexpr (n == 1) {
    float none;
    unpack2<type>(raw.word[0], x[0], none);
  } else {
#pragma unroll
    for (int i = 0; i < n / 2; ++i) unpack2<type>(raw.word[i], x[2 * i], x[2 * i + 1]);
  }
}

template <DType type, int n>
__device__ __forceinline__ RawOf<type, n> from_f32(const float (&x)[n]) {
  RawOf<type, n> raw;
  if constexpr (type == DType::f32) {
#pragma unroll
    for (int i = 0; i < n; ++i) raw.word[i] = __float_as_uint(x[i]);
  } else if constexpr (n == 1) {
    raw.word[0] = pack_pair<type>(x[0], 0.0f);
  } else if constexpr (is_fp8(type) && n >= 4) {
#pragma unroll
    for (int i = 0; i < n / 4; ++i) {
      raw.word[i] = pack_pair<type>(x[4 * i], x[4 * i + 1]) |
                    pack_pair<type>(x[4 * i + 2], x[4 * i + 3]) << 16;
    }
  } else {
#pragma unroll
    for (int i = 0; i < n / 2; ++i) raw.word[i] = pack_pair<type>(x[2 * i], x[2 * i + 1]);
  }
  return raw;
}

}  // namespace weft
