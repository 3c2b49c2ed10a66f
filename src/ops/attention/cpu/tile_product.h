// SPDX-License-Identifier: Apache-2.0
// C += A B by AMX tiles, as a whole or in small steps between which the caller does something else.
// Used by matrix_amx.h, which says which tile holds what.
#pragma once

#include "src/ops/attention/cpu/multiply.h"

namespace weft {
namespace {

constexpr int kTileRows = 16;
constexpr int kTileWords = 16;  // of a row: 64 bytes

// The compiler is not told which memory tiles are loaded from and stored to: it must not move
// stores and loads across them.
inline void memory_fence() { __asm__ volatile("" : : : "memory"); }

/// One tile of rows by `columns` columns, a multiple of 32; tiles are configured for the rows. B
/// has whole tiles of steps, zero where A has none.
class TileProduct {
 public:
  TileProduct(const Operands& x, int columns, int steps, const PackedWords& b)
      : x_(x), b_(b), columns_(columns), steps_(steps) {}

  /// How many steps are left.
  int left() const {
    const int strips = ceil_div(columns_ - column_, 4 * kWidth);
    return strips * ceil_div(steps_, kTileWords) - step_ / kTileWords;
  }
  /// Up to four products, of which one takes 16 clocks beside whatever the other ports do.
  void advance() {
    memory_fence();
    if (columns_ - column_ >= 4 * kWidth) {
      advance_strip<4>();
    } else {
      advance_strip<2>();
    }
    memory_fence();
  }

 private:
  // Tile numbers are part of the instructions, hence the four lines where a loop would do.
  template <int C>
  [[gnu::always_inline]] void advance_strip() {
    float* c = x_.c + column_;
    const int64_t c_stride = x_.ldc * 4;
    if (step_ == 0) begin_strip<C>(c, c_stride);
    const uint32_t* from = b_.words + step_ * b_.ld + column_;
    const int64_t b_stride = b_.ld * 4;
    _tile_loadd(4, x_.a + step_, x_.lda * 4);
    _tile_loadd(5, from, b_stride);
    _tile_dpbf16ps(0, 4, 5);
    _tile_loadd(6, from + kWidth, b_stride);
    _tile_dpbf16ps(1, 4, 6);
    if constexpr (C == 4) {
      _tile_loadd(5, from + 2 * kWidth, b_stride);
      _tile_dpbf16ps(2, 4, 5);
      _tile_loadd(6, from + 3 * kWidth, b_stride);
      _tile_dpbf16ps(3, 4, 6);
    }
    step_ += kTileWords;
    if (step_ < steps_) return;
    _tile_stored(0, c, c_stride);
    _tile_stored(1, c + kWidth, c_stride);
    if constexpr (C == 4) _tile_stored(2, c + 2 * kWidth, c_stride);
    if constexpr (C == 4) _tile_stored(3, c + 3 * kWidth, c_stride);
    step_ = 0;
    column_ += C * kWidth;
  }
  template <int C>
  [[gnu::always_inline]] void begin_strip(const float* c, int64_t c_stride) const {
    if (x_.accumulate) {
      _tile_loadd(0, c, c_stride);
      _tile_loadd(1, c + kWidth, c_stride);
      if constexpr (C == 4) _tile_loadd(2, c + 2 * kWidth, c_stride);
      if constexpr (C == 4) _tile_loadd(3, c + 3 * kWidth, c_stride);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      if constexpr (C == 4) _tile_zero(2);
      if constexpr (C == 4) _tile_zero(3);
    }
  }

  const Operands x_;
  const PackedWords b_;
  const int columns_;
  const int steps_;
  int column_ = 0;
  int step_ = 0;  // of this strip
};

}  // namespace
}  // namespace weft
