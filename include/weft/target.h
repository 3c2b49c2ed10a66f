// SPDX-License-Identifier: Apache-2.0
// Target: what a decision (select, schedule) may know of a machine. A plain value, so any machine
// can be planned for on any other, and tests need no particular hardware.
#pragma once

#include <cstdint>
#include <string>

#include "weft/export.h"
#include "weft/tensor.h"

namespace weft {

/// Instruction-set families the CPU units are written for, slowest first.
enum class Isa : uint8_t { scalar = 0, avx2, avx512, avx512_bf16, amx_bf16 };

WEFT_API const char* name_of(Isa isa);
/// REQUIRES: `name` is one of the names above; else Error(invalid_argument).
WEFT_API Isa isa_from_name(const std::string& name);

struct WEFT_API Target {
  DeviceType device = DeviceType::cpu;
  int device_index = 0;

  // CPU. `isa` bounds what may be used; `fast_bf16` says vdpbf16ps is at least as fast as two f32
  // FMAs (true on AMD Zen 4 and 5, false on Intel Sapphire Rapids).
  Isa isa = Isa::scalar;
  bool fast_bf16 = false;
  int num_threads = 1;

  // CUDA.
  int arch = 0;  // 90 for sm_90a
  int num_sms = 0;
  int smem_per_sm = 0;  // bytes
  int64_t l2_bytes = 0;

  // Workers of a plan. Constant for a target, so results do not depend on the thread count.
  int num_workers = 64;

  bool operator==(const Target&) const = default;

  /// This host: ISA from cpuid and the operating system, threads from affinity and cgroup quota.
  static Target host();
  /// One NVIDIA H200 (132 SMs), for planning and compiling without one.
  static Target h200();
};

/// One line: "cpu avx512_bf16, 2 threads, 64 workers".
WEFT_API std::string to_string(const Target& target);

}  // namespace weft
