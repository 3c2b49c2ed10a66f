// SPDX-License-Identifier: Apache-2.0
// The tensors of each operator's arguments, by their places in the struct, so that one function
// takes a case's arguments to the device. Used by BufferMirror.
#pragma once

#include "weft/weft.h"

namespace weft::test {

/// For each Args: `all`, an array of its tensors.
template <class Args>
struct TensorFields;

template <>
struct TensorFields<RopeArgs> {
  using A = RopeArgs;
  static constexpr TensorView A::*all[] = {
      &A::q,         &A::k,      &A::q_out,   &A::k_out,
      &A::positions, &A::indptr, &A::offsets, &A::cos_sin_cache};
};
template <>
struct TensorFields<MergeArgs> {
  using A = MergeArgs;
  static constexpr TensorView A::*all[] = {&A::o_in, &A::lse_in, &A::o, &A::lse};
};
template <>
struct TensorFields<MergePairArgs> {
  using A = MergePairArgs;
  static constexpr TensorView A::*all[] = {&A::o_a, &A::lse_a, &A::o_b, &A::lse_b,
                                           &A::o,   &A::lse,   &A::mask};
};
template <>
struct TensorFields<AppendArgs> {
  using A = AppendArgs;
  static constexpr TensorView A::*all[] = {&A::k,
                                           &A::v,
                                           &A::batch_indices,
                                           &A::positions,
                                           &A::kv_indptr,
                                           &A::kv_indices,
                                           &A::k_cache,
                                           &A::v_cache,
                                           &A::k_scales,
                                           &A::v_scales,
                                           &A::q,
                                           &A::q_out,
                                           &A::k_weight,
                                           &A::q_weight,
                                           &A::rope_positions,
                                           &A::cos_sin_cache};
};
template <>
struct TensorFields<NormArgs> {
  using A = NormArgs;
  static constexpr TensorView A::*all[] = {&A::x,        &A::weight, &A::bias,
                                           &A::residual, &A::out,    &A::scales};
};
template <>
struct TensorFields<ActivationArgs> {
  using A = ActivationArgs;
  static constexpr TensorView A::*all[] = {&A::x, &A::out, &A::scales};
};
template <>
struct TensorFields<PackBitsArgs> {
  using A = PackBitsArgs;
  static constexpr TensorView A::*all[] = {&A::x, &A::indptr, &A::out_indptr, &A::out};
};
template <>
struct TensorFields<SamplingArgs> {
  using A = SamplingArgs;
  static constexpr TensorView A::*all[] = {&A::input,
                                           &A::indices,
                                           &A::seed,
                                           &A::offset,
                                           &A::temperature,
                                           &A::top_k,
                                           &A::top_p,
                                           &A::min_p,
                                           &A::repetition_penalty,
                                           &A::frequency_penalty,
                                           &A::presence_penalty,
                                           &A::prompt_mask,
                                           &A::output_counts,
                                           &A::bias,
                                           &A::allowed,
                                           &A::token,
                                           &A::logprob,
                                           &A::status};
};
template <>
struct TensorFields<FilterArgs> {
  using A = FilterArgs;
  static constexpr TensorView A::*all[] = {&A::input, &A::temperature, &A::top_k,  &A::top_p,
                                           &A::min_p, &A::probs,       &A::masked, &A::status};
};
template <>
struct TensorFields<LogprobsArgs> {
  using A = LogprobsArgs;
  static constexpr TensorView A::*all[] = {&A::input,
                                           &A::indices,
                                           &A::temperature,
                                           &A::repetition_penalty,
                                           &A::frequency_penalty,
                                           &A::presence_penalty,
                                           &A::prompt_mask,
                                           &A::output_counts,
                                           &A::bias,
                                           &A::allowed,
                                           &A::token,
                                           &A::top_tokens,
                                           &A::top_logprobs,
                                           &A::token_logprob,
                                           &A::status};
};
template <>
struct TensorFields<TopkArgs> {
  using A = TopkArgs;
  static constexpr TensorView A::*all[] = {&A::input,      &A::lengths,      &A::row_starts,
                                           &A::page_table, &A::row_to_batch, &A::offsets,
                                           &A::indices,    &A::values};
};
template <>
struct TensorFields<VerifyArgs> {
  using A = VerifyArgs;
  static constexpr TensorView A::*all[] = {&A::draft_probs, &A::target_probs, &A::draft_tokens,
                                           &A::first_child, &A::next_sibling, &A::seed,
                                           &A::offset,      &A::tokens,       &A::accepted,
                                           &A::emitted,     &A::status};
};

}  // namespace weft::test
