// SPDX-License-Identifier: Apache-2.0
// norm: RMS and layer normalisation of rows, with the residual added before (and updated) and FP8
// quantisation after; also of each head of q or k.
// Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019; Ba et al., 2016.
#pragma once

#include <memory>
#include <string>

#include "kernels/norm/spec.h"
#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct NormConfig {
  DType dtype = DType::bf16;         // of x and residual: f32, f16, bf16
  DType dtype_out = DType::none;     // f32, f16, bf16, e4m3, e5m2; none = dtype
  DType dtype_weight = DType::none;  // of weight and bias: dtype or f32; none = dtype
  int hidden = 0;                    // elements of a row
  int num_heads = 0;                 // 0: tensors are [n, hidden]; else [n, num_heads, hidden]
  NormKind kind = NormKind::rms;
  bool residual = false;       // x + residual is normalised, and becomes the residual
  float eps = 1e-6f;           // >= 0
  float weight_offset = 0.0f;  // is added to weight: 1 for Gemma

  bool operator==(const NormConfig&) const = default;
};

WEFT_API std::string to_string(const NormConfig& config);

/// out = norm(x) * (weight + weight_offset) + bias, divided by scale. Division by a scale is a
/// multiplication by 1 / scale in f32.
struct NormArgs {
  TensorView x;         // [n, hidden] or [n, num_heads, hidden]
  TensorView weight;    // optional [hidden] or [num_heads, hidden]; absent: ones
  TensorView bias;      // optional with kind layer, as weight
  TensorView residual;  // in and out, as x; given when config.residual
  TensorView out;       // out, as x but of dtype_out; may be x itself
  float scale = 1.0f;   // out holds y / scale
  TensorView scales;    // optional f32 [max(1, num_heads)]: multiplies scale; read on the device
};

namespace detail {
struct NormImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API Norm {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit Norm(const NormConfig& config, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled or loaded is so here. `run` then takes tensors on
  /// that device. A captured graph needs this object alive.
  Norm(const NormConfig& config, const CudaBackend& backend);
  /// The config with its defaults filled in.
  const NormConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// Normalises every row. Rounds to nearest even; FP8 saturates, infinities too, and NaN stays
  /// NaN. Throws Error(invalid_argument) before anything is written: wrong tensors (out may be x;
  /// no other argument may overlap an output), and on the CPU scales that are no positive finite
  /// numbers; on a GPU those are trusted. Allocates nothing, takes no lock.
  ///
  /// On a GPU it is enqueued on executor.stream, may be captured, and never waits.
  void run(const NormArgs& args, const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::NormImpl> impl_;
};

}  // namespace weft
