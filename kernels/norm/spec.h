// SPDX-License-Identifier: Apache-2.0
// NormSpec: everything about a norm kernel that is fixed before it runs. Made by select from a
// config and a target; names the code that runs.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/unit.h"

namespace weft {

enum class NormKind : uint8_t {
  rms = 0,  // x / sqrt(mean(x^2) + eps)
  layer,    // (x - mean(x)) / sqrt(variance(x) + eps)
};

WEFT_HD constexpr const char* name_of(NormKind k) { return k == NormKind::rms ? "rms" : "layer"; }

struct NormSpec {
  RowUnit unit = RowUnit::cpu_scalar;
  DType dtype = DType::bf16;
  DType dtype_out = DType::bf16;
  DType dtype_weight = DType::bf16;
  int32_t hidden = 0;
  NormKind kind = NormKind::rms;

  bool operator==(const NormSpec&) const = default;
};

/// The kernel on a GPU, `lanes` threads a row. Rows and heads are run-time values.
struct NormWarpSpec {
  DType dtype = DType::bf16;
  DType dtype_out = DType::bf16;
  DType dtype_weight = DType::bf16;
  NormKind kind = NormKind::rms;
  bool adds = false;  // the residual
  int32_t hidden = 0;
  int32_t vec = 1;    // elements of an access, a power of two that divides hidden
  int32_t lanes = 1;  // a power of two: some of a warp, or all threads of a CTA
  int32_t num_threads = 128;
  int32_t ctas_per_sm = 8;  // bounds registers

  bool operator==(const NormWarpSpec&) const = default;

  WEFT_HD constexpr int32_t needed() const { return ceil_div<int32_t>(hidden, vec); }
  /// Registers that hold a vector.
  WEFT_HD constexpr int32_t words() const { return max_of<int32_t>(vec * size_of(dtype) / 4, 1); }
  /// Vectors that a lane holds at once, in 12 registers; four of single elements. A longer row is
  /// read again.
  WEFT_HD constexpr int32_t vectors() const {
    return min_of<int32_t>(ceil_div<int32_t>(needed(), lanes), vec > 1 ? 12 / words() : 4);
  }
  /// Pieces of a row that are held one after the other; 1 for all but the longest rows.
  WEFT_HD constexpr int32_t pieces() const {
    return ceil_div<int32_t>(needed(), lanes * vectors());
  }
  WEFT_HD constexpr int32_t piece_elements() const { return lanes * vectors() * vec; }
  /// Lanes and vectors cover pieces without a remainder.
  WEFT_HD constexpr bool is_even() const { return hidden % piece_elements() == 0; }
  WEFT_HD constexpr int32_t rows_per_cta() const { return num_threads / lanes; }
  /// Warps that sum a row together through shared memory; 0 when one does.
  WEFT_HD constexpr int32_t warps_per_row() const { return lanes > 32 ? lanes / 32 : 0; }
};

}  // namespace weft
