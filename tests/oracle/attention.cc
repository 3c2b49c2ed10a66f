// SPDX-License-Identifier: Apache-2.0
// The definition, spelt out: gather the keys and values of a request through the page table, decide
// what each query sees, take a softmax, average. Two passes, no tiles, no tricks.
#include "tests/oracle/attention.h"

#include <cmath>
#include <limits>

#include "tests/oracle/numbers.h"
#include "tests/oracle/rope.h"

namespace weft::oracle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

int value_dim(const AttentionConfig& c) {
  return c.head_dim_vo == 0 ? c.head_dim_qk : c.head_dim_vo;
}

/// Element d of token `t` (page and row, or ragged row when page < 0) of one KV head.
double kv_at(const AttentionConfig& c, const TensorView& x, int64_t page, int64_t t, int64_t head,
             int64_t d) {
  if (c.page_size == 0) {
    return c.kv_layout == KvLayout::nhd ? at(x, {t, head, d}) : at(x, {head, t, d});
  }
  return c.kv_layout == KvLayout::nhd ? at(x, {page, t, head, d}) : at(x, {page, head, t, d});
}

}  // namespace

Attention::Attention(const AttentionConfig& config, const AttentionBatch& batch,
                     const AttentionArgs& args)
    : config_(config), batch_(batch), args_(args) {}

int Attention::batch_size() const { return static_cast<int>(batch_.qo_indptr.shape[0]) - 1; }

int64_t Attention::qo_len(int64_t r) const {
  return int_at(batch_.qo_indptr, r + 1) - int_at(batch_.qo_indptr, r);
}

int64_t Attention::kv_len(int64_t r) const {
  const int64_t n = int_at(batch_.kv_indptr, r + 1) - int_at(batch_.kv_indptr, r);
  if (config_.page_size == 0 || n == 0) return n;
  return (n - 1) * config_.page_size + int_at(batch_.last_page_len, r);
}

int64_t Attention::token(int64_t r, int64_t i) const { return int_at(batch_.qo_indptr, r) + i; }

bool Attention::mask_bit(int64_t r, int64_t bit) const {
  const int64_t first = int_at(args_.mask_indptr, r);
  const auto* bytes = reinterpret_cast<const uint8_t*>(address(args_.custom_mask, {first}));
  return (bytes[bit / 8] >> (bit % 8)) & 1;
}

bool Attention::visible(int64_t r, int64_t i, int64_t j) const {
  const int64_t ahead = kv_len(r) - qo_len(r);  // query i stands at position i + ahead
  if (args_.window_left >= 0 && j < i + ahead - args_.window_left) return false;
  switch (config_.mask) {
    case MaskMode::none:
      return true;
    case MaskMode::causal:
      return j <= i + ahead;
    case MaskMode::custom:
      return mask_bit(r, i * kv_len(r) + j);
    case MaskMode::tree:
      return j < ahead || mask_bit(r, i * qo_len(r) + j - ahead);
  }
  return false;
}

void Attention::gather(int64_t r, int kv_head) {
  if (gathered_request_ == r && gathered_head_ == kv_head) return;
  gathered_request_ = r;
  gathered_head_ = kv_head;
  keys_.clear();
  values_.clear();
  const int64_t first = int_at(batch_.kv_indptr, r);
  for (int64_t j = 0; j < kv_len(r); ++j) {
    int64_t page = -1;
    int64_t t = first + j;
    if (config_.page_size > 0) {
      page = int_at(batch_.kv_indices, first + j / config_.page_size);
      t = j % config_.page_size;
    }
    std::vector<double> key;
    std::vector<double> value;
    for (int d = 0; d < config_.head_dim_qk; ++d) {
      key.push_back(kv_at(config_, args_.k, page, t, kv_head, d));
    }
    for (int d = 0; d < value_dim(config_); ++d) {
      value.push_back(kv_at(config_, args_.v, page, t, kv_head, d));
    }
    rotate(config_.rope, j, key);
    keys_.push_back(std::move(key));
    values_.push_back(std::move(value));
  }
}

/// Soft cap on the scaled logit, then the position bias.
double Attention::logit(double scaled, int64_t r, int64_t i, int64_t j, int head) const {
  double s = scaled;
  if (args_.logits_soft_cap > 0) s = args_.logits_soft_cap * std::tanh(s / args_.logits_soft_cap);
  if (args_.alibi_slopes.given()) {
    s += at(args_.alibi_slopes, {head}) * static_cast<double>(j - (i + kv_len(r) - qo_len(r)));
  }
  return s;
}

// Softmax over `logits` (and the sink's), whose maximum is `top`, applied to the values.
static void weigh(const std::vector<double>& logits, const std::vector<std::vector<double>>& values,
                  double sink, double top, double v_scale, AttentionRow& out) {
  double sum = std::exp(sink - top);
  for (const double s : logits) sum += std::exp(s - top);
  for (size_t j = 0; j < logits.size(); ++j) {
    const double w = std::exp(logits[j] - top) / sum;
    if (w == 0.0) continue;  // a hidden key's value is never read
    out.weight_rms += w * w;
    for (size_t d = 0; d < out.o.size(); ++d) {
      const double x = w * values[j][d] * v_scale;
      out.o[d] += x;
      out.abs[d] += std::fabs(x);
      out.rms[d] += x * x;
    }
  }
  out.weight_rms = std::sqrt(out.weight_rms);
  for (double& x : out.rms) x = std::sqrt(x);
  out.lse = top + std::log(sum);
}

AttentionRow Attention::row(int64_t r, int64_t i, int head) {
  const int kv_head = head / (config_.num_qo_heads / config_.num_kv_heads);
  gather(r, kv_head);
  const int64_t n = kv_len(r);
  std::vector<double> q;
  for (int d = 0; d < config_.head_dim_qk; ++d) q.push_back(at(args_.q, {token(r, i), head, d}));
  rotate(config_.rope, i + n - qo_len(r), q);

  double scale = args_.sm_scale ? static_cast<double>(*args_.sm_scale)
                                : 1.0 / std::sqrt(static_cast<double>(config_.head_dim_qk));
  scale *= args_.k_scale;
  if (args_.k_scales.given()) scale *= at(args_.k_scales, {kv_head});
  double v_scale = args_.v_scale;
  if (args_.v_scales.given()) v_scale *= at(args_.v_scales, {kv_head});

  AttentionRow out;
  out.last_position = n;
  std::vector<double> logits;
  double top = args_.sink.given() ? at(args_.sink, {head}) : -kInfinity;
  for (int64_t j = 0; j < n; ++j) {
    if (!visible(r, i, j)) {
      logits.push_back(-kInfinity);
      continue;
    }
    const std::vector<double>& key = keys_[static_cast<size_t>(j)];
    double dot = 0, abs = 0, squares = 0;
    for (size_t d = 0; d < q.size(); ++d) {
      dot += q[d] * key[d];
      abs += std::fabs(q[d] * key[d]);
      squares += q[d] * q[d] * key[d] * key[d];
    }
    logits.push_back(logit(dot * scale, r, i, j, head));
    top = std::fmax(top, logits.back());
    out.logit_size = std::fmax(out.logit_size, std::fabs(logits.back()));
    out.logit_abs = std::fmax(out.logit_abs, abs * std::fabs(scale));
    out.logit_rms = std::fmax(out.logit_rms, std::sqrt(squares) * std::fabs(scale));
    out.visible += 1;
  }

  out.o = out.abs = out.rms = std::vector<double>(static_cast<size_t>(value_dim(config_)));
  if (out.visible == 0) {
    out.lse = -kInfinity;
    return out;
  }
  const double sink = args_.sink.given() ? at(args_.sink, {head}) : -kInfinity;
  weigh(logits, values_, sink, top, v_scale, out);
  if (args_.lse_base2) out.lse /= std::log(2.0);
  return out;
}

}  // namespace weft::oracle
