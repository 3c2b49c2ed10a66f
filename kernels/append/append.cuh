// SPDX-License-Identifier: Apache-2.0
// append_tokens: writes k and v of new tokens into their pages, normalising and rotating k and q on
// the way, a warp for some heads of one token. Bound by memory: k is asked for before the page is
// looked up, so that the three dependent loads of a look-up hide behind it.
#pragma once

#include "kernels/append/params.h"
#include "kernels/append/smem.h"
#include "kernels/core/fault.h"
#include "kernels/ptx/griddep.cuh"
#include "kernels/tile/head_norm.cuh"
#include "kernels/tile/head_rows.cuh"

namespace weft {
namespace append_kernel {

__device__ __forceinline__ void note_fault(const AppendParams& p, RowFault fault, int64_t index) {
  atomicMin(reinterpret_cast<unsigned long long*>(p.fault), fault_word(fault, index));
}

/// Heads of one tensor of a token. `out` is known once the token's page is.
struct Heads {
  const char* from;
  char* to;
  int64_t in_stride, out_stride;  // bytes
  float all_scale;
  const float* head_scales;  // divide, or null
  uint64_t* fault;           // null: scales are trusted

  __device__ __forceinline__ const char* in(int32_t h) const { return from + h * in_stride; }
  __device__ __forceinline__ char* out(int32_t h) const { return to + h * out_stride; }
  __device__ __forceinline__ float scale(int32_t h) const {
    return head_scales == nullptr ? all_scale : all_scale / head_scales[h];
  }
  /// False for a head whose scale is no positive finite number.
  __device__ __forceinline__ bool writes(int32_t h) const {
    if (fault == nullptr || head_scales == nullptr) return true;
    const float s = head_scales[h];
    return s > 0.0f && s <= 3.402823466e38f;
  }
};

/// What a token's indices say, once they are read.
struct TokenPlace {
  AppendSlot slot;
  int64_t angle_position;
  bool right;
};

__device__ __forceinline__ TokenPlace wrong(const AppendParams& p, RowFault fault, int64_t token) {
  if (threadIdx.x % 32 == 0) note_fault(p, fault, token);
  return {{0, 0}, 0, false};
}

/// Reads each index once, and nothing out of bounds unless indices are trusted.
template <bool rotates>
__device__ __forceinline__ TokenPlace place_of(const AppendParams& p, int64_t token) {
  const bool trusted = p.fault == nullptr;
  const int32_t request = p.batch_indices[token], position = p.positions[token];
  const int64_t angle = rotates ? append_rope_position(p, token) : 0;
  if (!trusted && (request < 0 || request >= p.batch_size)) {
    return wrong(p, RowFault::batch_indices, token);
  }
  const int32_t begin = p.kv_indptr[request];
  const int32_t page = static_cast<int32_t>(uint32_t(position) / uint32_t(p.page_size));
  if (!trusted) {
    const int32_t end = p.kv_indptr[request + 1];
    if (begin < 0 || end < begin || end > p.num_indices) {
      return wrong(p, RowFault::kv_indptr, token);
    }
    if (position < 0 || page >= end - begin) return wrong(p, RowFault::positions, token);
  }
  const int32_t id = p.kv_indices[int64_t{begin} + page];
  if (!trusted && (id < 0 || id >= p.num_pages)) return wrong(p, RowFault::kv_indices, token);
  if (rotates && !trusted && (angle < 0 || angle >= p.max_position)) {
    const bool own = p.rope_positions_i32 != nullptr || p.rope_positions_i64 != nullptr;
    return wrong(p, own ? RowFault::rope_positions : RowFault::positions, token);
  }
  return {{id, position - page * p.page_size}, angle, true};
}

/// Scales that are no positive finite numbers, noted once a run.
__device__ __forceinline__ void check_scales(const AppendParams& p, const Heads& heads,
                                             RowFault fault) {
  if (heads.fault == nullptr || heads.head_scales == nullptr) return;
  for (int32_t h = static_cast<int32_t>(threadIdx.x); h < p.num_kv_heads; h += blockDim.x) {
    if (!heads.writes(h)) note_fault(p, fault, h);
  }
}

/// The heads of q and where they go.
template <AppendWarpSpec spec>
__device__ __forceinline__ Heads queries_of(const AppendParams& p, int64_t token) {
  constexpr int64_t kIn = size_of(spec.dtype), kOut = size_of(spec.dtype_q_out);
  return {static_cast<const char*>(p.q) + token * p.q_stride_token * kIn,
          static_cast<char*>(p.q_out) + token * p.q_out_stride_token * kOut,
          p.q_stride_head * kIn,
          p.q_out_stride_head * kOut,
          p.q_scale,
          nullptr,
          nullptr};
}

/// The rotation of q on the way: one pass over a share of its heads.
template <AppendWarpSpec spec>
__device__ __forceinline__ void append_queries(const AppendParams& p, int64_t token, int32_t share,
                                               int32_t pass, const LaneAngles<spec.vec>& angles) {
  constexpr HeadRowSpec kQueries = spec.query_rows();
  const Heads queries = queries_of<spec>(p, token);
  const HeadRange range = share_of<kQueries>(p.num_qo_heads, share, p.share_shift);
  const LaneUnit query = lane_unit<kQueries>(pass, p.copies_rest);
  HeadBatch<kQueries> batch;
  batch.begin(queries, range, query);
  batch.finish(queries, range, query, angles);
}

/// Keys as they are or rotated, and q. The first of `batch` are loaded, and `keys` know their page.
template <AppendWarpSpec spec>
__device__ __forceinline__ void append_keys(const AppendParams& p, int64_t token, int32_t share,
                                            int64_t position, uint32_t shared, const Heads& keys,
                                            HeadBatch<spec.key_rows()>& batch) {
  constexpr HeadRowSpec kKeys = spec.key_rows();
  const AngleSource source{p.turns, p.cos_sin_cache, p.cache_stride};
  const HeadRange range = share_of<kKeys>(p.num_kv_heads, share, p.share_shift);
  LaneUnit key = lane_unit<kKeys>(0, true);
  LaneAngles<spec.vec> angles{};
#pragma unroll 1  // a long head takes many passes: one is compiled
  for (int32_t pass = 0;;) {
    if constexpr (spec.rotated_dim > 0) {
      make_angles<kKeys>(source, position, pass, shared, angles);
    }
    batch.finish(keys, range, key, angles);
    if constexpr (spec.has_q) append_queries<spec>(p, token, share, pass, angles);
    if (++pass == kKeys.passes()) break;
    key = lane_unit<kKeys>(pass, true);
    batch.begin(keys, range, key);
  }
}

/// How a warp holds heads of k.
template <bool normed, HeadRowSpec s>
struct ChosenKeys {
  using type = HeadBatch<s>;
};
template <HeadRowSpec s>
struct ChosenKeys<true, s> {
  using type = NormedHeads<s>;
};

/// Keys whose head the lanes hold whole, and q behind them, normalised on the way. `keys` are
/// loaded and know their page.
template <AppendWarpSpec spec>
__device__ __forceinline__ void append_normed(const AppendParams& p, int64_t token, int32_t share,
                                              int64_t position, uint32_t shared, const Heads& keys,
                                              NormedHeads<spec.key_rows()>& key_heads) {
  constexpr HeadRowSpec kKeys = spec.key_rows(), kQueries = spec.query_rows();
  LaneAngles<spec.vec> angles[kKeys.passes()]{};
  if constexpr (spec.rotated_dim > 0) {
    const AngleSource source{p.turns, p.cos_sin_cache, p.cache_stride};
#pragma unroll
    for (int32_t i = 0; i < kKeys.passes(); ++i) {
      make_angles<kKeys>(source, position, i, shared, angles[i]);
    }
  }
  key_heads.finish(keys, share_of<kKeys>(p.num_kv_heads, share, p.share_shift),
                   {static_cast<const char*>(p.k_weight), p.norm_eps, p.norm_weight_offset},
                   angles);
  if constexpr (spec.has_q) {
    const Heads queries = queries_of<spec>(p, token);
    const HeadRange range = share_of<kQueries>(p.num_qo_heads, share, p.share_shift);
    NormedHeads<kQueries> heads;
    heads.begin(queries, range);
    heads.finish(queries, range,
                 {static_cast<const char*>(p.q_weight), p.norm_eps, p.norm_weight_offset}, angles);
  }
}

}  // namespace append_kernel

/// REQUIRES: spec.num_threads threads a CTA, 2^share_shift warps for each token.
template <AppendWarpSpec spec>
__device__ __forceinline__ void append_tokens(const AppendParams& p) {
  using namespace append_kernel;
  constexpr HeadRowSpec kKeys = spec.key_rows(), kValues = spec.value_rows();
  constexpr int64_t kIn = size_of(spec.dtype), kOut = size_of(spec.dtype_kv);
  griddep_launch_dependents();
  const uint32_t warp = blockIdx.x * (spec.num_threads / 32) + threadIdx.x / 32;
  const int64_t token = warp >> p.share_shift;
  const int32_t share = static_cast<int32_t>(warp & ((1u << p.share_shift) - 1));
  Heads keys{static_cast<const char*>(p.k) + token * p.k_stride_token * kIn,
             nullptr,
             p.k_stride_head * kIn,
             p.k_cache_stride_head * kOut,
             p.k_scale,
             p.k_scales,
             p.fault};
  Heads values{static_cast<const char*>(p.v) + token * p.v_stride_token * kIn,
               nullptr,
               p.v_stride_head * kIn,
               p.v_cache_stride_head * kOut,
               p.v_scale,
               p.v_scales,
               p.fault};
  griddep_wait();
  if (blockIdx.x == 0) {
    check_scales(p, keys, RowFault::k_scales);
    check_scales(p, values, RowFault::v_scales);
  }
  if (token >= p.nnz) return;

  const uint32_t shared = dynamic_smem() + threadIdx.x / 32 * kKeys.angle_bytes();
  const HeadRange key_range = share_of<kKeys>(p.num_kv_heads, share, p.share_shift);
  const HeadRange value_range = share_of<kValues>(p.num_kv_heads, share, p.share_shift);

  using KeyBatch = typename ChosenKeys<spec.normed, spec.key_rows()>::type;
  KeyBatch key_batch;
  if constexpr (spec.normed) {
    key_batch.begin(keys, key_range);
  } else {
    key_batch.begin(keys, key_range, lane_unit<kKeys>(0, true));
  }
  const TokenPlace place = place_of<(spec.rotated_dim > 0)>(p, token);
  if (!place.right) return;
  const AppendSlot slot = place.slot;
  keys.to = static_cast<char*>(p.k_cache) +
            (slot.page * p.k_cache_stride_page + slot.row * p.k_cache_stride_token) * kOut;
  values.to = static_cast<char*>(p.v_cache) +
              (slot.page * p.v_cache_stride_page + slot.row * p.v_cache_stride_token) * kOut;

  if constexpr (spec.normed) {
    append_normed<spec>(p, token, share, place.angle_position, shared, keys, key_batch);
  } else {
    append_keys<spec>(p, token, share, place.angle_position, shared, keys, key_batch);
  }
#pragma unroll 1
  for (int32_t pass = 0; pass < kValues.passes(); ++pass) {
    const LaneUnit value = lane_unit<kValues>(pass, true);
    HeadBatch<kValues> batch;
    batch.begin(values, value_range, value);
    batch.finish(values, value_range, value, {});
  }
}

}  // namespace weft
