// SPDX-License-Identifier: Apache-2.0
// Asks for the rows of the next block while this one is computed, a few lines at a time: all at
// once they would fill the core's miss buffers and stall what comes after. For tiles of many rows;
// few_rows.h asks line by line.
#pragma once

#include "src/ops/attention/cpu/kv_rows.h"

namespace weft {
namespace {

class Ahead {
 public:
  /// The first `count` rows of a block; `k_bytes`, `v_bytes`: of a row.
  Ahead(const BlockRows& rows, int count, int k_bytes, int v_bytes)
      : rows_(rows), count_(count), bytes_{k_bytes, v_bytes} {}

  /// All of them.
  int lines() const { return count_ * (ceil_div(bytes_[0], 64) + ceil_div(bytes_[1], 64)); }

  void ask(int lines) {
    for (; lines > 0 && row_ < 2 * count_; --lines) {
      const bool keys = row_ < count_;
      const char* row = keys ? rows_.k[row_] : rows_.v[row_ - count_];
      __builtin_prefetch(row + at_, 0, 2);
      at_ += 64;
      if (at_ < bytes_[keys ? 0 : 1]) continue;
      at_ = 0;
      ++row_;
    }
  }

 private:
  const BlockRows& rows_;
  const int count_;
  const int bytes_[2];
  int row_ = 0;
  int at_ = 0;
};

}  // namespace
}  // namespace weft
