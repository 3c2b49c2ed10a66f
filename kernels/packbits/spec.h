// SPDX-License-Identifier: Apache-2.0
// PackBitsSpec: what is fixed before bits are packed. Shapes and segments are run-time values.
#pragma once

#include "kernels/core/dtype.h"

namespace weft {

enum class BitOrder : uint8_t {
  little = 0,  // the first element is the lowest bit: what custom_mask is made of
  big,         // the first element is the highest bit
};

WEFT_HD constexpr const char* name_of(BitOrder o) {
  return o == BitOrder::little ? "little" : "big";
}

/// The kernel on a GPU, a thread a byte of the output. `vec` elements a load.
struct PackBitsSpec {
  BitOrder order = BitOrder::little;
  DType dtype = DType::u8;  // of x
  int32_t vec = 1;          // 8 where every byte's elements are aligned and there, else 1
  int32_t num_threads = 256;
  int32_t ctas_per_sm = 6;  // bounds registers; 1536 threads are what every SM holds

  bool operator==(const PackBitsSpec&) const = default;
};

}  // namespace weft
