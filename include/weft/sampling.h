// SPDX-License-Identifier: Apache-2.0
// sampling: from logits or probabilities to tokens, filtered distributions and log-probabilities,
// with parameters of each row's own. docs/semantics.md says what each step computes.
#pragma once

#include <memory>
#include <string>

#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

/// What a row of the input holds.
enum class SamplingInput : uint8_t { logits = 0, probs = 1 };

/// Whether top-p counts the mass of what top-k left, or of the whole row.
enum class FilterOrder : uint8_t { top_k_first = 0, joint = 1 };

struct SamplingConfig {
  DType dtype = DType::f32;  // of the input: f32, f16, bf16
  int vocab_size = 0;        // 1 .. 2^20
  SamplingInput input = SamplingInput::logits;
  FilterOrder order = FilterOrder::top_k_first;
  bool checked = true;  // a wrong parameter of a row is an error, not only a status

  bool operator==(const SamplingConfig&) const = default;
};

WEFT_API std::string to_string(const SamplingConfig& config);

/// Of a row: token drawn, or why token 0 stands in its place.
enum class TokenStatus : uint8_t { ok = 0, nan = 1, nothing_to_draw = 2, bad_parameter = 3 };

/// Parameters of each sample; what is not given is off. Penalties, bias, masks and temperature go
/// with logits alone.
struct SamplingArgs {
  TensorView input;               // [rows, vocab_size]
  TensorView indices;             // i32 [n]: row of the input; absent: n = rows, sample i of row i
  TensorView seed;                // i64 [n]
  TensorView offset;              // i64 [n]; absent: 0. Another offset is another draw
  TensorView temperature;         // f32 [n], 0 <= t <= 1e9; 0 takes the largest
  TensorView top_k;               // i32 [n]; below 1, or vocab_size and above: off
  TensorView top_p;               // f32 [n], >= 0; 1 and above: off
  TensorView min_p;               // f32 [n], 0 <= p <= 1
  TensorView repetition_penalty;  // f32 [n], > 0
  TensorView frequency_penalty;   // f32 [n]
  TensorView presence_penalty;    // f32 [n]
  TensorView prompt_mask;         // i32 [rows, ceil(vocab_size / 32)]: bit t % 32 of word t / 32
  TensorView output_counts;       // i32 [rows, vocab_size]
  TensorView bias;                // f32 [rows, vocab_size]
  TensorView allowed;             // i32 [rows, ceil(vocab_size / 32)], bits as in prompt_mask
  TensorView token;               // out, i32 [n]
  TensorView logprob;             // out, optional f32 [n]: of the token among what was kept
  TensorView status;              // out, optional u8 [n]: TokenStatus
};

/// The distribution that a sample would be drawn from, in full. With no parameter it is softmax.
struct FilterArgs {
  TensorView input;        // [n, vocab_size]
  TensorView temperature;  // as in SamplingArgs, each [n]
  TensorView top_k;
  TensorView top_p;
  TensorView min_p;
  TensorView probs;   // out [n, vocab_size] of f32, f16 or bf16; or
  TensorView masked;  // out [n, vocab_size] of the input's dtype: the input, -inf where left out
  TensorView status;  // out, optional u8 [n]; a row that is not ok is all zeros, or all -inf
};

namespace detail {
struct SamplingImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API Sampling {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit Sampling(const SamplingConfig& config, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled, loaded or allocated is so here. A captured graph
  /// needs this object alive.
  Sampling(const SamplingConfig& config, const CudaBackend& backend);
  const SamplingConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// One token for each sample. Throws Error(invalid_argument) before anything is written: wrong
  /// tensors always, wrong parameters on the CPU when config.checked. Allocates nothing, takes no
  /// lock. On a GPU it is one launch on executor.stream, may be captured, and never waits; a wrong
  /// parameter there is a status, and with config.checked noted for check().
  void run(const SamplingArgs& args, const Executor& executor = {}) const;
  /// Distributions instead of tokens, under the same rules.
  void filter(const FilterArgs& args, const Executor& executor = {}) const;
  /// Waits for executor.stream, and throws Error(invalid_argument) naming the first parameter that
  /// a run on a GPU found wrong since the last call. Nothing to do on the CPU.
  void check(const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::SamplingImpl> impl_;
};

}  // namespace weft
