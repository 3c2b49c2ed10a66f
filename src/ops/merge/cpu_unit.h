// SPDX-License-Identifier: Apache-2.0
// The body of the merge kernels, compiled once per ISA by cpu_<isa>.cc. Lanes run over heads for
// the weights and over head_dim for the sums. Anonymous namespace, no standard containers: simd.h.
#pragma once

#include "src/cpu/elements.h"
#include "src/cpu/simd_math.h"
#include "src/ops/merge/rooms.h"
#include "src/ops/merge/unit.h"

namespace weft {
namespace {

// States folded in registers at a time, so many streams of memory; partial sums of a block of heads
// wait on the stack (16 KiB) in between.
constexpr int kChunk = 8;
constexpr int kMaxSums = 4096;
static_assert(kMaxSums >= kMaxMergeHeadDim);
constexpr float kInfinity = __builtin_inff();
constexpr float kLeftOut = -1.0f;  // a weight is never negative

// Neighbouring heads of a row: at most kWidth, and kMaxSums elements.
struct HeadBlock {
  int begin;
  int count;
};

// What is common to all weights of a head: w_s = exp2((lse_s - top) * to_base2) * inverse.
struct Totals {
  Vec top, inverse, lse;
};

inline Vec lse_of(const MergeRow& row, int state, HeadBlock heads) {
  const float* lse =
      state == 0 ? row.lse_first : row.lse_rest + (state - 1) * row.lse_rest_stride_state;
  return heads.count == kWidth ? load(lse + heads.begin) : load_n(lse + heads.begin, heads.count);
}

// NaN loses every comparison, so it never is the top; it enters the sum, and with it everything.
inline Totals totals(const MergeRow& row, HeadBlock heads) {
  Vec top = splat(-kInfinity);
  for (int s = 0; s < row.num_states; ++s) {
    const Vec lse = lse_of(row, s, heads);
    top = lse > top ? lse : top;
  }
  top = top == -kInfinity ? Vec{} : top;
  Vec sum = {};
  for (int s = 0; s < row.num_states; ++s) {
    sum += exp2_of((lse_of(row, s, heads) - top) * row.to_base2);
  }
  const Vec merged = top + log2_of(sum) / row.to_base2;
  return {top, 1.0f / sum, sum == 0.0f ? splat(-kInfinity) : merged};
}

inline void weigh(const MergeRow& row, HeadBlock heads, const Totals& t, int begin, int end,
                  float* weights) {
  for (int s = begin; s < end; ++s) {
    const Vec lse = lse_of(row, s, heads);
    const Vec w = exp2_of((lse - t.top) * row.to_base2) * t.inverse;
    store(weights + (s - begin) * kWidth, lse == -kInfinity ? splat(kLeftOut) : w);
  }
}

// States [begin, end) of one head. Partial sums cross chunks through `sums`.
struct Fold {
  const MergeRow* row;
  int head;
  int begin, end;
  const float* weights;  // of this head: [end - begin], kWidth apart
  float* sums;           // [head_dim] of this head
};

template <class In>
inline const In* state_of(const Fold& f, int state) {
  const MergeRow& row = *f.row;
  const char* at = state == 0 ? row.o_first + f.head * row.o_first_stride_head
                              : row.o_rest + (state - 1) * row.o_rest_stride_state +
                                    f.head * row.o_rest_stride_head;
  return reinterpret_cast<const In*>(at);
}

template <bool kPartial, class T>
inline Vec take(const T* p, int n) {
  if constexpr (kPartial) return load_n(p, n);
  return load(p);
}

template <bool kPartial, class T>
inline void put(T* p, Vec x, int n) {
  if constexpr (kPartial) return store_n(p, x, n);
  return store(p, x);
}

// kVectors registers of the head from element d; with kPartial the last `n` lanes of a head.
template <class In, class Out, int kVectors, bool kPartial>
inline void fold(const Fold& f, int d, int n) {
  Vec sum[kVectors] = {};
  for (int i = 0; i < kVectors && f.begin > 0; ++i) {
    sum[i] = take<kPartial>(f.sums + d + i * kWidth, n);
  }
  for (int s = f.begin; s < f.end; ++s) {
    const float w = f.weights[(s - f.begin) * kWidth];
    if (w == kLeftOut) continue;
    const In* o = state_of<In>(f, s) + d;
    prefetch_beyond(o, kVectors * kWidth * int64_t{sizeof(In)});
    for (int i = 0; i < kVectors; ++i) sum[i] += w * take<kPartial>(o + i * kWidth, n);
  }
  if (f.end < f.row->num_states) {
    for (int i = 0; i < kVectors; ++i) put<kPartial>(f.sums + d + i * kWidth, sum[i], n);
    return;
  }
  Out* out = reinterpret_cast<Out*>(f.row->o + f.head * f.row->o_stride_head) + d;
  prefetch_beyond(out, kVectors * kWidth * int64_t{sizeof(Out)});
  for (int i = 0; i < kVectors; ++i) put<kPartial>(out + i * kWidth, sum[i], n);
}

template <class In, class Out>
inline void fold_head(const Fold& f) {
  const int head_dim = f.row->head_dim;
  int d = 0;
  for (; d + 4 * kWidth <= head_dim; d += 4 * kWidth) fold<In, Out, 4, false>(f, d, kWidth);
  for (; d + kWidth <= head_dim; d += kWidth) fold<In, Out, 1, false>(f, d, kWidth);
  if (d < head_dim) fold<In, Out, 1, true>(f, d, head_dim - d);
}

template <class In, class Out>
inline void merge_block(const MergeRow& row, HeadBlock heads) {
  const Totals t = totals(row, heads);
  float weights[kChunk * kWidth];
  float sums[kMaxSums];
  int begin = 0;
  do {  // once with no state at all: it writes the zeros
    const int end = min_of(begin + kChunk, row.num_states);
    weigh(row, heads, t, begin, end, weights);
    for (int i = 0; i < heads.count; ++i) {
      fold_head<In, Out>({&row, heads.begin + i, begin, end, weights + i, sums + i * row.head_dim});
    }
    begin = end;
  } while (begin < row.num_states);
  // Last: it may be the memory of lse_first or lse_rest.
  if (row.lse != nullptr) store_n(row.lse + heads.begin, t.lse, heads.count);
}

template <class In, class Out>
void merge_row(const MergeRow& row) {
  const int most = min_of(kWidth, kMaxSums / row.head_dim);
  for (int h = 0; h < row.num_heads; h += most) {
    merge_block<In, Out>(row, {h, min_of(most, row.num_heads - h)});
  }
}

template <class In>
constexpr void fill(MergeKernel (&outs)[3]) {
  outs[0] = merge_row<In, float>;
  outs[1] = merge_row<In, F16>;
  outs[2] = merge_row<In, Bf16>;
}

constexpr MergeTable make_table() {
  MergeTable table = {};
  fill<float>(table.kernels[0]);
  fill<F16>(table.kernels[1]);
  fill<Bf16>(table.kernels[2]);
  return table;
}

}  // namespace
}  // namespace weft
