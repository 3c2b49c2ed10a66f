// SPDX-License-Identifier: Apache-2.0
// One output row of attention in float64, from the definition in docs/semantics.md and from the
// synthetic inputs themselves: never from the cache, its pages, or the batch arrays. Used by
// replay.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "tools/weft/synthetic.h"

namespace weft::cli {

/// The row of query head `head`, at the end of keys [0, position], of one request.
struct RowQuestion {
  int layer = 0;
  int head = 0;
  int kv_head = 0;
  int position = 0;
  std::span<const int32_t> tokens;  // of the request, at least position + 1
  int head_dim = 0;
  double sm_scale = 1;
  double logits_soft_cap = 0;
  int window_left = -1;
  const float* sink = nullptr;  // this head's
};

struct RowAnswer {
  std::vector<double> o;
  double lse = 0;
  // Conditioning of each element, with w_j the weight of key j.
  std::vector<double> rms;  // sqrt(sum (w_j v_j)^2)
  std::vector<double> abs;  // sum w_j |v_j|
  double weight_rms = 0;    // sqrt(sum w_j^2)
};

RowAnswer reference_row(const Synthetic& data, const RowQuestion& question);

/// What the arithmetic of a run may lose.
struct Precision {
  double output = 0;   // unit roundoff of o
  double weights = 0;  // unit roundoff of the softmax weights as they enter the second product
};

Precision precision_of(const std::string& unit, DType dtype_o);

struct RowVerdict {
  bool ok = true;
  double max_abs_error = 0;    // of o
  double max_error_share = 0;  // worst error over what the precision allows; above 1 = failed
};

RowVerdict judge_row(const RowAnswer& expected, std::span<const double> o, double lse,
                     const Precision& precision);

}  // namespace weft::cli
