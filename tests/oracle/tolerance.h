// SPDX-License-Identifier: Apache-2.0
// How far a right answer may be from the exact one: the single place where tolerances are made,
// from the dtypes and the conditioning of a row. Used by every comparison with an oracle.
//
// An o element is sum_j w_j v_j. A right implementation rounds P (the unnormalised w_j) to the
// compute dtype, perturbs logits while it accumulates q.k (and rounds q and k once more when it
// rotates them), sums in f32 and rounds o once. Roundings of different keys are independent when
// the inputs are random, so they add up as sqrt(sum_j (w_j v_j)^2), not as sum_j w_j |v_j|: for
// 4096 keys that is 64 times tighter, tight enough that one key lost or counted twice fails the
// check. The factor 6 is six standard deviations. What is systematic (exp2's polynomial, tanh, the
// order of an f32 sum) is bounded by the absolute sum instead.
#pragma once

#include "tests/oracle/attention.h"

namespace weft::oracle {

/// What decides the arithmetic of a run.
struct Precision {
  DType compute = DType::bf16;  // P, and q and k once rotated: the dtype of q
  DType kv = DType::bf16;
  DType o = DType::bf16;
  bool rope = false;
  float soft_cap = 0;
};

Precision precision_of(const AttentionConfig& config, const AttentionArgs& args);

/// Bound on |o[d] - row.o[d]|.
double o_tolerance(const Precision& p, const AttentionRow& row, int d);

/// Bound on |lse - row.lse|, in natural units (times log2(e) when base 2).
double lse_tolerance(const Precision& p, const AttentionRow& row);

}  // namespace weft::oracle
