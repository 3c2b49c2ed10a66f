// SPDX-License-Identifier: Apache-2.0
// activation: silu, gelu or gelu_tanh of the left half of each row, times the right half, as gated
// feed-forward layers ask for; optionally quantised to FP8.
#pragma once

#include <memory>
#include <string>

#include "kernels/activation/spec.h"
#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct ActivationConfig {
  DType dtype = DType::bf16;      // of x: f32, f16, bf16
  DType dtype_out = DType::none;  // f32, f16, bf16, e4m3, e5m2; none = dtype
  ActivationKind kind = ActivationKind::silu;
  int hidden = 0;  // elements of a row of out; a row of x has twice as many

  bool operator==(const ActivationConfig&) const = default;
};

WEFT_API std::string to_string(const ActivationConfig& config);

/// out = activation(x[:, :hidden]) * x[:, hidden:], divided by scale. Division by a scale is a
/// multiplication by 1 / scale in f32.
struct ActivationArgs {
  TensorView x;        // [n, 2 * hidden]
  TensorView out;      // out [n, hidden]; may be the left half of x itself
  float scale = 1.0f;  // out holds y / scale
  TensorView scales;   // optional f32 [1]: multiplies scale; read on the device
};

namespace detail {
struct ActivationImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API Activation {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit Activation(const ActivationConfig& config, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled or loaded is so here. `run` then takes tensors on
  /// that device. A captured graph needs this object alive.
  Activation(const ActivationConfig& config, const CudaBackend& backend);
  /// The config with its defaults filled in.
  const ActivationConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// Writes every row. Rounds to nearest even; FP8 saturates, infinities too, and NaN stays NaN.
  /// Throws Error(invalid_argument) before anything is written: wrong tensors (out may be the left
  /// half of x; nothing else may overlap it), and on the CPU a scale that is no positive finite
  /// number; on a GPU that in `scales` is trusted. Allocates nothing, takes no lock.
  ///
  /// On a GPU it is enqueued on executor.stream, may be captured, and never waits.
  void run(const ActivationArgs& args, const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::ActivationImpl> impl_;
};

}  // namespace weft
