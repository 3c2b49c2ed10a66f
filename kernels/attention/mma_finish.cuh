// SPDX-License-Identifier: Apache-2.0
// What becomes of a segment's state: the key warps' shares are joined, then the CTA writes o and
// lse of a whole tile, or a partial state of a piece; the last piece to arrive merges all of its
// tile in ascending order of keys. A state (o, m, d): o unnormalised, d relative to the base-2
// reference m.
#pragma once

#include "kernels/attention/mma_logits.cuh"
#include "kernels/attention/mma_smem.h"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/shared.cuh"

namespace weft {

struct MmaSums {
  float m = kMmaNothing, d = 0.0f;
};

/// Weights of two states that are folded into one, and its sums. One order of operations for every
/// caller, so that a tile that was cut and one that was not give the same bits.
struct MmaFold {
  float a, b;
  MmaSums sums;

  __device__ __forceinline__ MmaFold(MmaSums total, MmaSums s) {
    sums.m = fmaxf(total.m, s.m);
    a = exp2_approx(total.m - sums.m);
    b = exp2_approx(s.m - sums.m);
    sums.d = join(total.d, s.d);
  }
  __device__ __forceinline__ float join(float total, float x) const {
    return __fmaf_rn(x, b, __fmul_rn(total, a));
  }
};

/// Where one row's results go.
template <AttentionMmaSpec spec>
struct MmaRowOut {
  char* o;
  float factor;  // from unnormalised to written; 0 when the row saw nothing

  /// Also writes lse, when `writes_lse`.
  __device__ __forceinline__ MmaRowOut(const AttentionMmaParams& p, int32_t first_token,
                                       int32_t packed_row, int32_t kv_head, MmaSums s,
                                       bool writes_lse) {
    const AttentionParams& a = p.args;
    const int32_t in_request = p.group.quotient(packed_row);
    const int64_t token = int64_t{first_token} + in_request;
    const int64_t head = kv_head * p.group.divisor + p.group.remainder(packed_row, in_request);
    o = static_cast<char*>(a.o) +
        (token * a.o_stride_token + head * a.o_stride_head) * size_of(spec.dtype_o);
    float lse = -__int_as_float(0x7f800000);
    factor = 0.0f;
    if (s.d != 0.0f) {
      factor = 1.0f;
      if (a.sink != nullptr) {
        const float sink = a.sink[head] * kMmaLog2E;
        const float m = fmaxf(sink, s.m);
        factor = exp2_approx(s.m - m);
        s.d = s.d * factor + exp2_approx(sink - m);
        s.m = m;
      }
      factor *= a.v_scale * (a.v_scales == nullptr ? 1.0f : a.v_scales[kv_head]) / s.d;
      constexpr float kLn2 = 0.693147180559945309417f;
      lse = (s.m + log2_approx(s.d)) * kLn2 * a.lse_scale;
    }
    if (writes_lse && a.lse != nullptr) {
      a.lse[token * a.lse_stride_token + head * a.lse_stride_head] = lse;
    }
  }

  /// Columns `column` and the next.
  __device__ __forceinline__ void write(int32_t column, float x, float y) const {
    x = factor == 0.0f ? 0.0f : x * factor;
    y = factor == 0.0f ? 0.0f : y * factor;
    if constexpr (spec.dtype_o == DType::f32) {
      float* to = reinterpret_cast<float*>(o) + column;
      to[0] = x;
      to[1] = y;
    } else {
      const uint32_t word = pack2<spec.dtype_o>(x, y);
      uint16_t* to = reinterpret_cast<uint16_t*>(o) + column;
      if ((reinterpret_cast<uint64_t>(to) & 3) == 0) {
        *reinterpret_cast<uint32_t*>(to) = word;
      } else {
        to[0] = static_cast<uint16_t>(word);
        to[1] = static_cast<uint16_t>(word >> 16);
      }
    }
  }
};

/// The end of a segment for one warp (row warp `row_warp`, key warp `key_warp`).
template <AttentionMmaSpec spec>
struct MmaFinish {
  using Layout = MmaLayout<spec>;
  static constexpr AttentionMmaSmem kSmem = Layout::kSmem;
  static constexpr int32_t kThreads = 32 * spec.num_warps;
  static constexpr int32_t kTiles = round_up(spec.head_dim_vo, 16) / 8;
  static constexpr int32_t kKeyWarps = spec.key_warps();
  static constexpr int32_t kRowWarps = spec.row_warps();
  static constexpr int32_t kTileBytes = 32 * 16;  // of accumulators of one tile of 8 columns

  const AttentionMmaParams& p;
  const uint32_t smem;
  const int32_t head_lane;
  const int32_t row_warp, key_warp, lane;
  MmaSums total[2];  // fixed_splits: of rows g and g + 8 of a whole tile, over its states so far

  __device__ __forceinline__ MmaFinish(const AttentionMmaParams& params, uint32_t shared,
                                       int32_t head_lane_of_cta)
      : p(params),
        smem(shared),
        head_lane(head_lane_of_cta),
        row_warp(threadIdx.x / 32 % kRowWarps),
        key_warp(threadIdx.x / 32 / kRowWarps),
        lane(threadIdx.x % 32) {}

  __device__ __forceinline__ int32_t row(int32_t h) const {
    return row_warp * 16 + lane / 4 + 8 * h;
  }

  /// Leaves this warp's state for the others: accumulators in its slab of the free stage.
  /// REQUIRES: d reduced; a barrier before `join`.
  __device__ __forceinline__ void store(uint32_t free_stage, const float (&o)[kTiles][4],
                                        const float (&m)[2], const float (&d)[2]) const {
    const uint32_t to = free_stage + slab(key_warp) + lane * 16;
#pragma unroll
    for (int32_t j = 0; j < kTiles; ++j) {
      float4 x = make_float4(o[j][0], o[j][1], o[j][2], o[j][3]);
      if constexpr (is_fp8(spec.dtype_kv)) {  // even columns in one tile, odd ones in the next
        const int32_t even = j / 2 * 2, i = j % 2;
        x = make_float4(o[even][i], o[even + 1][i], o[even][2 + i], o[even + 1][2 + i]);
      }
      store_shared(to + j * kTileBytes, x);
    }
    if (lane % 4 != 0) return;
#pragma unroll
    for (int32_t h = 0; h < 2; ++h) {
      store_shared(sums_at(key_warp, h), make_float2(m[h], d[h]));
    }
  }

  /// Joins the key warps' states; every warp takes each kKeyWarps-th tile of columns.
  __device__ __forceinline__ void join(const MmaWalk<spec>& walk, uint32_t free_stage) {
    MmaSums sums[2];
    float weight[kKeyWarps][2];
#pragma unroll
    for (int32_t h = 0; h < 2; ++h) {
      float2 each[kKeyWarps];
#pragma unroll
      for (int32_t k = 0; k < kKeyWarps; ++k) {
        each[k] = load_shared_f32x2(sums_at(k, h));
        sums[h].m = fmaxf(sums[h].m, each[k].x);
      }
#pragma unroll
      for (int32_t k = 0; k < kKeyWarps; ++k) {
        weight[k][h] = exp2_approx(each[k].x - sums[h].m);
        sums[h].d = __fmaf_rn(each[k].y, weight[k][h], sums[h].d);
      }
    }
    const auto joined = [&](int32_t j) {
      float4 x = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
      for (int32_t k = 0; k < kKeyWarps; ++k) {
        const float4 y = load_shared_f32x4(free_stage + slab(k) + j * kTileBytes + lane * 16);
        x.x = __fmaf_rn(y.x, weight[k][0], x.x);
        x.y = __fmaf_rn(y.y, weight[k][0], x.y);
        x.z = __fmaf_rn(y.z, weight[k][1], x.z);
        x.w = __fmaf_rn(y.w, weight[k][1], x.w);
      }
      return x;
    };
    if (!walk.whole()) {
      write_partial(walk, sums, joined);
    } else if (spec.fixed_splits && walk.num_states > 1) {
      fold_state(walk, sums, joined);
    } else {
      write_rows(walk, sums, joined);
    }
  }

  /// By the whole CTA, after the last state of a piece was joined: counts the arrival, and merges
  /// when it was the last. `merge` is the item's.
  __device__ __forceinline__ void arrive(const MmaWalk<spec>& walk, const MergeItem& merge) const {
    barrier_sync<kThreads>(0);
    if (threadIdx.x == 0) {
      int32_t* arrivals = p.args.merge_arrivals + walk.item.merge * p.lanes.divisor + head_lane;
      const bool last = add_acq_rel(arrivals, 1) == merge.num_pieces - 1;
      if (last) *arrivals = 0;
      store_shared(smem + kSmem.flag, static_cast<int32_t>(last));
    }
    barrier_sync<kThreads>(0);
    if (load_shared_i32(smem + kSmem.flag) != 0) merge_tile(walk, merge);
  }

 private:
  __device__ __forceinline__ uint32_t slab(int32_t k) const {
    return (k * kRowWarps + row_warp) * kSmem.slab_bytes;
  }
  __device__ __forceinline__ uint32_t sums_at(int32_t k, int32_t h) const {
    return smem + kSmem.sums + ((k * kRowWarps + row_warp) * 16 + lane / 4 + 8 * h) * 8;
  }
  __device__ __forceinline__ int64_t partial_row(int32_t row_of_lane) const {
    return int64_t{head_lane} * p.args.partial_rows + row_of_lane;
  }

  // Calls take(tile, columns) for each of this warp's tiles of columns.
  template <class Take>
  __device__ __forceinline__ void for_each_tile(const Take& take) const {
#pragma unroll
    for (int32_t i = 0; i < (kTiles + kKeyWarps - 1) / kKeyWarps; ++i) {
      const int32_t j = i * kKeyWarps + key_warp;
      const int32_t t = lane % 4;
      const int32_t column = is_fp8(spec.dtype_kv) ? j / 2 * 16 + t * 4 + j % 2 * 2 : j * 8 + t * 2;
      if (column < spec.head_dim_vo) take(j, column);
    }
  }

  template <class Joined>
  __device__ __forceinline__ void write_rows(const MmaWalk<spec>& walk, const MmaSums (&sums)[2],
                                             const Joined& joined) const {
    const int32_t rows = walk.rows(p);
    const int32_t kv_head = walk.kv_head(p, head_lane);
    const bool writes_lse = key_warp == 0 && lane % 4 == 0;
    const bool valid[2] = {row(0) < rows, row(1) < rows};
    if (!valid[0]) return;
    const MmaRowOut<spec> first(p, walk.first_token, walk.item.row_begin + row(0), kv_head, sums[0],
                                writes_lse);
    const MmaRowOut<spec> second(p, walk.first_token,
                                 walk.item.row_begin + (valid[1] ? row(1) : row(0)), kv_head,
                                 sums[1], writes_lse && valid[1]);
    for_each_tile([&](int32_t j, int32_t column) {
      const float4 x = joined(j);
      first.write(column, x.x, x.y);
      if (valid[1]) second.write(column, x.z, x.w);
    });
  }

  template <class Joined>
  __device__ __forceinline__ void write_partial(const MmaWalk<spec>& walk, const MmaSums (&sums)[2],
                                                const Joined& joined) const {
    const int32_t rows = walk.rows(p);
    const int64_t first = partial_row(walk.item.partial_row + walk.state * rows);
    const bool valid[2] = {row(0) < rows, row(1) < rows};
    if (key_warp == 0 && lane % 4 == 0) {
#pragma unroll
      for (int32_t h = 0; h < 2; ++h) {
        if (!valid[h]) continue;
        p.args.partial_m[first + row(h)] = sums[h].m;
        p.args.partial_d[first + row(h)] = sums[h].d;
      }
    }
    if (!valid[0]) return;
    float* o = p.args.partial_o + (first + row(0)) * spec.head_dim_vo;
    for_each_tile([&](int32_t j, int32_t column) {
      const float4 x = joined(j);
      *reinterpret_cast<float2*>(o + column) = make_float2(x.x, x.y);
      if (valid[1]) {
        *reinterpret_cast<float2*>(o + 8 * spec.head_dim_vo + column) = make_float2(x.z, x.w);
      }
    });
  }

  // Folds one state of a whole tile into the total that waits in shared memory; every lane reads
  // back what it wrote itself.
  template <class Joined>
  __device__ __forceinline__ void fold_state(const MmaWalk<spec>& walk, const MmaSums (&sums)[2],
                                             const Joined& joined) {
    if (walk.state == 0) total[0] = total[1] = MmaSums{};
    const MmaFold fold[2] = {{total[0], sums[0]}, {total[1], sums[1]}};
    total[0] = fold[0].sums;
    total[1] = fold[1].sums;
    const uint32_t base = smem + kSmem.total + row_warp * kTiles * kTileBytes + lane * 16;
    const auto folded = [&](int32_t j) {
      const float4 x = joined(j);
      float4 t = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (walk.state > 0) t = load_shared_f32x4(base + j * kTileBytes);
      return make_float4(fold[0].join(t.x, x.x), fold[0].join(t.y, x.y), fold[1].join(t.z, x.z),
                         fold[1].join(t.w, x.w));
    };
    if (walk.last_state()) return write_rows(walk, total, folded);
    for_each_tile([&](int32_t j, int32_t) { store_shared(base + j * kTileBytes, folded(j)); });
  }

  __device__ __forceinline__ void merge_tile(const MmaWalk<spec>& walk,
                                             const MergeItem& item) const {
    if (item.rows <= spec.num_warps) {
      merge_rows<1>(walk, item);
    } else {
      merge_rows<kMergeLoads / 4>(walk, item);
    }
  }

  // Rows dealt to the warps, kRows at a time side by side, four columns a lane.
  template <int32_t kRows>
  __device__ __forceinline__ void merge_rows(const MmaWalk<spec>& walk,
                                             const MergeItem& item) const {
    const int32_t kv_head = walk.kv_head(p, head_lane);
    const int32_t warp = threadIdx.x / 32;
    for (int32_t begin = warp; begin < item.rows; begin += spec.num_warps * kRows) {
      float4 o[kRows][kMergeVectors] = {};
      MmaSums sums[kRows];
      if constexpr (spec.fixed_splits) {
        merge_in_order<kRows>(item, begin, sums, o);
      } else {
        merge_at_once<kRows>(item, begin, sums, o);
      }
#pragma unroll
      for (int32_t i = 0; i < kRows; ++i) {
        const int32_t r = begin + i * spec.num_warps;
        if (r >= item.rows) break;
        const MmaRowOut<spec> out(p, walk.first_token, item.row_begin + r, kv_head, sums[i],
                                  lane == 0);
#pragma unroll
        for (int32_t v = 0; v < kMergeVectors; ++v) {
          const int32_t column = v * 128 + lane * 4;
          if (column >= spec.head_dim_vo) continue;
          out.write(column, o[i][v].x, o[i][v].y);
          out.write(column + 2, o[i][v].z, o[i][v].w);
        }
      }
    }
  }

  static constexpr int32_t kMergeVectors = (spec.head_dim_vo + 127) / 128;
  // Rows times states whose accumulators a warp asks for before it uses any: 64 registers, or 32
  // where three CTAs share an SM or keys are widened and turned.
  static constexpr bool kCrowded = spec.ctas_per_sm > 2 ||
                                   (is_fp8(spec.dtype_kv) && spec.rope.mode != RopeMode::none);
  static constexpr int32_t kMergeLoads = (kCrowded ? 8 : 16) / kMergeVectors;

  __device__ __forceinline__ float4 load_partial(int64_t row_index, int32_t v, bool valid) const {
    const int32_t column = v * 128 + lane * 4;
    if (!valid || column >= spec.head_dim_vo) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    return __ldcg(
        reinterpret_cast<const float4*>(p.args.partial_o + row_index * spec.head_dim_vo + column));
  }

  // As fold_state does it.
  template <int32_t kMergeRows>
  __device__ __forceinline__ void merge_in_order(const MergeItem& item, int32_t begin,
                                                 MmaSums (&sums)[kMergeRows],
                                                 float4 (&o)[kMergeRows][kMergeVectors]) const {
    for (int32_t state = 0; state < item.num_states; ++state) {
#pragma unroll
      for (int32_t i = 0; i < kMergeRows; ++i) {
        const int32_t r = begin + i * spec.num_warps;
        if (r >= item.rows) break;
        const int64_t at = partial_row(item.partial_row + state * item.rows + r);
        const MmaFold fold(sums[i], {__ldcg(p.args.partial_m + at), __ldcg(p.args.partial_d + at)});
        sums[i] = fold.sums;
#pragma unroll
        for (int32_t v = 0; v < kMergeVectors; ++v) {
          const float4 x = load_partial(at, v, true);
          float4& y = o[i][v];
          y = make_float4(fold.join(y.x, x.x), fold.join(y.y, x.y), fold.join(y.z, x.z),
                          fold.join(y.w, x.w));
        }
      }
    }
  }

  // 32 states at a time, a lane for the sums of each: no state waits for the one before it, and
  // accumulators are on their way before their weights are known.
  template <int32_t kRows>
  __device__ __forceinline__ void merge_at_once(const MergeItem& item, int32_t begin,
                                                MmaSums (&sums)[kRows],
                                                float4 (&o)[kRows][kMergeVectors]) const {
    constexpr int32_t kStates = kMergeLoads / kRows;
    for (int32_t first = 0; first < item.num_states; first += 32) {
      const int32_t count = min_of(32, item.num_states - first);
      MmaSums mine[kRows];
      float weight[kRows];
      int64_t at[kRows];
#pragma unroll
      for (int32_t i = 0; i < kRows; ++i) {
        const int32_t r = begin + i * spec.num_warps;
        at[i] = partial_row(item.partial_row + first * item.rows + min_of(r, item.rows - 1));
        if (r >= item.rows || lane >= count) continue;
        const int64_t own = at[i] + int64_t{lane} * item.rows;
        mine[i] = {__ldcg(p.args.partial_m + own), __ldcg(p.args.partial_d + own)};
      }
      for (int32_t state = 0; state < count; state += kStates) {
        float4 x[kStates][kRows][kMergeVectors];
#pragma unroll
        for (int32_t s = 0; s < kStates; ++s) {
#pragma unroll
          for (int32_t i = 0; i < kRows; ++i) {
            const bool valid = state + s < count && begin + i * spec.num_warps < item.rows;
#pragma unroll
            for (int32_t v = 0; v < kMergeVectors; ++v) {
              x[s][i][v] = load_partial(at[i] + int64_t{state + s} * item.rows, v, valid);
            }
          }
        }
        if (state == 0) {
#pragma unroll
          for (int32_t i = 0; i < kRows; ++i) weight[i] = take_sums(mine[i], sums[i], o[i]);
        }
#pragma unroll
        for (int32_t s = 0; s < kStates; ++s) {
#pragma unroll
          for (int32_t i = 0; i < kRows; ++i) add_weighted(x[s][i], weight[i], state + s, o[i]);
        }
      }
    }
  }

  // o += weight of lane `state` * x. REQUIRES: x is zero from the last state on.
  __device__ __forceinline__ void add_weighted(const float4 (&x)[kMergeVectors], float weight,
                                               int32_t state, float4 (&o)[kMergeVectors]) const {
    const float w = __shfl_sync(~0u, weight, state & 31);
#pragma unroll
    for (int32_t v = 0; v < kMergeVectors; ++v) {
      o[v] = make_float4(__fmaf_rn(x[v].x, w, o[v].x), __fmaf_rn(x[v].y, w, o[v].y),
                         __fmaf_rn(x[v].z, w, o[v].z), __fmaf_rn(x[v].w, w, o[v].w));
    }
  }

  // Joins the sums of up to 32 states, one a lane, to a row's; returns the lane's weight.
  __device__ __forceinline__ float take_sums(MmaSums mine, MmaSums& sums,
                                             float4 (&o)[kMergeVectors]) const {
    float top = mine.m;
#pragma unroll
    for (int32_t i = 16; i > 0; i /= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, i));
    top = fmaxf(top, sums.m);
    const float rescale = exp2_approx(sums.m - top);
    const float weight = exp2_approx(mine.m - top);
    float d = mine.d * weight;
#pragma unroll
    for (int32_t i = 16; i > 0; i /= 2) d += __shfl_xor_sync(~0u, d, i);
    sums = {top, __fmaf_rn(sums.d, rescale, d)};
#pragma unroll
    for (int32_t v = 0; v < kMergeVectors; ++v) {
      o[v] = make_float4(o[v].x * rescale, o[v].y * rescale, o[v].z * rescale, o[v].w * rescale);
    }
    return weight;
  }
};

}  // namespace weft
