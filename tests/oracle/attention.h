// SPDX-License-Identifier: Apache-2.0
// Attention in float64, one output row at a time, from the contract in docs/semantics.md and the
// comments of weft/attention.h. Tests, the replay tool and the GPU suite compare against it.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/attention.h"

namespace weft::oracle {

/// One row (query token, head) of the exact result, and what a tolerance has to know of it.
struct AttentionRow {
  std::vector<double> o;  // [head_dim_vo]
  double lse = 0;         // natural or base 2, as args.lse_base2 says
  int visible = 0;        // keys this row sees

  // Conditioning. w_j is the softmax weight of key j.
  std::vector<double> abs;    // sum_j w_j |v_j|
  std::vector<double> rms;    // sqrt(sum_j (w_j v_j)^2)
  double weight_rms = 0;      // sqrt(sum_j w_j^2)
  double logit_abs = 0;       // max_j sum_d |q_d k_jd| * scale
  double logit_rms = 0;       // max_j sqrt(sum_d (q_d k_jd)^2) * scale
  double logit_size = 0;      // max_j |logit|, cap and slope included
  int64_t last_position = 0;  // of a key; RoPE angles grow with it
};

/// Reads q, k, v and every optional tensor of `args` through their strides. Keeps the decoded KV of
/// the last (request, KV head), so ask for the rows of one head together.
class Attention {
 public:
  Attention(const AttentionConfig& config, const AttentionBatch& batch, const AttentionArgs& args);

  int batch_size() const;
  int64_t qo_len(int64_t request) const;
  int64_t kv_len(int64_t request) const;
  /// Row of `q` of token `i` of a request.
  int64_t token(int64_t request, int64_t i) const;
  /// Whether query token i of the request sees key j.
  bool visible(int64_t request, int64_t i, int64_t j) const;
  AttentionRow row(int64_t request, int64_t i, int head);

 private:
  void gather(int64_t request, int kv_head);
  double logit(double scaled, int64_t request, int64_t i, int64_t j, int head) const;
  bool mask_bit(int64_t request, int64_t bit) const;

  AttentionConfig config_;
  AttentionBatch batch_;
  AttentionArgs args_;
  int64_t gathered_request_ = -1;
  int gathered_head_ = -1;
  std::vector<std::vector<double>> keys_;  // rotated, unscaled
  std::vector<std::vector<double>> values_;
};

}  // namespace weft::oracle
