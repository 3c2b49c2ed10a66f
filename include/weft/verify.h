// SPDX-License-Identifier: Apache-2.0
// verify: which of the tokens that a draft model proposed stand, and the token behind them, so that
// the text is distributed as the target model's own. A chain, with the draft's probabilities, or a
// tree of proposals without.
// Source: Leviathan et al., Fast Inference from Transformers via Speculative Decoding, 2023.
#pragma once

#include <memory>
#include <string>

#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct VerifyConfig {
  DType dtype = DType::f32;  // of the probabilities: f32, f16, bf16
  int vocab_size = 0;        // 1 .. 2^20
  int num_draft = 0;         // tokens proposed to each request, 1 .. 1024
  bool tree = false;

  bool operator==(const VerifyConfig&) const = default;
};

WEFT_API std::string to_string(const VerifyConfig& config);

/// Rows of probabilities sum to 1. Row j of a chain's target_probs is what the target model says
/// where draft j stands. In a tree, node 0 is the last token known, node j + 1 holds draft j, and
/// row j is what the target model says behind node j; siblings hold different tokens.
struct VerifyArgs {
  TensorView draft_probs;   // [n, num_draft, vocab_size]; absent in a tree
  TensorView target_probs;  // [n, num_draft + 1, vocab_size]
  TensorView draft_tokens;  // i32 [n, num_draft]
  TensorView first_child;   // tree: i32 [n, num_draft + 1], a node, or below 1 for none
  TensorView next_sibling;  // tree: i32 [n, num_draft + 1]
  TensorView seed;          // i64 [n]
  TensorView offset;        // optional i64 [n]
  TensorView tokens;        // out, i32 [n, num_draft + 1]: drafts that stand, one more token, -1
  TensorView accepted;      // out, optional i32 [n]: drafts that pass their own test, wherever
  TensorView emitted;       // out, optional i32 [n]: drafts that stand
  TensorView status;        // out, optional u8 [n]: TokenStatus of the last token
};

namespace detail {
struct VerifyImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API Verify {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit Verify(const VerifyConfig& config, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled or loaded is so here. A captured graph needs this
  /// object alive.
  Verify(const VerifyConfig& config, const CudaBackend& backend);
  const VerifyConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// Throws Error(invalid_argument) before anything is written when a tensor is wrong. A request
  /// with a token outside of the vocabulary or a link outside of its tree gets token 0 and
  /// status 3. Allocates nothing, takes no lock. On a GPU it is one launch on executor.stream, may
  /// be captured, and never waits. The same tokens on every device.
  void run(const VerifyArgs& args, const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::VerifyImpl> impl_;
};

}  // namespace weft
