// SPDX-License-Identifier: Apache-2.0
// Executes a plan on the CPU, one key at a time: the plainest form of the operator.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/core/rope.h"
#include "src/base/check.h"
#include "src/ops/attention/cpu/unit.h"

namespace weft {
namespace {

float load(const void* base, DType t, int64_t i) {
  uint32_t bits = 0;
  if (t == DType::f32) return static_cast<const float*>(base)[i];
  if (t == DType::bf16) {
    bits = uint32_t{static_cast<const uint16_t*>(base)[i]} << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
  }
  if (t == DType::f16) {
    _Float16 h;
    memcpy(&h, static_cast<const uint16_t*>(base) + i, 2);
    return static_cast<float>(h);
  }
  const uint8_t b = static_cast<const uint8_t*>(base)[i];
  const int mant_bits = t == DType::e4m3 ? 3 : 2, bias = t == DType::e4m3 ? 7 : 15;
  const int e = (b & 0x7f) >> mant_bits, m = b & ((1 << mant_bits) - 1);
  const float sign = b & 0x80 ? -1.0f : 1.0f;
  if (t == DType::e4m3 && (b & 0x7f) == 0x7f) return NAN;
  if (t == DType::e5m2 && e == 31) return m ? NAN : sign * INFINITY;
  if (e == 0) return sign * std::ldexp(static_cast<float>(m), 1 - bias - mant_bits);
  return sign * std::ldexp(static_cast<float>(m + (1 << mant_bits)), e - bias - mant_bits);
}

void store(void* base, DType t, int64_t i, float x) {
  if (t == DType::f32) static_cast<float*>(base)[i] = x;
  if (t == DType::f16) {
    const _Float16 h = static_cast<_Float16>(x);
    memcpy(static_cast<uint16_t*>(base) + i, &h, 2);
  }
  if (t == DType::bf16) {
    uint32_t u;
    memcpy(&u, &x, 4);
    static_cast<uint16_t*>(base)[i] =
        static_cast<uint16_t>(x != x ? 0x7fc0 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
  }
}

struct State {
  float m = -INFINITY, d = 0;
  float o[576] = {};
};

void fold(State& a, const State& b, int dv) {
  const float m = std::max(a.m, b.m);
  if (m == -INFINITY) return;
  const float wa = std::exp2(a.m - m), wb = std::exp2(b.m - m);
  a.d = a.d * wa + b.d * wb;
  for (int i = 0; i < dv; ++i) a.o[i] = a.o[i] * wa + b.o[i] * wb;
  a.m = m;
}

void finish(const AttentionSpec& s, const AttentionParams& p, int64_t token, int head, int kv_head,
            State a) {
  const float ln2 = 0.69314718f, log2e = 1.44269504f;
  if (p.sink && a.m != -INFINITY) {
    const float sk = p.sink[head] * log2e, m = std::max(a.m, sk);
    const float w = a.m == -INFINITY ? 0 : std::exp2(a.m - m);
    a.d = a.d * w + std::exp2(sk - m);
    for (float& x : a.o) x *= w;
    a.m = m;
  }
  const float scale = (p.v_scale * (p.v_scales ? p.v_scales[kv_head] : 1.0f)) / a.d;
  for (int i = 0; i < s.head_dim_vo; ++i) {
    store(p.o, s.dtype_o, token * p.o_stride_token + head * p.o_stride_head + i,
          a.d > 0 ? a.o[i] * scale : 0.0f);
  }
  if (p.lse) {
    p.lse[token * p.lse_stride_token + head * p.lse_stride_head] =
        a.d > 0 ? (a.m + std::log2(a.d)) * ln2 * p.lse_scale : -INFINITY;
  }
}

void rotate(const AttentionSpec& s, float* x, int64_t pos) {
  for (int i = 0; s.rope.mode != RopeMode::none && i < s.rope.dim / 2; ++i) {
    const RopePair pr = rope_pair(s.rope.mode, s.rope.dim, i);
    rope_rotate(x[pr.first], x[pr.second],
                rope_cos_sin(rope_angle(rope_turns(s.rope, s.rope.dim, i), pos)));
  }
}

void run_item(const AttentionSpec& s, const AttentionParams& p, const WorkItem& w, int lane,
              void*) {
  const ScheduleSpec& c = s.schedule;
  const int r = w.request, qo_len = p.lengths.qo_len(r), kv_len = p.lengths.kv_len(r);
  const TileRange t = tile_range(c, qo_len, kv_len, w.row_begin / c.qo_tile);
  const int split = c.split_blocks * c.kv_tile;
  for (int hl = w.head_begin; hl < w.head_end; ++hl) {
    const int kv_head = lane * c.heads_per_lane + hl;
    for (int row = 0; row < t.rows; ++row) {
      const int i = (w.row_begin + row) / c.group_size;
      const int head = kv_head * c.group_size + (w.row_begin + row) % c.group_size;
      const int64_t token = p.lengths.qo_indptr[r] + i;
      const int pos = i + kv_len - qo_len;
      float q[576], k[576];
      for (int d = 0; d < s.head_dim_qk; ++d)
        q[d] = load(p.q, s.dtype_q, token * p.q_stride_token + head * p.q_stride_head + d);
      rotate(s, q, pos);
      const float scale = p.sm_scale * p.k_scale * (p.k_scales ? p.k_scales[kv_head] : 1.0f);
      State all;
      int state = 0, at = w.kv_begin;
      do {
        int end = w.kv_end;
        if (split > 0) {
          const int first = std::max(at, t.first_block * c.kv_tile) / split;
          end = std::min(w.kv_end, (first + 1) * split);
        }
        State one;
        for (int j = at; j < end; ++j) {
          bool seen = s.mask != MaskMode::causal || j <= pos;
          if (p.window_left >= 0 && int64_t{j} < int64_t{pos} - p.window_left) seen = false;
          if (s.mask == MaskMode::custom || (s.mask == MaskMode::tree && j >= kv_len - qo_len)) {
            const int64_t bit = s.mask == MaskMode::custom
                                    ? int64_t{i} * kv_len + j
                                    : int64_t{i} * qo_len + j - (kv_len - qo_len);
            seen = seen && (p.custom_mask[p.mask_indptr[r] + bit / 8] >> (bit % 8) & 1);
          }
          if (!seen) continue;
          int64_t ko, vo;
          if (p.lengths.page_size > 0) {
            const int64_t page = p.kv_indices[p.lengths.kv_indptr[r] + j / p.lengths.page_size];
            const int in = j % p.lengths.page_size;
            ko = page * p.k_stride_page + in * p.k_stride_token;
            vo = page * p.v_stride_page + in * p.v_stride_token;
          } else {
            const int64_t row_kv = p.lengths.kv_indptr[r] + j;
            ko = row_kv * p.k_stride_token, vo = row_kv * p.v_stride_token;
          }
          ko += kv_head * p.k_stride_head, vo += kv_head * p.v_stride_head;
          for (int d = 0; d < s.head_dim_qk; ++d) k[d] = load(p.k, s.dtype_kv, ko + d);
          rotate(s, k, j);
          float dot = 0;
          for (int d = 0; d < s.head_dim_qk; ++d) dot += q[d] * k[d];
          dot *= scale;
          if (p.logits_soft_cap > 0)
            dot = p.logits_soft_cap * std::tanh(dot / p.logits_soft_cap);
          if (p.alibi_slopes) dot += p.alibi_slopes[head] * static_cast<float>(j - pos);
          dot *= 1.44269504f;
          const float m = std::max(one.m, dot);
          const float a = one.m == -INFINITY ? 0 : std::exp2(one.m - m), e = std::exp2(dot - m);
          one.d = one.d * a + e;
          for (int d = 0; d < s.head_dim_vo; ++d)
            one.o[d] = one.o[d] * a + e * load(p.v, s.dtype_kv, vo + d);
          one.m = m;
        }
        if (w.partial_row >= 0) {
          const int64_t at_row =
              int64_t{lane} * p.partial_rows + w.partial_row + int64_t{state} * t.rows + row;
          memcpy(p.partial_o + at_row * s.head_dim_vo, one.o, sizeof(float) * s.head_dim_vo);
          p.partial_m[at_row] = one.m, p.partial_d[at_row] = one.d;
        } else {
          fold(all, one, s.head_dim_vo);
        }
        ++state;
        at = end;
      } while (at < w.kv_end);
      if (w.partial_row < 0) finish(s, p, token, head, kv_head, all);
    }
  }
  if (w.merge < 0) return;
  const MergeItem& g = p.merges[w.merge];
  int32_t& arrivals = p.merge_arrivals[w.merge * c.head_lanes + lane];
  if (__atomic_add_fetch(&arrivals, 1, __ATOMIC_ACQ_REL) < g.num_pieces) return;
  arrivals = 0;
  const int kv_head = lane * c.heads_per_lane + g.head;
  for (int row = 0; row < g.rows; ++row) {
    State all;
    for (int x = 0; x < g.num_states; ++x) {
      State one;
      const int64_t at = int64_t{lane} * p.partial_rows + g.partial_row + x * g.rows + row;
      memcpy(one.o, p.partial_o + at * s.head_dim_vo, sizeof(float) * s.head_dim_vo);
      one.m = p.partial_m[at], one.d = p.partial_d[at];
      fold(all, one, s.head_dim_vo);
    }
    const int i = (g.row_begin + row) / c.group_size;
    finish(s, p, p.lengths.qo_indptr[r] + i,
           kv_head * c.group_size + (g.row_begin + row) % c.group_size, kv_head, all);
  }
}

constexpr AttentionCpuUnit kUnit{[](const AttentionSpec&) -> size_t { return 64; }, run_item};

}  // namespace

const AttentionCpuUnit& attention_cpu_unit(AttentionUnit) { return kUnit; }

void attention_cpu_worker(const AttentionCpuUnit& unit, const AttentionSpec& spec,
                          const AttentionParams& p, std::atomic<int>& ticket, void* scratch) {
  const int lanes = spec.schedule.head_lanes;
  for (int w; (w = ticket.fetch_add(1)) < spec.schedule.num_workers();) {
    for (int i = p.work_indptr[w / lanes]; i < p.work_indptr[w / lanes + 1]; ++i) {
      unit.run_item(spec, p, p.items[i], w % lanes, scratch);
    }
  }
}

}  // namespace weft
