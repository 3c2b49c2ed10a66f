// SPDX-License-Identifier: Apache-2.0
// logprobs: the most likely tokens of each row of logits and their log-probabilities, and those of
// given tokens, as the answer of a server reports them. docs/semantics.md says what it computes.
#pragma once

#include <memory>
#include <string>

#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct LogprobsConfig {
  DType dtype = DType::f32;  // of the logits: f32, f16, bf16
  int vocab_size = 0;        // 1 .. 2^20
  int num = 0;               // tokens reported of each row, 1 .. 128
  bool checked = true;       // a wrong parameter of a row is an error, not only a status

  bool operator==(const LogprobsConfig&) const = default;
};

WEFT_API std::string to_string(const LogprobsConfig& config);

/// Logits are processed as sampling does (sampling.h): penalties, bias, mask, temperature. Then
/// come log-probabilities of the whole row, whatever top-k, top-p or min-p would leave of it; to
/// have them of what those keep, give what `filter` wrote to its `masked`. What is not given is
/// off.
struct LogprobsArgs {
  TensorView input;               // [rows, vocab_size]
  TensorView indices;             // i32 [n]: row of the input; absent: n = rows, sample i of row i
  TensorView temperature;         // f32 [n], 0 <= t <= 1e9; 0 counts as 1
  TensorView repetition_penalty;  // f32 [n], as all below in SamplingArgs
  TensorView frequency_penalty;   // f32 [n]
  TensorView presence_penalty;    // f32 [n]
  TensorView prompt_mask;         // i32 [rows, ceil(vocab_size / 32)]
  TensorView output_counts;       // i32 [rows, vocab_size]
  TensorView bias;                // f32 [rows, vocab_size]
  TensorView allowed;             // i32 [rows, ceil(vocab_size / 32)]
  TensorView token;               // optional i32 [n]: tokens that were drawn, say
  TensorView top_tokens;          // out, i32 [n, num]: the most likely, the lower id where equal
  TensorView top_logprobs;        // out, f32 [n, num]: theirs; behind the last: -1 and -inf
  TensorView token_logprob;       // out, with token: f32 [n]
  TensorView status;              // out, optional u8 [n]: TokenStatus; if not 0: -1 and NaN
};

namespace detail {
struct LogprobsImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API Logprobs {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit Logprobs(const LogprobsConfig& config, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled, loaded or allocated is so here. A captured graph
  /// needs this object alive.
  Logprobs(const LogprobsConfig& config, const CudaBackend& backend);
  const LogprobsConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// Throws Error(invalid_argument) before anything is written: wrong tensors always, wrong
  /// parameters and tokens on the CPU when config.checked. Allocates nothing, takes no lock. On a
  /// GPU it is one launch on executor.stream, may be captured, and never waits; a wrong parameter
  /// there is a status, and with config.checked noted for check(). The same bits on every device.
  void run(const LogprobsArgs& args, const Executor& executor = {}) const;
  /// Waits for executor.stream, and throws Error(invalid_argument) naming the first parameter that
  /// a run on a GPU found wrong since the last call. Nothing to do on the CPU.
  void check(const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::LogprobsImpl> impl_;
};

}  // namespace weft
