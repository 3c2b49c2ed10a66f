// SPDX-License-Identifier: Apache-2.0
// Buffers of random numbers for benchmarks: finite in every format, made fast.
#pragma once

#include <initializer_list>

#include "examples/engine/memory.h"

namespace weft::cli {

/// Random values in [-1, 1], the same for the same size and type.
engine::Buffer filled(engine::Memory& memory, DType dtype, std::initializer_list<int64_t> shape);

}  // namespace weft::cli
