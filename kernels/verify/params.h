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
/// target_probs; when `subtracts`, less row `row` of draft_probs, or without the children of node
/// `row`.
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

/// Draft `j` of a chain is taken when u * draft probability < target probability.
template <class Target, class Draft>
WEFT_HD bool draft_passes(const VerifyParams& p, int64_t i, int32_t j, int32_t token,
                          Target&& target, Draft&& draft) {
  return times(unit_draw(p, i, j), draft(j, token)) < target(j, token);
}

WEFT_HD bool in_vocabulary(const VerifyParams& p, int32_t token) {
  return token >= 0 && token < p.vocab_size;
}

/// The first draft that is not taken ends a chain. target(row, token) and draft(row, token) read
/// probabilities.
template <class Target, class Draft>
WEFT_HD VerifyEnd verify_chain(const VerifyParams& p, int64_t i, Target&& target, Draft&& draft) {
  const int32_t* tokens = p.draft_tokens + i * p.draft_tokens_stride;
  VerifyEnd end{p.num_draft, p.num_draft, 0, false, false};
  for (int32_t j = 0; j < p.num_draft; ++j) {
    if (!in_vocabulary(p, tokens[j])) return {0, 0, 0, false, true};
    const bool passes = draft_passes(p, i, j, tokens[j], target, draft);
    end.accepted += passes;
    if (!passes && !end.subtracts) end.row = end.emitted = j, end.subtracts = true;
  }
  return end;
}

/// From the root on, the child is taken in whose share of its siblings' probabilities u falls;
/// take(place, token) keeps it. All children of the last node have been looked at: their links and
/// tokens are right.
template <class Target, class Take>
WEFT_HD VerifyEnd verify_tree(const VerifyParams& p, int64_t i, Target&& target, Take&& take) {
  const int32_t* tokens = p.draft_tokens + i * p.draft_tokens_stride;
  const int32_t* first = p.first_child + i * p.first_child_stride;
  const int32_t* next = p.next_sibling + i * p.next_sibling_stride;
  constexpr VerifyEnd kBad{0, 0, 0, false, true};
  VerifyEnd end{0, 0, 0, true, false};
  while (true) {
    const float u = unit_draw(p, i, end.row);
    float sum = 0.0f;
    int32_t taken = 0, steps = 0;
    for (int32_t child = first[end.row]; child > 0 && taken == 0; child = next[child]) {
      if (child > p.num_draft || ++steps > p.num_draft) return kBad;
      const int32_t token = tokens[child - 1];
      if (!in_vocabulary(p, token)) return kBad;
      sum = plus(sum, target(end.row, token));
      if (u < sum) taken = child;
    }
    if (taken == 0) break;
    if (end.emitted == p.num_draft) return kBad;  // in a circle
    take(end.emitted++, tokens[taken - 1]);
    end.row = taken;
  }
  end.accepted = end.emitted;
  return end;
}

/// visit(token) for each child of node `row`: they had their chance.
template <class Visit>
WEFT_HD void each_child(const VerifyParams& p, int64_t i, int32_t row, Visit&& visit) {
  const int32_t* first = p.first_child + i * p.first_child_stride;
  const int32_t* next = p.next_sibling + i * p.next_sibling_stride;
  for (int32_t child = first[row]; child > 0; child = next[child]) {
    visit(p.draft_tokens[i * p.draft_tokens_stride + child - 1]);
  }
}

/// The bits that the last token of request `i` is drawn with.
WEFT_HD uint64_t last_draw(const VerifyParams& p, int64_t i) {
  const uint64_t offset = p.offset == nullptr ? 0 : static_cast<uint64_t>(p.offset[i]);
  return random_bits(static_cast<uint64_t>(p.seed[i]), offset,
                     static_cast<uint64_t>(p.num_draft) + 1);
}

}  // namespace weft
