// SPDX-License-Identifier: Apache-2.0
// A GPU and the kernels made for it. Operators made with one CudaBackend share what it compiled and
// loaded; the CPU needs none of it. The driver and NVRTC are opened here, at run time.
#pragma once

#include <memory>
#include <string>

#include "weft/export.h"
#include "weft/jit.h"
#include "weft/target.h"

namespace weft {

namespace detail {
struct CudaState;
}  // namespace detail

/// A handle: copies share one state, which lives as long as any copy or any operator made with it.
/// Thread-safe.
class WEFT_API CudaBackend {
 public:
  /// Retains the primary context of device `device_index`, which the CUDA runtime and frameworks
  /// use too. Throws Error(device) when there is no driver or no device, Error(invalid_argument)
  /// when `device_index` is none or a bundle of `jit` cannot be read.
  explicit CudaBackend(int device_index = 0, const JitOptions& jit = {});

  /// How many devices the driver sees; 0 when there is no driver.
  static int num_devices();

  const Target& target() const;
  /// "NVIDIA H200".
  const std::string& device_name() const;

  /// For operators.
  detail::CudaState& state() const { return *state_; }

 private:
  std::shared_ptr<detail::CudaState> state_;
};

}  // namespace weft
