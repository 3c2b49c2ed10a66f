// SPDX-License-Identifier: Apache-2.0
// Element types weft reads and writes. A spec names them; tensors carry them; every backend
// switches on them. Knows sizes only: conversions belong to the backend that performs them.
#pragma once

#include "kernels/core/base.h"

namespace weft {

enum class DType : uint8_t {
  none = 0,  // "same as q" in a config; an absent tensor
  f32,
  f16,
  bf16,
  e4m3,  // OCP FP8 E4M3 (no infinities, max 448)
  e5m2,  // OCP FP8 E5M2
  i32,
  i64,
  u8,
};

/// Bytes of one element; 0 for DType::none.
WEFT_HD constexpr int size_of(DType t) {
  switch (t) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::e4m3:
    case DType::e5m2:
    case DType::u8:
      return 1;
    case DType::i64:
      return 8;
    case DType::none:
      return 0;
  }
  return 0;
}

WEFT_HD constexpr const char* name_of(DType t) {
  switch (t) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::e4m3:
      return "e4m3";
    case DType::e5m2:
      return "e5m2";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
    case DType::u8:
      return "u8";
    case DType::none:
      return "none";
  }
  return "invalid";
}

WEFT_HD constexpr bool is_fp8(DType t) { return t == DType::e4m3 || t == DType::e5m2; }
WEFT_HD constexpr bool is_float16(DType t) { return t == DType::f16 || t == DType::bf16; }
/// A type that q, k, v or o may have.
WEFT_HD constexpr bool is_float(DType t) { return t == DType::f32 || is_float16(t) || is_fp8(t); }

}  // namespace weft
