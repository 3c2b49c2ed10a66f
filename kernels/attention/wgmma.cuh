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
  int consumer;

  WEFT_HD static constexpr WgmmaRegisters of(const AttentionWgmmaSpec& s) {
    if (s.num_consumers == 3)
      return s.rotates() ? WgmmaRegisters{56, 152} : WgmmaRegisters{32, 160};
    if (s.rotates()) return s.gather ? WgmmaRegisters{72, 216} : WgmmaRegisters{56, 224};
    return s.num_producers == 2 ? WgmmaRegisters{32, 224} : WgmmaRegisters{40, 232};
  }
};

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
  constexpr AttentionWgmmaSmem kSmem = AttentionWgmmaSmem::of(spec);
  // The pool is what the CTA was given at entry: more than that is never granted, and waits
  // forever.
  constexpr int kAtEntry = 65536 / spec.num_threads() / 8 * 8;
  constexpr WgmmaRegisters kRegisters = WgmmaRegisters::of(spec);
  static_assert(kRegisters.producer * spec.num_producers +
                    kRegisters.consumer * spec.num_consumers <=
                kAtEntry * (spec.num_consumers + spec.num_producers));
  constexpr int32_t kTurners = spec.gather ? 4 : 3;  // warps that turn queries and keys
  const int32_t* const work =
      params.args.work_indptr + static_cast<int32_t>(blockIdx.x) / params.head_lanes;
  const bool idle = work[0] == work[1];  // read ahead of the wait, as in attention_mma
  const int32_t warp = __shfl_sync(0xffffffffu, static_cast<int32_t>(threadIdx.x) / 32, 0);
  const WgmmaRings rings = WgmmaRings::at(spec, smem_address(smem));
  if (threadIdx.x == 0) {
    constexpr uint32_t kConsumerWarps = 4 * spec.num_consumers;
    rings.q.init(kConsumerWarps);
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
    release_registers<kRegisters.producer>();
    WgmmaProducer<spec> producer{params, smem_address(smem),
                                 reinterpret_cast<WgmmaTile*>(smem + kSmem.tiles),
                                 static_cast<int32_t>(threadIdx.x), rings};
    if constexpr (spec.gather) {
      WgmmaGather<spec> gather{producer,
                               static_cast<int32_t>(threadIdx.x) % 128,
                               {params, smem_address(smem), producer.tiles, warp, rings}};
      if (spec.num_producers > 1 && warp >= 4) {
        gather.run_values();
      } else {
        gather.run();
      }
    } else if (warp == 0) {
      producer.run();
    } else if constexpr (spec.rotates()) {
      WgmmaRotate<spec, kTurners>{params, smem_address(smem), producer.tiles, warp - 1, rings}
          .run();
    }
  } else {
    claim_registers<kRegisters.consumer>();
    wgmma_consume<spec>(params, smem);
  }
}

}  // namespace weft
