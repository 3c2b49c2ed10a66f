// SPDX-License-Identifier: Apache-2.0
// C++ arguments as C structs, so that a test can make one call through both APIs. The way back is
// the library's own (src/api), which this must not use.
#pragma once

#include <array>
#include <deque>

#include "weft/c_activation.h"
#include "weft/c_api.h"
#include "weft/c_norm.h"
#include "weft/c_packbits.h"
#include "weft/weft.h"

namespace weft::capi_test {

/// Tensors of a call, kept alive. An absent view becomes NULL.
class Tensors {
 public:
  const weft_tensor* add(const TensorView& view);

 private:
  struct Entry {
    weft_tensor tensor;
    std::array<int64_t, kMaxDims> shape;
    std::array<int64_t, kMaxDims> strides;
  };
  std::deque<Entry> entries_;
};

weft_target to_c(const Target& target);
weft_rope_form to_c(const Rope& rope);
/// `form` receives config.rope and must outlive the result.
weft_attention_config to_c(const AttentionConfig& config, weft_rope_form& form);
weft_attention_batch to_c(const AttentionBatch& batch, Tensors& tensors);
/// sm_scale is borrowed from `args`.
weft_attention_args to_c(const AttentionArgs& args, Tensors& tensors);
weft_append_config to_c(const AppendConfig& config, weft_rope_form& form);
weft_append_args to_c(const AppendArgs& args, Tensors& tensors);
weft_packbits_args to_c(const PackBitsArgs& args, Tensors& tensors);
weft_norm_config to_c(const NormConfig& config);
weft_norm_args to_c(const NormArgs& args, Tensors& tensors);
weft_activation_config to_c(const ActivationConfig& config);
weft_activation_args to_c(const ActivationArgs& args, Tensors& tensors);
weft_merge_config to_c(const MergeConfig& config);
weft_merge_args to_c(const MergeArgs& args, Tensors& tensors);
weft_merge_pair_args to_c(const MergePairArgs& args, Tensors& tensors);
weft_rope_config to_c(const RopeConfig& config, weft_rope_form& form);
weft_rope_args to_c(const RopeArgs& args, Tensors& tensors);

}  // namespace weft::capi_test
