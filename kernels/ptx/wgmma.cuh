// SPDX-License-Identifier: Apache-2.0
// Matrix products of a warpgroup (PTX ISA, wgmma; sm_90a): D[64, N] (+)= A[64, 16] B[16, N] in f32
// from bf16 or f16. A lies in shared memory or in registers, B in shared memory, both behind
// descriptors (kernels/tile/wgmma_operand.h); D is spread over the 128 threads
// (kernels/tile/fragment.h). The products run on while the warps do: fence, products, commit, and
// wait before anyone touches their registers or shared memory.
#pragma once

#include "kernels/core/dtype.h"

namespace weft {

/// Before the first product that reads registers written since the last wait.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/// Closes a group of products.
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/// Until at most `kPending` of the latest groups still run.
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

/// Keeps the compiler from moving uses of registers across a wait, of whose effect on them it does
/// not know. No instruction.
template <int n>
__device__ __forceinline__ void pin_registers(float (&d)[n]) {
#pragma unroll
  for (int i = 0; i < n; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

/// Products with N columns of D, of which each thread holds N / 2. kTransB: 0 when B's rows run
/// along K (B is K-major), 1 when they run along N. keep = 0: D is overwritten, not added to.
///   from_smem<DType, kTransB>(d, a_desc, b_desc, keep)
///   from_registers<DType, kTransB>(d, a, b_desc, keep)   a: four registers, two values each
template <int kColumns>
struct Wgmma;

// The operand lists of N / 2 registers, as text and as constraints.
#define WEFT_TEN(t) \
  "%" #t "0,%" #t "1,%" #t "2,%" #t "3,%" #t "4,%" #t "5,%" #t "6,%" #t "7,%" #t "8,%" #t "9,"
#define WEFT_FORTY WEFT_TEN() WEFT_TEN(1) WEFT_TEN(2) WEFT_TEN(3)
#define WEFT_NINETY WEFT_FORTY WEFT_TEN(4) WEFT_TEN(5) WEFT_TEN(6) WEFT_TEN(7) WEFT_TEN(8)
#define WEFT_NAMES_64 WEFT_TEN() WEFT_TEN(1) WEFT_TEN(2) "%30,%31"
#define WEFT_NAMES_80 WEFT_TEN() WEFT_TEN(1) WEFT_TEN(2) "%30,%31,%32,%33,%34,%35,%36,%37,%38,%39"
#define WEFT_NAMES_96 WEFT_FORTY "%40,%41,%42,%43,%44,%45,%46,%47"
#define WEFT_NAMES_128 WEFT_FORTY WEFT_TEN(4) WEFT_TEN(5) "%60,%61,%62,%63"
#define WEFT_NAMES_192 WEFT_NINETY "%90,%91,%92,%93,%94,%95"
#define WEFT_NAMES_256 \
  WEFT_NINETY WEFT_TEN(9) WEFT_TEN(10) WEFT_TEN(11) "%120,%121,%122,%123,%124,%125,%126,%127"
#define WEFT_EIGHT(i)                                                                         \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define WEFT_VALUES_64 WEFT_EIGHT(0), WEFT_EIGHT(8), WEFT_EIGHT(16), WEFT_EIGHT(24)
#define WEFT_VALUES_80 WEFT_VALUES_64, WEFT_EIGHT(32)
#define WEFT_VALUES_96 WEFT_VALUES_80, WEFT_EIGHT(40)
#define WEFT_VALUES_128 WEFT_VALUES_96, WEFT_EIGHT(48), WEFT_EIGHT(56)
#define WEFT_VALUES_192 \
  WEFT_VALUES_128, WEFT_EIGHT(64), WEFT_EIGHT(72), WEFT_EIGHT(80), WEFT_EIGHT(88)
#define WEFT_VALUES_256 \
  WEFT_VALUES_192, WEFT_EIGHT(96), WEFT_EIGHT(104), WEFT_EIGHT(112), WEFT_EIGHT(120)

// One product. `accumulate` is tested into the predicate the instruction takes; the numbers are
// those of the operands behind D.
#define WEFT_PRODUCT(n, type, a, b, accumulate, trans)                                \
  "{\n.reg .pred p;\nsetp.ne.b32 p, " accumulate                                      \
  ", 0;\n"                                                                            \
  "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" WEFT_NAMES_##n \
      "}, " a ", " b ", p, 1, 1, " trans ";\n}\n"
#define WEFT_FROM_SMEM(n, type, a, b, accumulate, trans)            \
  asm volatile(WEFT_PRODUCT(n, type, a, b, accumulate, "0, " trans) \
               : WEFT_VALUES_##n                                    \
               : "l"(a_desc), "l"(b_desc), "r"(keep), "n"(kTransB))
#define WEFT_FROM_REGISTERS(n, type, a0, a1, a2, a3, b, accumulate, trans)                  \
  asm volatile(WEFT_PRODUCT(n, type, "{" a0 "," a1 "," a2 "," a3 "}", b, accumulate, trans) \
               : WEFT_VALUES_##n                                                            \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b_desc), "r"(keep), "n"(kTransB))
#define WEFT_SHAPE(n, o0, o1, o2, o3, o4, o5, o6)                                               \
  template <>                                                                                   \
  struct Wgmma<n> {                                                                             \
    template <DType kType, int kTransB>                                                         \
    static __device__ __forceinline__ void from_smem(float (&d)[n / 2], uint64_t a_desc,        \
                                                     uint64_t b_desc, int keep) {               \
      if constexpr (kType == DType::bf16) {                                                     \
        WEFT_FROM_SMEM(n, "bf16", o0, o1, o2, o3);                                              \
      } else {                                                                                  \
        WEFT_FROM_SMEM(n, "f16", o0, o1, o2, o3);                                               \
      }                                                                                         \
    }                                                                                           \
    template <DType kType, int kTransB>                                                         \
    static __device__ __forceinline__ void from_registers(float (&d)[n / 2], const uint32_t* a, \
                                                          uint64_t b_desc, int keep) {          \
      if constexpr (kType == DType::bf16) {                                                     \
        WEFT_FROM_REGISTERS(n, "bf16", o0, o1, o2, o3, o4, o5, o6);                             \
      } else {                                                                                  \
        WEFT_FROM_REGISTERS(n, "f16", o0, o1, o2, o3, o4, o5, o6);                              \
      }                                                                                         \
    }                                                                                           \
  };

WEFT_SHAPE(64, "%32", "%33", "%34", "%35", "%36", "%37", "%38")
WEFT_SHAPE(80, "%40", "%41", "%42", "%43", "%44", "%45", "%46")
WEFT_SHAPE(96, "%48", "%49", "%50", "%51", "%52", "%53", "%54")
WEFT_SHAPE(128, "%64", "%65", "%66", "%67", "%68", "%69", "%70")
WEFT_SHAPE(192, "%96", "%97", "%98", "%99", "%100", "%101", "%102")
WEFT_SHAPE(256, "%128", "%129", "%130", "%131", "%132", "%133", "%134")

}  // namespace weft
