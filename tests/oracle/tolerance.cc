// SPDX-License-Identifier: Apache-2.0
// The error model of tolerance.h in numbers.
#include "tests/oracle/tolerance.h"

#include <cmath>

#include "tests/oracle/numbers.h"

namespace weft::oracle {
namespace {

constexpr double kSigmas = 6.0;
const double kU32 = std::ldexp(1.0, -24);
/// exp2 as a degree-5 polynomial in f32 is good to about 2^-21.
const double kExpError = std::ldexp(1.0, -20);
/// tanh in f32, relative to the cap.
const double kTanhError = std::ldexp(1.0, -21);

/// Standard deviation of one rounding, uniform in [-u, u].
double rounding_sigma(DType dtype) { return unit_roundoff(dtype) / std::sqrt(3.0); }

/// Whether keys and values lose bits on their way into the compute dtype.
bool narrows(const Precision& p) { return unit_roundoff(p.kv) < unit_roundoff(p.compute); }

/// Standard deviation of a logit.
double logit_sigma(const Precision& p, const AttentionRow& row) {
  const double once = rounding_sigma(p.compute) * row.logit_rms;
  double variance = 0;
  if (p.rope) {
    const double angle = static_cast<double>(row.last_position) * kU32 * row.logit_rms;
    variance += 2 * once * once + angle * angle;
  }
  if (narrows(p)) variance += once * once;
  return std::sqrt(variance);
}

/// Systematic error of a logit: f32 accumulation in a few partial sums, tanh, and the roundings of
/// the logit itself on its way to base 2 (a slope makes it far larger than the dot product).
double logit_bias(const Precision& p, const AttentionRow& row) {
  return 4 * kU32 * row.logit_abs + p.soft_cap * kTanhError + 3 * kU32 * row.logit_size;
}

double sum_error(const AttentionRow& row) {
  return kU32 * (8 + 2 * std::sqrt(static_cast<double>(row.visible)));
}

}  // namespace

Precision precision_of(const AttentionConfig& config, const AttentionArgs& args) {
  return {.compute = config.dtype_q,
          .kv = config.dtype_kv,
          .o = config.dtype_o == DType::none ? config.dtype_q : config.dtype_o,
          .rope = config.rope.mode != RopeMode::none,
          .soft_cap = args.logits_soft_cap};
}

double o_tolerance(const Precision& p, const AttentionRow& row, int d) {
  const size_t i = static_cast<size_t>(d);
  const double once = rounding_sigma(p.compute);
  const double logits = logit_sigma(p, row);
  const double variance = once * once * (narrows(p) ? 2 : 1) + logits * logits;
  const double random = kSigmas * std::sqrt(variance) * row.rms[i];
  const double systematic = 2 * (kExpError + logit_bias(p, row) + sum_error(row)) * row.abs[i];
  return random + systematic + unit_roundoff(p.o) * std::fabs(row.o[i]) + smallest(p.o);
}

double lse_tolerance(const Precision& p, const AttentionRow& row) {
  const double random =
      kSigmas * (logit_sigma(p, row) + rounding_sigma(p.compute) * row.weight_rms);
  return random + kExpError + logit_bias(p, row) + sum_error(row) + 4 * kU32 * std::fabs(row.lse);
}

}  // namespace weft::oracle
