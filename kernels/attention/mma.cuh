// SPDX-License-Identifier: Apache-2.0
// The general attention kernel, on mma.sync: decode, short queries, any query length. Persistent
// CTAs walk the plan's items; docs/kernels/decode.md draws the schedule. Phases of a CTA:
//
//   ring     queries, keys and values num_stages - 1 stages ahead, across items (mma_ring.cuh)
//   segment  queries to registers; every stage: S = Q K, softmax, O += P V   (mma_warp.cuh)
//   finish   warps' states joined, written or left as partials, merged       (mma_finish.cuh)
#pragma once

#include "kernels/attention/mma_finish.cuh"
#include "kernels/attention/mma_query.cuh"
#include "kernels/attention/mma_ring.cuh"
#include "kernels/attention/mma_warp.cuh"
#include "kernels/ptx/griddep.cuh"

namespace weft {

template <AttentionMmaSpec spec>
class AttentionMma {
 public:
  __device__ __forceinline__ AttentionMma(const AttentionMmaParams& p, uint32_t smem, int32_t group,
                                          int32_t head_lane)
      : p_(p), smem_(smem), ring_(p, smem, group, head_lane), finish_(p, smem, head_lane) {
    walk_.begin(p.args, group);
    if constexpr (spec.rope.mode != RopeMode::none) {
      using Rotation = TileRotation<spec.rope, spec.head_dim_qk, spec.dtype_q>;
      Rotation::template fill_turns<kThreads>(smem + kSmem.turns,
                                              round_up(spec.head_dim_qk, 16) / 2);
      warp_.turns_at = smem + kSmem.turns;
      barrier_sync<kThreads>(0);
    }
  }

  __device__ __forceinline__ void prefetch() const { ring_.prefetch(); }

  __device__ __forceinline__ void run() {
#pragma unroll 1
    for (int32_t s = 0; s + 1 < spec.num_stages; ++s) ring_.ask(s);
    while (walk_.next_segment(p_)) {
      begin_segment();
      run_segment();
      end_segment();
    }
  }

 private:
  using Layout = MmaLayout<spec>;
  static constexpr AttentionMmaSmem kSmem = Layout::kSmem;
  static constexpr int32_t kThreads = 32 * spec.num_warps;
  static constexpr int32_t kSlabKeys = kSmem.slab_keys;
  static constexpr int32_t kTeamKeys = spec.row_warps() * kSlabKeys;
  static constexpr int32_t kStageKeys = spec.num_warps * kSlabKeys;

  // The stage before the current one: what it held has been used.
  __device__ __forceinline__ int32_t free_slot() const {
    return slot_ == 0 ? spec.num_stages - 1 : slot_ - 1;
  }

  // This warp's part of the current stage has landed and the team may read it.
  __device__ __forceinline__ void await_stage(int32_t stage_key) {
    cp_async_wait<spec.num_stages - 2>();
    if constexpr (spec.rope.mode != RopeMode::none && !MmaWarp<spec>::kRotate) {
      static_assert(!is_fp8(spec.dtype_kv), "bytes turn in registers");
      __syncwarp();
      const int32_t warp = threadIdx.x / 32;
      using Rotation = TileRotation<spec.rope, spec.head_dim_qk, spec.dtype_kv>;
      Rotation::template rotate_rows<kSlabKeys>(
          Layout::k_rows(), smem_ + slot_ * kSmem.stage_bytes + warp * kSmem.slab_bytes,
          smem_ + kSmem.turns, stage_key + warp * kSlabKeys);
    }
    if constexpr (spec.row_warps() == 1) {
      __syncwarp();
    } else {
      barrier_sync<32 * spec.row_warps()>(1 + finish_.key_warp);
    }
  }

  // After it the queries of a segment that has keys are in registers, or in shared memory for good,
  // and all warps are done with the segment before.
  __device__ __forceinline__ void begin_segment() {
    const bool any = walk_.key < walk_.key_end;
    if (any) cp_async_wait<spec.num_stages - 2>();
    barrier_sync<kThreads>(0);
    if (!any) return;
    const uint32_t queries = smem_ + kSmem.q + query_slot_ * kSmem.query_bytes;
    query_slot_ = query_slot_ + 1 == spec.num_stages ? 0 : query_slot_ + 1;
    if constexpr (spec.rope.mode != RopeMode::none) {
      MmaQuery<spec>::rotate(p_, walk_, queries, smem_ + kSmem.turns);
      barrier_sync<kThreads>(0);
    }
    if constexpr (spec.scales_queries()) {
      MmaQuery<spec>::narrow(queries, smem_ + kSmem.scales);
      barrier_sync<kThreads>(0);
    }
    warp_.load_queries(queries, finish_.row_warp);
  }

  __device__ __forceinline__ void run_segment() {
    warp_.clear();
    MmaLogits<spec> logits;
    logits.begin(p_, walk_, walk_.kv_head(p_, finish_.head_lane), finish_.row_warp,
                 smem_ + kSmem.scales);
    const int32_t team_key = finish_.key_warp * kTeamKeys;
    const uint32_t team = smem_ + finish_.key_warp * spec.row_warps() * kSmem.slab_bytes;
#pragma unroll 1
    for (int32_t key = walk_.key; key < walk_.key_end; key += kStageKeys) {
      await_stage(key);
      ring_.ask(free_slot());
      const uint32_t stage = team + slot_ * kSmem.stage_bytes;
#pragma unroll 1
      for (int32_t b = 0; b < kTeamKeys / 16; ++b) {
        const int32_t first = key + team_key + b * 16;
        if (first >= logits.any_end) break;
        if (first + 16 <= logits.any_begin) continue;
        const int32_t row = b * 16 % kSlabKeys;
        const uint32_t keys =
            stage + b * 16 / kSlabKeys * kSmem.slab_bytes + row * kSmem.k_rows.stride;
        const uint32_t values = stage + b * 16 / kSlabKeys * kSmem.slab_bytes +
                                kSlabKeys * kSmem.k_rows.stride + row * kSmem.v_rows.stride;
        warp_.block(p_, walk_, logits, first, keys, values);
      }
      slot_ = slot_ + 1 == spec.num_stages ? 0 : slot_ + 1;
    }
    warp_.reduce_sums();
  }

  __device__ __forceinline__ void end_segment() {
    const uint32_t free_stage = smem_ + free_slot() * kSmem.stage_bytes;
    MergeItem merge{};  // asked for now, so that the arrival need not wait for it
    if (!walk_.whole()) merge = p_.args.merges[walk_.item.merge];
    // Warps of a team may still read the stage.
    if constexpr (spec.row_warps() > 1) barrier_sync<kThreads>(0);
    finish_.store(free_stage, warp_.o, warp_.m, warp_.d);
    barrier_sync<kThreads>(0);
    finish_.join(walk_, free_stage);
    if (!walk_.whole() && walk_.last_state()) finish_.arrive(walk_, merge);
  }

  const AttentionMmaParams& p_;
  const uint32_t smem_;
  MmaRing<spec> ring_;
  MmaFinish<spec> finish_;
  MmaWalk<spec> walk_;
  MmaWarp<spec> warp_;
  int32_t slot_ = 0;        // of the current stage
  int32_t query_slot_ = 0;  // of the next segment that has keys
};

/// REQUIRES: num_groups * head_lanes CTAs of 32 * spec.num_warps threads,
/// AttentionMmaSmem::of(spec).bytes of dynamic shared memory. Plan, lengths and page ids are read
/// before griddep_wait, four loads each of which waits for the one before it, in the shadow of the
/// kernel ahead: what makes a plan ends with griddep_publish, and arrays of the batch are older.
template <AttentionMmaSpec spec>
__device__ __forceinline__ void attention_mma(const AttentionMmaParams& p) {
  const uint32_t smem = dynamic_smem();
  if constexpr (spec.head_dim_qk % 16 != 0) {
    // The columns that pad a row to whole products are never copied, and must not be NaN.
    constexpr int32_t kBytes = AttentionMmaSmem::of(spec).bytes;
    for (int32_t at = threadIdx.x * 16; at < kBytes; at += 32 * spec.num_warps * 16) {
      store_shared(smem + at, make_uint4(0, 0, 0, 0));
    }
    barrier_sync<32 * spec.num_warps>(0);
  }
  griddep_launch_dependents();
  const int32_t group = p.lanes.quotient(blockIdx.x);
  AttentionMma<spec> attention(p, smem, group, p.lanes.remainder(blockIdx.x, group));
  // Beside another list's kernel, which let this one start only after its own wait: whoever comes
  // behind waits for this grid alone, so this grid does not end before that one.
  if (p.beside == 0) {
    attention.prefetch();
    griddep_wait();
  }
  attention.run();
  if (p.beside != 0 && blockIdx.x == 0) griddep_wait();
}

}  // namespace weft
