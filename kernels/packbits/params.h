// SPDX-License-Identifier: Apache-2.0
// PackBitsParams: everything a packing kernel receives at launch, and where each byte's elements
// lie. Filled by src/ops/packbits/run.cc, read by every backend.
#pragma once

#include "kernels/core/base.h"
#include "kernels/packbits/spec.h"

namespace weft {

struct PackBitsParams {
  const uint8_t* x;  // [nnz]
  uint8_t* out;      // [num_bytes]
  int64_t nnz;
  int64_t num_bytes;

  // Segments; null: one, the whole of x.
  const int32_t* indptr;      // [num_segments + 1], elements
  const int32_t* out_indptr;  // [num_segments + 1], bytes
  int32_t num_segments;
};

/// Elements [begin, end) that make a byte, none when the byte belongs to no segment.
struct ByteRange {
  int64_t begin, end;
};

/// REQUIRES: 0 <= byte < p.num_bytes. Nothing outside x is ever named, whatever the segments say.
WEFT_HD ByteRange elements_of_byte(const PackBitsParams& p, int64_t byte) {
  if (p.indptr == nullptr) return {8 * byte, min_of(8 * byte + 8, p.nnz)};
  int32_t low = 0, high = p.num_segments;  // the last segment that begins at or before the byte
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    if (p.out_indptr[middle] <= byte) {
      low = middle;
    } else {
      high = middle;
    }
  }
  if (p.num_segments == 0 || p.out_indptr[low] > byte) return {0, 0};
  const int64_t begin = p.indptr[low] + 8 * (byte - p.out_indptr[low]);
  const int64_t end = min_of<int64_t>(begin + 8, p.indptr[low + 1]);
  if (begin < 0 || end > p.nnz || begin >= end) return {0, 0};
  return {begin, end};
}

/// Bit of element i of a byte.
WEFT_HD constexpr uint32_t bit_of(BitOrder order, int i) {
  return order == BitOrder::little ? 1u << i : 0x80u >> i;
}

}  // namespace weft
