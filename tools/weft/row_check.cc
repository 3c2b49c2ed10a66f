// SPDX-License-Identifier: Apache-2.0
// See row_check.h.
#include "tools/weft/row_check.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "weft/error.h"

namespace weft::cli {
namespace {

using Kind = VectorName::Kind;

std::vector<double> logits(const Synthetic& data, const RowQuestion& r, int first) {
  const float* q = data.values({Kind::q, r.layer, r.head, r.tokens[r.position], r.position});
  std::vector<double> logits;
  logits.reserve(r.position + 1 - first);
  for (int j = first; j <= r.position; ++j) {
    const float* k = data.values({Kind::k, r.layer, r.kv_head, r.tokens[j], j});
    double dot = 0;
    for (int d = 0; d < r.head_dim; ++d) dot += static_cast<double>(q[d]) * k[d];
    double s = dot * r.sm_scale;
    if (r.logits_soft_cap > 0) s = r.logits_soft_cap * std::tanh(s / r.logits_soft_cap);
    logits.push_back(s);
  }
  return logits;
}

}  // namespace

RowAnswer reference_row(const Synthetic& data, const RowQuestion& r) {
  const int first = r.window_left < 0 ? 0 : std::max(0, r.position - r.window_left);
  std::vector<double> weights = logits(data, r, first);
  double top = *std::max_element(weights.begin(), weights.end());
  if (r.sink != nullptr) top = std::max(top, static_cast<double>(*r.sink));
  double sum = r.sink != nullptr ? std::exp(*r.sink - top) : 0.0;
  for (double& w : weights) sum += w = std::exp(w - top);

  RowAnswer answer;
  answer.lse = top + std::log(sum);
  answer.o.assign(r.head_dim, 0.0);
  answer.rms.assign(r.head_dim, 0.0);
  answer.abs.assign(r.head_dim, 0.0);
  for (size_t i = 0; i < weights.size(); ++i) {
    const int j = first + static_cast<int>(i);
    const double w = weights[i] / sum;
    answer.weight_rms += w * w;
    const float* v = data.values({Kind::v, r.layer, r.kv_head, r.tokens[j], j});
    for (int d = 0; d < r.head_dim; ++d) {
      const double term = w * v[d];
      answer.o[d] += term;
      answer.rms[d] += term * term;
      answer.abs[d] += std::abs(term);
    }
  }
  for (double& x : answer.rms) x = std::sqrt(x);
  answer.weight_rms = std::sqrt(answer.weight_rms);
  return answer;
}

Precision precision_of(const std::string& unit, DType dtype_o) {
  Precision precision;
  // CPU units round the weights to bf16 where they multiply in it; a GPU's matrix units to the
  // dtype of q.
  precision.weights = unit.ends_with("_bf16") ? 0x1p-8 : unit == "cuda_mma_f16" ? 0x1p-11 : 0x1p-23;
  switch (dtype_o) {
    case DType::f32:
      precision.output = 0x1p-23;
      break;
    case DType::f16:
      precision.output = 0x1p-11;
      break;
    case DType::bf16:
      precision.output = 0x1p-8;
      break;
    default:
      throw Error(ErrorKind::invalid_argument, "dtype_o: expected f32, f16 or bf16");
  }
  return precision;
}

RowVerdict judge_row(const RowAnswer& expected, std::span<const double> o, double lse,
                     const Precision& p) {
  // Rounding errors of the weights are independent, so they add as a root mean square; eight of its
  // standard deviations are never reached by chance. f32 sums and exponentials lose about 2^-17 of
  // the sum of magnitudes at logits of this size.
  constexpr double kDeviations = 8, kArithmetic = 0x1p-15;
  const double weights = kDeviations * p.weights / std::sqrt(3.0);
  RowVerdict verdict;
  const auto judge = [&](double error, double allowed) {
    const double share = error / allowed;
    if (!(share <= 1)) verdict.ok = false;  // NaN fails
    if (!(share <= verdict.max_error_share)) verdict.max_error_share = share;
  };
  for (size_t d = 0; d < o.size(); ++d) {
    const double error = std::abs(o[d] - expected.o[d]);
    judge(error, p.output * std::abs(expected.o[d]) + weights * expected.rms[d] +
                     kArithmetic * expected.abs[d] + 0x1p-24);
    if (!(error <= verdict.max_abs_error)) verdict.max_abs_error = error;
  }
  judge(std::abs(lse - expected.lse),
        weights * expected.weight_rms + kArithmetic * (1 + std::abs(expected.lse)));
  return verdict;
}

}  // namespace weft::cli
