// SPDX-License-Identifier: Apache-2.0
// Everything verify refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "src/base/overlap.h"
#include "src/ops/verify/rooms.h"

namespace weft {
void check_verify_args(const VerifyConfig& config, Device device, const VerifyArgs& args) {
  const int64_t drafts = config.num_draft, vocab = config.vocab_size;
  check_tensor("target_probs", args.target_probs, config.dtype, {kAnySize, drafts + 1, vocab},
               device);
  const int64_t n = args.target_probs.shape[0];
  check_tensor("draft_tokens", args.draft_tokens, DType::i32, {n, drafts}, device);
  if (config.tree) {
    refuse_given("draft_probs", args.draft_probs, "with a tree");
    check_tensor("first_child", args.first_child, DType::i32, {n, drafts + 1}, device);
    check_tensor("next_sibling", args.next_sibling, DType::i32, {n, drafts + 1}, device);
  } else {
    refuse_given("first_child", args.first_child, "with a chain");
    refuse_given("next_sibling", args.next_sibling, "with a chain");
    check_tensor("draft_probs", args.draft_probs, config.dtype, {n, drafts, vocab}, device);
  }
  check_tensor("seed", args.seed, DType::i64, {n}, device);
  check_optional("offset", args.offset, DType::i64, {n}, device);
  check_output("tokens", args.tokens, DType::i32, {n, drafts + 1}, device);
  if (args.accepted.given()) check_output("accepted", args.accepted, DType::i32, {n}, device);
  if (args.emitted.given()) check_output("emitted", args.emitted, DType::i32, {n}, device);
  if (args.status.given()) check_output("status", args.status, DType::u8, {n}, device);
  check_apart(
      {extent_of("tokens", args.tokens), extent_of("accepted", args.accepted),
       extent_of("emitted", args.emitted), extent_of("status", args.status)},
      {extent_of("draft_probs", args.draft_probs), extent_of("target_probs", args.target_probs),
       extent_of("draft_tokens", args.draft_tokens), extent_of("first_child", args.first_child),
       extent_of("next_sibling", args.next_sibling), extent_of("seed", args.seed),
       extent_of("offset", args.offset)});
}

}  // namespace weft
