// SPDX-License-Identifier: Apache-2.0
// attention_wgmma: the compute-bound half of attention on sm_90a. One CTA an SM; warpgroup 0 keeps
// K and V coming (wgmma_produce.cuh), the others hold 64 packed query rows each and compute
// (wgmma_attend.cuh, wgmma_finish.cuh). Runs the work lists of kernels/core/work.h.
#pragma once

#include "kernels/attention/wgmma_attend.cuh"
#include "kernels/attention/wgmma_finish.cuh"
#include "kernels/attention/wgmma_gather.cuh"
#include "kernels/attention/wgmma_rotate.cuh"
#include "kernels/ptx/griddep.cuh"
#include "kernels/ptx/setmaxnreg.cuh"

namespace weft {

/// Of a thread, once the roles have dealt out what the launch gave all alike. Producers that turn
/// keys need more than those that only ask for them.
struct WgmmaRegisters {
  int producer;
  int second;  // producer
  int consumer;

  WEFT_HD static constexpr WgmmaRegisters of(const AttentionWgmmaSpec& s) {
    const bool turns = s.rotates();
    if (s.num_consumers == 3)
      return turns || s.gather ? WgmmaRegisters{56, 0, 152} : WgmmaRegisters{32, 0, 160};
    if (s.num_producers == 2)
      return turns ? WgmmaRegisters{32, 48, 216} : WgmmaRegisters{32, 32, 224};
    if (!turns) return WgmmaRegisters{40, 0, 232};
    return s.gather ? WgmmaRegisters{72, 0, 216} : WgmmaRegisters{56, 0, 224};
  }
  WEFT_HD constexpr int total(const AttentionWgmmaSpec& s) const {
    return producer + (s.num_producers - 1) * second + s.num_consumers * consumer;
  }
};

/// The producers' side: who asks for boxes or copies rows, who turns what has come.
template <AttentionWgmmaSpec spec>
__device__ __forceinline__ void wgmma_produce(const AttentionWgmmaParams& params, char* smem,
                                              int32_t warp, const WgmmaRings& rings) {
  constexpr AttentionWgmmaSmem kSmem = AttentionWgmmaSmem::of(spec);
  constexpr WgmmaRegisters kRegisters = WgmmaRegisters::of(spec);
  WgmmaTile* const tiles = reinterpret_cast<WgmmaTile*>(smem + kSmem.tiles);
  const uint32_t base = smem_address(smem);
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  const WgmmaProducer<spec> boxes{params, base, tiles, thread, rings};
  if constexpr (spec.num_producers == 2) {
    if (warp >= 4) {
      release_registers<kRegisters.second>();
      if constexpr (spec.rotates()) {
        WgmmaRotate<spec, 4>{params, base, tiles, warp - 4, rings}.run();
      } else {
        WgmmaGather<spec>{boxes, thread - 128, {params, base, tiles, warp, rings}}.run_values();
      }
      return;
    }
  }
  release_registers<kRegisters.producer>();
  if constexpr (spec.gather) {
    WgmmaGather<spec>{boxes, thread, {params, base, tiles, warp, rings}}.run();
  } else if (warp == 0) {
    WgmmaProducer<spec>{boxes}.run();
  } else if constexpr (spec.rotates() && spec.num_producers == 1) {
    WgmmaRotate<spec, 3>{params, base, tiles, warp - 1, rings}.run();
  }
}

template <AttentionWgmmaSpec spec>
__device__ __forceinline__ void wgmma_consume(const AttentionWgmmaParams& params, char* smem) {
  constexpr AttentionWgmmaSmem kSmem = AttentionWgmmaSmem::of(spec);
  const uint32_t base = smem_address(smem);
  // The same in all lanes of a warp, which the compiler must see for its uniform registers.
  const int32_t warpgroup =
      __shfl_sync(0xffffffffu, static_cast<int32_t>(threadIdx.x) / 128, 0) - spec.num_producers;
  WgmmaAttend<spec> attend{params, base, reinterpret_cast<const WgmmaTile*>(smem + kSmem.tiles),
                           warpgroup, WgmmaRings::at(spec, base)};
  const WgmmaFinish<spec> finish{
      params, warpgroup,
      reinterpret_cast<volatile int32_t*>(smem + kSmem.last_arrival) + warpgroup};
  attend.run(finish);
}

/// REQUIRES: AttentionWgmmaSmem::of(spec).bytes of dynamic shared memory, a CTA for each worker.
template <AttentionWgmmaSpec spec>
__device__ __forceinline__ void attention_wgmma(const AttentionWgmmaParams& params) {
  char* const smem = tile_smem();
  // The pool is what the CTA was given at entry: more than that is never granted, and waits
  // forever.
  constexpr int kAtEntry = 65536 / spec.num_threads() / 8 * 8;
  constexpr WgmmaRegisters kRegisters = WgmmaRegisters::of(spec);
  static_assert(kRegisters.total(spec) <= kAtEntry * (spec.num_consumers + spec.num_producers));
  // Warps that turn queries and keys.
  constexpr int32_t kTurners = spec.gather || spec.num_producers == 2 ? 4 : 3;
  const int32_t* const work =
      params.args.work_indptr + static_cast<int32_t>(blockIdx.x) / params.head_lanes;
  const bool idle = work[0] == work[1];  // read ahead of the wait, as in attention_mma
  const int32_t warp = __shfl_sync(0xffffffffu, static_cast<int32_t>(threadIdx.x) / 32, 0);
  const WgmmaRings rings = WgmmaRings::at(spec, smem_address(smem));
  if (threadIdx.x == 0) {
    constexpr uint32_t kConsumerWarps = 4 * spec.num_consumers;
    rings.q.init(32 * kConsumerWarps);
    constexpr uint32_t kProducers = spec.gather ? 128 : 1;  // threads, or the copy engine
    rings.k.init(kConsumerWarps, kProducers);
    rings.v.init(kConsumerWarps, kProducers);
    if constexpr (spec.rotates()) {
      for (int32_t i = 0; i < spec.num_q_stages; ++i)
        mbarrier_init(rings.q_turned + 8 * i, kTurners);
      for (int32_t i = 0; i < spec.num_stages; ++i) mbarrier_init(rings.k_turned + 8 * i, kTurners);
    }
    mbarrier_fence_init();
  }
  // Only now: the kernel of the plan's other list may run beside this one without a wait of its
  // own. A CTA without work makes room for it.
  griddep_wait();
  griddep_launch_dependents();
  if (idle) return;
  if constexpr (spec.rotates()) {
    WgmmaRotate<spec, kTurners>::fill_tables(smem_address(smem));
  }
  __syncthreads();
  if (warp < 4 * spec.num_producers) {
    wgmma_produce<spec>(params, smem, warp, rings);
  } else {
    claim_registers<kRegisters.consumer>();
    wgmma_consume<spec>(params, smem);
  }
}

}  // namespace weft
