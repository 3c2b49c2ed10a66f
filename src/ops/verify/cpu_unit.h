// SPDX-License-Identifier: Apache-2.0
// The body of verify on the CPU, compiled once per ISA by cpu_<isa>.cc: which drafts stand, then a
// draw from what is left of the target's row. Anonymous namespace, no standard containers.
#pragma once

#include "src/cpu/row_draw.h"
#include "src/cpu/row_values.h"
#include "src/ops/verify/unit.h"

namespace weft {
namespace {

/// The row that the last token is drawn from.
class LastRow {
 public:
  LastRow(const VerifySpec& spec, const VerifyParams& p, const VerifyEnd& end, int64_t i,
          bool subtracts)
      : spec_(spec), p_(p), end_(end), i_(i), subtracts_(subtracts) {}

  int size() const { return p_.vocab_size; }

  void fill(int begin, int n, float* z) const {
    const int64_t row = end_.row;
    load_values(p_.target_probs, spec_.dtype,
                i_ * p_.target_stride + row * p_.target_row_stride + begin, n, z);
    if (subtracts_ && p_.draft_probs != nullptr) {
      float q[kRowBlock];
      load_values(p_.draft_probs, spec_.dtype,
                  i_ * p_.draft_stride + row * p_.draft_row_stride + begin, n, q);
      for (int e = 0; e < n; ++e) z[e] -= q[e];
    } else if (subtracts_) {
      each_child(p_, i_, end_.row, [&](int32_t token) {
        if (token >= begin && token - begin < n) z[token - begin] = 0.0f;
      });
    }
    plain_values(true, n, z);
  }

 private:
  const VerifySpec& spec_;
  const VerifyParams& p_;
  const VerifyEnd& end_;
  int64_t i_;
  bool subtracts_;
};

// 0 ok, 1 NaN, 2 nothing to draw: TokenStatus.
inline int draw_last(const LastRow& source, uint64_t random, int32_t& token) {
  RowSearch<LastRow> row(source);
  if (!row.scan()) return 1;
  if (row.top_key() <= key_of(0.0f)) return 2;
  uint64_t total = 0;
  token = draw_from(row, Cut{}, MassScale::of_probs(value_of(row.top_key())), random, total);
  return 0;
}

inline float probability(const void* data, DType dtype, int64_t at) {
  float z[kWidth];
  load_values(data, dtype, at, 1, z);
  return z[0];
}

inline VerifyEnd path_of(const VerifySpec& spec, const VerifyParams& p, int64_t i,
                         int32_t* tokens) {
  const auto target = [&](int32_t row, int32_t token) {
    return probability(p.target_probs, spec.dtype,
                       i * p.target_stride + row * p.target_row_stride + token);
  };
  const auto draft = [&](int32_t row, int32_t token) {
    return probability(p.draft_probs, spec.dtype,
                       i * p.draft_stride + row * p.draft_row_stride + token);
  };
  if (p.draft_probs == nullptr) {
    return verify_tree(p, i, target, [&](int32_t j, int32_t token) { tokens[j] = token; });
  }
  const VerifyEnd end = verify_chain(p, i, target, draft);
  for (int32_t j = 0; j < end.emitted; ++j) {
    tokens[j] = p.draft_tokens[i * p.draft_tokens_stride + j];
  }
  return end;
}

void verify_request(const VerifySpec& spec, const VerifyParams& p, int64_t i) {
  int32_t* const tokens = p.tokens + i * p.tokens_stride;
  const VerifyEnd end = path_of(spec, p, i, tokens);
  int32_t last = 0;
  int status = 3;
  if (!end.bad) {
    const uint64_t random = last_draw(p, i);
    status = draw_last(LastRow(spec, p, end, i, end.subtracts), random, last);
    // Two equal distributions leave nothing: by rounding alone a draft was refused.
    if (status == 2 && end.subtracts) {
      status = draw_last(LastRow(spec, p, end, i, false), random, last);
    }
  }
  tokens[end.emitted] = last;
  for (int32_t j = end.emitted + 1; j <= p.num_draft; ++j) tokens[j] = -1;
  if (p.accepted != nullptr) p.accepted[i] = end.accepted;
  if (p.emitted != nullptr) p.emitted[i] = end.emitted;
  if (p.status != nullptr) p.status[i] = static_cast<uint8_t>(status);
}

constexpr VerifyTable make_table() { return {verify_request}; }

}  // namespace
}  // namespace weft
