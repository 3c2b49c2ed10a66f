// SPDX-License-Identifier: Apache-2.0
// What one instruction set gives to the roofs. Included by units compiled with that set's flags, so
// it must pull in no inline code that the linker could keep for everyone.
#pragma once

#include <cstdint>

namespace weft::cli {

/// One kernel of register-resident multiply-adds, compiled for its own instruction set.
struct RoofUnit {
  const char* name;            // "avx512_bf16"
  double flops_per_iteration;  // of one thread
  void (*burst)(int64_t iterations);
};

/// Sums `bytes` (a multiple of 512) of 64-byte aligned memory in a way the compiler must keep.
using RoofReader = void (*)(const char* data, int64_t bytes);

/// One of each per instruction set, in roof_<isa>.cc.
const RoofUnit& roof_scalar();
const RoofUnit& roof_avx2();
const RoofUnit& roof_avx512();
const RoofUnit& roof_avx512_bf16();
const RoofUnit& roof_amx_bf16();
void roof_read_scalar(const char* data, int64_t bytes);
void roof_read_avx2(const char* data, int64_t bytes);
void roof_read_avx512(const char* data, int64_t bytes);

}  // namespace weft::cli
