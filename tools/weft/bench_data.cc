// SPDX-License-Identifier: Apache-2.0
// See bench_data.h.
#include "tools/weft/bench_data.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "tools/weft/elements.h"

namespace weft::cli {
namespace {

/// One stretch of random elements, which the buffer repeats.
std::vector<char> random_stretch(DType dtype) {
  constexpr int64_t kElements = 99991;  // a prime: rows of a cache do not line up with it
  std::vector<char> stretch(kElements * size_of(dtype));
  std::mt19937 random(7);
  for (int64_t i = 0; i < kElements; ++i) {
    if (is_fp8(dtype)) {
      // Sign and anything below 1: exponent fields up to 6 of e4m3 and 14 of e5m2.
      const uint32_t bits = random();
      const uint32_t most = dtype == DType::e4m3 ? 0x37 : 0x3b;
      stretch[i] = static_cast<char>((bits & 0x80) | (bits >> 8) % (most + 1));
    } else {
      const float unit = static_cast<float>(random()) * 0x1p-31f - 1.0f;
      write_element(stretch.data(), dtype, i, unit);
    }
  }
  return stretch;
}

}  // namespace

engine::Buffer filled(engine::Memory& memory, DType dtype, std::initializer_list<int64_t> shape) {
  engine::Buffer buffer(memory, dtype, shape);
  const std::vector<char> stretch = random_stretch(dtype);
  char* at = static_cast<char*>(buffer.view().data);
  for (size_t left = buffer.bytes(); left > 0;) {
    const size_t n = std::min(left, stretch.size());
    std::memcpy(at, stretch.data(), n);
    at += n;
    left -= n;
  }
  return buffer;
}

}  // namespace weft::cli
