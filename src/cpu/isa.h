// SPDX-License-Identifier: Apache-2.0
// What this processor and operating system let a thread use.
#pragma once

#include "weft/target.h"

namespace weft {

/// The best instruction set usable here. Asks the kernel for AMX state when the CPU has it.
Isa usable_isa();

/// True where vdpbf16ps is at least twice the f32 FMA rate (AMD Zen 4 and later).
bool has_fast_bf16();

/// Threads this process may run at once: affinity mask, bounded by the cgroup CPU quota.
int usable_threads();

}  // namespace weft
