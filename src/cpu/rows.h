// SPDX-License-Identifier: Apache-2.0
// Row kernels: read the heads of one token, rotate, scale and convert them, write them elsewhere.
// One table of functions per RowUnit, filled by rows_<isa>.cc. Called by the CPU rooms of rope and
// append; attention may use cos_sin. Knows no operator, no page, no batch.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"
#include "kernels/core/variant.h"
#include "weft/target.h"

namespace weft {

/// Cosines and sines of one token's angles. neox: dim / 2 each. interleaved: dim each, every value
/// twice, and the sine of a pair's first element negated.
struct Rotation {
  const float* cos;
  const float* sin;
};

/// Largest head that is normalised on the way: it waits on the stack as f32.
inline constexpr int kMaxNormedHead = 1024;

/// RMS normalisation of each head before it is rotated.
struct RowNorm {
  const void* weight;  // [head_dim], of the dtype read
  float weight_offset;
  float eps;
};

struct RowHeads {
  const void* in;      // [num_heads, head_dim]
  void* out;           // may be `in` when the types are the same and the strides too
  int64_t in_stride;   // bytes from one head to the next
  int64_t out_stride;  // bytes
  int num_heads;
  int head_dim;
  int rotated_dim;      // leading elements that rotate; the rest is only scaled and converted
  Rotation rotation;    // unused with rotated_dim = 0
  float scale;          // multiplies every element
  const float* scales;  // [num_heads], divides each head further, or null
  const RowNorm* norm;  // null: heads are not normalised. REQUIRES: head_dim <= kMaxNormedHead
};

using RowKernel = void (*)(const RowHeads& row);

/// Elements beyond their last that cos and sin arrays need: units store whole registers.
inline constexpr int kRowSpare = 16;

struct RowTable {
  /// Angles position * turns[i] (kernels/core/rope.h) in the form of Rotation for `mode`. `cos` and
  /// `sin` have room for kRowSpare more elements.
  void (*cos_sin)(RopeMode mode, const uint64_t* turns, int dim, int64_t position, float* cos,
                  float* sin);
  /// dim / 2 cosines followed by dim / 2 sines, in the form of Rotation for interleaved.
  void (*interleave)(const float* cos_sin, int dim, float* cos, float* sin);
  RowKernel kernels[3][5][3];  // [f32, f16, bf16][f32, f16, bf16, e4m3, e5m2][RopeMode]

  RowKernel kernel(DType in, DType out, RopeMode mode) const {
    return kernels[static_cast<int>(in) - 1][static_cast<int>(out) - 1][static_cast<int>(mode)];
  }
};
static_assert(static_cast<int>(DType::f32) == 1 && static_cast<int>(DType::bf16) == 3 &&
              static_cast<int>(DType::e5m2) == 5 && static_cast<int>(RopeMode::interleaved) == 2);

/// REQUIRES: this build has the unit and this machine can run it (see row_unit).
const RowTable& row_table(RowUnit unit);

/// The widest unit within target.isa. Throws Error(unsupported) when `target` is not a CPU, or
/// allows instructions that this machine lacks.
RowUnit row_unit(const Target& target);

/// One line: which unit, and why.
std::string explain_row_unit(RowUnit unit, const Target& target);

}  // namespace weft
