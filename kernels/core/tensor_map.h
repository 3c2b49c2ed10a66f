// SPDX-License-Identifier: Apache-2.0
// TensorMap: the bulk copy engine's description of a tensor, encoded by the driver in `prepare` and
// passed to a kernel as part of its parameters. Opaque to both sides.
#pragma once

#include "kernels/core/base.h"

namespace weft {

struct alignas(128) TensorMap {
  uint64_t words[16];
};

}  // namespace weft
