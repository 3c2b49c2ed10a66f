// SPDX-License-Identifier: Apache-2.0
// The bf16 matrix unit on AMX: words, packing and rounding of Bf16Matrix, products by tdpbf16ps.
// A packed B operand is already what a tile wants: 16 steps of 16 words are one tile of 1 KB.
//
//   tile 0..3  C: up to 16 rows x 4 x 16 columns      tile 4  A: rows x 16 words
//   tile 5, 6  B: 16 words x 16 columns, in turn, so that a load may overlap a product
//
// Four products of 16 cycles pay for five loads of 8; wider blocking buys nothing.
//
// Tiles of few rows turn the dots round: keys are A, as they lie in the cache, and the queries,
// packed once an item, are B, so that no key is transposed:
//
//   tile 5  A: 16 keys x 16 words      tile 6  B: 16 words x 16 queries      tile 7  C: keys x
//   queries
#pragma once

#include "src/ops/attention/cpu/matrix_bf16.h"
#include "src/ops/attention/cpu/matrix_f32.h"

namespace weft {
namespace {

constexpr int kTileRows = 16;
constexpr int kTileWords = 16;  // of a row: 64 bytes

// What this thread's tiles are configured for.
static thread_local int configured_rows = 0;

// The compiler is not told which memory tiles are loaded from and stored to: it must not move
// stores and loads across them.
inline void memory_fence() { __asm__ volatile("" : : : "memory"); }

/// Gives C and A tiles `rows` rows, unless they have them: it takes about 200 cycles, and a decode
/// step needs the same number from its first block to its last.
inline void configure_tiles(int rows) {
  if (configured_rows == rows) return;
  configured_rows = rows;
  struct alignas(64) {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } config;
  for (int tile = 0; tile < 8; ++tile) {
    config.row_bytes[tile] = kTileWords * 4;
    config.rows[tile] = static_cast<uint8_t>(tile < 5 ? rows : kTileRows);
  }
  // GCC 12 says that the instruction reads 8 bytes, and would drop the stores to the other 56.
  __asm__ volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
}

inline void release_tiles() {
  configured_rows = 0;
  _tile_release();
}

struct AmxMatrix : Bf16Matrix {
  // One tile of rows at a time: their dots and weights are read back from L1 while the tiles of K
  // and V share it. 1390 GFLOP/s on two cores of a Xeon, 1120 with chunks of 48.
  static constexpr int kChunkRows = 16;

  // vdpbf16ps is slower than f32 FMA on the processors that have tiles, and with up to four rows
  // FMA on keys and values where they lie is faster than packing values for tiles. Two threads of
  // one Xeon, share of the read bandwidth: four rows 76 % (HND) and 69 % (NHD) with FMA, 58 and 57
  // % with tiles; eight rows 56 and 50 % with FMA, 57 % with tiles.
  using Few = F32Matrix;
  static constexpr int kFewRows = 4;
  static constexpr int kPackedQueries = kTileRows;

  /// s[query][key] for the first `count` keys of a block and the queries of pack_queries. `step`
  /// is called between small pieces of work. REQUIRES: whole tiles of words.
  template <class Step>
  static void dot_keys(const uint32_t* queries, int words, const char* const* rows, int count,
                       int num_queries, float* s, Step step) {
    configure_tiles(num_queries);
    memory_fence();
    for (int key = 0; key < count; key += kTileRows) {
      const int64_t stride = row_stride(rows + key);
      alignas(64) uint32_t copy[kTileRows * kTileWords];
      alignas(64) float dots[kTileRows * kTileRows];
      _tile_zero(7);
      for (int w = 0; w < words; w += kTileWords) {
        if (stride != 0) {
          _tile_loadd(5, rows[key] + w * 4, stride);
        } else {
          for (int j = 0; j < kTileRows; ++j) {
            store_words(copy + j * kTileWords, load_words(rows[key + j] + w * 4));
          }
          memory_fence();
          _tile_loadd(5, copy, kTileWords * 4);
        }
        _tile_loadd(6, queries + w * kTileRows, kTileRows * 4);
        _tile_dpbf16ps(7, 5, 6);
        step();
      }
      _tile_stored(7, dots, kTileRows * 4);
      memory_fence();
      const char* lines[kTileRows];
      for (int j = 0; j < kTileRows; ++j) {
        lines[j] = reinterpret_cast<const char*>(dots + j * kTileRows);
      }
      transpose_words(lines, 0, kTileRows, reinterpret_cast<uint32_t*>(s + key), kBlockKeys);
    }
  }

  /// REQUIRES: B has whole tiles of steps, zero where A has none; columns is a multiple of 32.
  static void multiply(const Operands& x, int rows, int columns, const PackedWords& b) {
    memory_fence();
    for (int row = 0; row < rows; row += kTileRows) {
      const int n = min_of(rows - row, kTileRows), last = row + n - 1;
      configure_tiles(n);
      const int wanted = round_up(min_of(columns, x.columns_of(last, columns)), 2 * kWidth);
      const int steps = x.steps_of(last);
      int column = 0;
      for (; column + 4 * kWidth <= wanted; column += 4 * kWidth) {
        strip<4>(x, row, column, steps, b);
      }
      for (; column < wanted; column += 2 * kWidth) strip<2>(x, row, column, steps, b);
    }
    memory_fence();
  }

 private:
  // Bytes between sixteen rows that lie at even distances, as within a page; else 0.
  static int64_t row_stride(const char* const* rows) {
    const int64_t stride = rows[1] - rows[0];
    bool even = true;
    for (int j = 2; j < kTileRows; ++j) even &= rows[j] - rows[j - 1] == stride;
    return even ? stride : 0;
  }

  // Tile numbers are part of the instructions, hence the four lines where a loop would do.
  template <int C>
  [[gnu::always_inline]] static void strip(const Operands& x, int row, int column, int steps,
                                           const PackedWords& b) {
    float* c = x.c + row * x.ldc + column;
    const int64_t c_stride = x.ldc * 4, a_stride = x.lda * 4, b_stride = b.ld * 4;
    if (x.accumulate) {
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
    for (int k = 0; k < steps; k += kTileWords) {
      const uint32_t* from = b.words + k * b.ld + column;
      _tile_loadd(4, x.a + row * x.lda + k, a_stride);
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
    }
    _tile_stored(0, c, c_stride);
    _tile_stored(1, c + kWidth, c_stride);
    if constexpr (C == 4) _tile_stored(2, c + 2 * kWidth, c_stride);
    if constexpr (C == 4) _tile_stored(3, c + 3 * kWidth, c_stride);
  }
};

}  // namespace
}  // namespace weft
