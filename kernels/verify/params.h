// SPDX-License-Identifier: Apache-2.0
// VerifyParams: everything a verify kernel receives at launch, in one plain struct, and which
// drafts of a request are taken, the same on every backend. Filled by src/ops/verify/run.cc.
// Strides count elements; tensors of a request are dense behind its own stride.
#pragma once

#include "kernels/core/exact.h"
#include "kernels/core/philox.h"

namespace weft {

struct VerifyParams {
  const void* draft_probs;      // [n, num_draft, vocab_size]; null: a tree
  const void* target_probs;     // [n, num_draft + 1, vocab_size]
  const int32_t* draft_tokens;  // [n, num_draft]; of node j + 1 of a tree
  const int32_t* first_child;   // [n, num_draft + 1], below 1: none
  const int32_t* next_sibling;  // [n, num_draft + 1], below 1: none
  const int64_t* seed;          // [n]
  const int64_t* offset;        // [n] or null
  int32_t* tokens;              // [n, num_draft + 1]
  int32_t* accepted;            // [n] or null
  int32_t* emitted;             // [n] or null
  uint8_t* status;              // [n] or null
  int64_t draft_stride, draft_row_stride, target_stride, target_row_stride;
  int64_t draft_tokens_stride, first_child_stride, next_sibling_stride, tokens_stride;
  int64_t n;
  int32_t num_draft, vocab_size;
};

/// Where the drafts of a request end, and from what its last token is drawn: row `row` of
/// target_probs, less row `row` of draft_probs, or without the children of node `row`.
struct VerifyEnd {
  int32_t row, emitted, accepted;
  bool subtracts;
  bool bad;
};

/// In [0, 1), a multiple of 2^-24.
WEFT_HD float unit_draw(const VerifyParams& p, int64_t i, int32_t index) {
  const uint64_t offset = p.offset == nullptr ? 0 : static_cast<uint64_t>(p.offset[i]);
  const uint64_t bits =
      random_bits(static_cast<uint64_t>(p.seed[i]), offset, static_cast<uint64_t>(index));
  return times(static_cast<float>(static_cast<uint32_t>(bits >> 40)), 5.9604644775390625e-08f);
}

/// A draft is taken when u * draft probability < target probability; the first that is not ends it.
/// target(row, token) and draft(row, token) read probabilities; take(place, token) keeps a draft.
template <class Target, class Draft, class Take>
WEFT_HD VerifyEnd verify_chain(const VerifyParams& p, int64_t i, Target&& target, Draft&& draft,
                               Take&& take) {
  const int32_t* tokens = p.draft_tokens + i * p.draft_tokens_stride;
  VerifyEnd end{p.num_draft, p.num_draft, 0, false, false};
  for (int32_t j = 0; j < p.num_draft; ++j) {
    if (tokens[j] < 0 || tokens[j] >= p.vocab_size) return {0, 0, 0, false, true};
    const bool passes = times(unit_draw(p, i, j), draft(j, tokens[j])) < target(j, tokens[j]);
    end.accepted += passes;
    if (!passes && !end.subtracts) end.row = end.emitted = j, end.subtracts = true;
    if (!end.subtracts) take(j, tokens[j]);
  }
  return end;
}

/// From the root on, the child is taken in whose share of its siblings' probabilities u falls.
template <class Target, class Take>
WEFT_HD VerifyEnd verify_tree(const VerifyParams& p, int64_t i, Target&& target, Take&& take) {
  const int32_t* tokens = p.draft_tokens + i * p.draft_tokens_stride;
  const int32_t* first = p.first_child + i * p.first_child_stride;
  const int32_t* next = p.next_sibling + i * p.next_sibling_stride;
  VerifyEnd end{0, 0, 0, false, false};
  while (end.emitted < p.num_draft) {
    const float u = unit_draw(p, i, end.row);
    float sum = 0.0f;
    int32_t taken = 0, steps = 0;
    for (int32_t child = first[end.row]; child > 0 && taken == 0; child = next[child]) {
      const bool right = child <= p.num_draft && ++steps <= p.num_draft;
      const int32_t token = right ? tokens[child - 1] : -1;
      if (token < 0 || token >= p.vocab_size) return {0, 0, 0, false, true};
      sum = plus(sum, target(end.row, token));
      if (u < sum) taken = child;
    }
    if (taken == 0) break;
    take(end.emitted++, tokens[taken - 1]);
    end.row = taken;
  }
  end.accepted = end.emitted;
  return end;
}

/// Whether `token` is that of a child of node `row`: it had its chance.
WEFT_HD bool is_child(const VerifyParams& p, int64_t i, int32_t row, int32_t token) {
  const int32_t* first = p.first_child + i * p.first_child_stride;
  const int32_t* next = p.next_sibling + i * p.next_sibling_stride;
  for (int32_t child = first[row]; child > 0; child = next[child]) {
    if (p.draft_tokens[i * p.draft_tokens_stride + child - 1] == token) return true;
  }
  return false;
}

}  // namespace weft
