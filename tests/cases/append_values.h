// SPDX-License-Identifier: Apache-2.0
// Every conversion that append makes, value by value: all 16-bit patterns, f32 numbers around the
// ties of each format, the edges of the ranges. Signs of zeros and NaN included.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/append.h"

namespace weft::cases {

inline constexpr DType kCacheTypes[] = {DType::f32, DType::f16, DType::bf16, DType::e4m3,
                                        DType::e5m2};

/// [1024, 1, 64]: each pattern of a 16-bit type once.
OwnedTensor all_patterns(DType dtype);

/// f32 [1024, 1, 64]: numbers at, just below and just above the midpoints of two neighbours of each
/// format, random bits, and the edges of the ranges.
OwnedTensor ties_and_edges();

/// `values` appended as k and as v of one request to one big page.
struct ConversionData {
  AppendConfig config;
  AppendArgs args;
  OwnedTensor values, k, v;
  std::vector<Buffer> owners;
};

ConversionData make_conversion_data(const OwnedTensor& values, DType dtype_kv);

/// Empty when every element of both caches is the oracle's rounding.
std::string compare_conversion(const ConversionData& data);

}  // namespace weft::cases
