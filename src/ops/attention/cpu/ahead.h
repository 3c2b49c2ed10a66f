// SPDX-License-Identifier: Apache-2.0
// Asks for the rows of the next block while this one is computed, a little at a time: all at once
// they would fill the core's miss buffers and stall what comes after. Row by row, each from front
// to back, whatever the order of use: DRAM and the prefetchers of L2 like that best. Into L2: the
// same into L1 was slower than not asking at all (docs/kernels/cpu_attention.md).
#pragma once

#include "src/ops/attention/cpu/kv_rows.h"

namespace weft {
namespace {

/// What is left to ask for of kBlockKeys rows.
class RowsAhead {
 public:
  RowsAhead() = default;
  RowsAhead(const char* const* rows, int row_bytes)
      : row_(rows), end_(rows + kBlockKeys), row_bytes_(row_bytes) {}

  /// Asks for the next kBytes, a divisor or a multiple of a line.
  template <int kBytes>
  [[gnu::always_inline]] void ask() {
    if (row_ == end_) return;
    for (int i = 0; i < kBytes; i += 64) {
      if (kBytes >= 64 || at_ % 64 == 0) __builtin_prefetch(*row_ + at_ + i, 0, 2);
    }
    at_ += kBytes;
    if (at_ < row_bytes_) return;
    at_ = 0;
    ++row_;
  }
  bool done() const { return row_ == end_; }
  int lines() const { return static_cast<int>(end_ - row_) * ceil_div(row_bytes_, 64); }

 private:
  const char* const* row_ = nullptr;
  const char* const* end_ = nullptr;
  int row_bytes_ = 0;
  int at_ = 0;
};

/// Of a block; nothing at all when there is no next one.
struct Ahead {
  RowsAhead keys, values;

  int lines() const { return keys.lines() + values.lines(); }
  void ask(int lines) {
    for (; lines > 0; --lines) keys.done() ? values.ask<64>() : keys.ask<64>();
  }
};

}  // namespace
}  // namespace weft
