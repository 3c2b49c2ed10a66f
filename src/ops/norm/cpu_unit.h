// SPDX-License-Identifier: Apache-2.0
// The body of the norm kernels, compiled once per ISA by cpu_<isa>.cc. A row comes from memory once
// and from the nearest cache for each further pass. Anonymous namespace, no standard containers:
// simd.h.
#pragma once

#include "src/cpu/elements.h"
#include "src/ops/norm/unit.h"

namespace weft {
namespace {

// Elements summed in f32 lanes before a double takes over: 64 to 1024 terms a lane, so that a sum
// of any length is good to a few 1e-7.
constexpr int kSumBlock = 4096;

inline float sum_lanes(Vec x, int n) {
  float lanes[kWidth];
  store(lanes, x);
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += lanes[i];
  return sum;
}

/// Sum of term(x) over a row.
template <class In, class Term>
inline double sum_of(const In* in, int count, Term term) {
  double sum = 0;
  for (int begin = 0; begin < count; begin += kSumBlock) {
    const int end = min_of(count, begin + kSumBlock);
    Vec sums[4] = {};
    int i = begin;
    for (; i + 4 * kWidth <= end; i += 4 * kWidth) {
      for (int k = 0; k < 4; ++k) sums[k] += term(load(in + i + k * kWidth));
    }
    for (; i + kWidth <= end; i += kWidth) sums[0] += term(load(in + i));
    const float whole = sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]), kWidth);
    const float tail = i < end ? sum_lanes(term(load_n(in + i, end - i)), end - i) : 0.0f;
    sum += static_cast<double>(whole) + static_cast<double>(tail);
  }
  return sum;
}

template <class In>
inline void add_residual(const In* x, In* residual, int count) {
  for_each_vec_of(x, count, [=](int i, Vec a, int n) {
    store_lanes(residual + i, a + load_lanes(residual + i, n), n);
  });
}

struct NormFactors {
  float mean, factor;
};

template <class In>
inline NormFactors factors_of(const NormRow& row, const In* x) {
  double mean = 0;
  if (row.kind == NormKind::layer) {
    mean = sum_of(x, row.hidden, [](Vec v) { return v; }) / row.hidden;
  }
  const Vec centre = splat(static_cast<float>(mean));
  const double squares = sum_of(x, row.hidden, [=](Vec v) {
    const Vec d = v - centre;
    return d * d;
  });
  const double variance = squares / row.hidden + static_cast<double>(row.eps);
  return {static_cast<float>(mean), static_cast<float>(1.0 / __builtin_sqrt(variance))};
}

template <class In, class Weight, class Out>
void norm_row(const NormRow& row) {
  const In* x = static_cast<const In*>(row.x);
  Out* out = static_cast<Out*>(row.out);
  if (row.residual != nullptr) {
    In* residual = static_cast<In*>(row.residual);
    add_residual(x, residual, row.hidden);
    x = residual;
  }
  const NormFactors t = factors_of(row, x);
  const Weight* weight = static_cast<const Weight*>(row.weight);
  const Weight* bias = static_cast<const Weight*>(row.bias);
  const Vec offset = splat(row.weight_offset), scale = splat(row.scale);
  for_each_vec_of(x, row.hidden, [=](int i, Vec v, int n) {
    Vec y = (v - t.mean) * t.factor;
    if (weight != nullptr) {
      y *= load_lanes(weight + i, n) + offset;
    }
    if (bias != nullptr) y += load_lanes(bias + i, n);
    store_lanes(out + i, y * scale, n);
  });
}

template <class In, class Weight>
constexpr void fill(NormKernel (&outs)[5]) {
  outs[0] = norm_row<In, Weight, float>;
  outs[1] = norm_row<In, Weight, F16>;
  outs[2] = norm_row<In, Weight, Bf16>;
  outs[3] = norm_row<In, Weight, E4m3>;
  outs[4] = norm_row<In, Weight, E5m2>;
}

template <class In>
constexpr void fill(NormKernel (&weights)[2][5]) {
  fill<In, In>(weights[0]);
  fill<In, float>(weights[1]);
}

constexpr NormTable make_table() {
  NormTable table = {};
  fill<float>(table.kernels[0]);
  fill<F16>(table.kernels[1]);
  fill<Bf16>(table.kernels[2]);
  return table;
}

}  // namespace
}  // namespace weft
