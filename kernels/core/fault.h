// SPDX-License-Identifier: Apache-2.0
// RowFault: what a kernel on rows found wrong with an index or a parameter it read on the device,
// and the one word in which the first of them is kept. Written by rope, append, sampling,
// topk and logprobs kernels in checked mode, read by RowState in src/cuda/rows.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// The argument that is wrong.
enum class RowFault : uint8_t {
  positions = 1,
  indptr,
  offsets,
  batch_indices,
  kv_indptr,
  kv_indices,
  rope_positions,
  k_scales,
  v_scales,
  indices,
  temperature,
  top_p,
  min_p,
  repetition_penalty,
  frequency_penalty,
  presence_penalty,
  lengths,
  row_to_batch,
  row_starts,
  token,
};

/// The word while nothing was wrong. A fault word is smaller the earlier its token.
inline constexpr uint64_t kNoFault = ~uint64_t{0};

/// `index` of the token, or of the head for scales.
WEFT_HD constexpr uint64_t fault_word(RowFault fault, int64_t index) {
  return uint64_t(index) << 8 | uint64_t(fault);
}

WEFT_HD constexpr const char* name_of(RowFault fault) {
  switch (fault) {
    case RowFault::positions:
      return "positions";
    case RowFault::indptr:
      return "indptr";
    case RowFault::offsets:
      return "offsets";
    case RowFault::batch_indices:
      return "batch_indices";
    case RowFault::kv_indptr:
      return "kv_indptr";
    case RowFault::kv_indices:
      return "kv_indices";
    case RowFault::rope_positions:
      return "rope_positions";
    case RowFault::k_scales:
      return "k_scales";
    case RowFault::v_scales:
      return "v_scales";
    case RowFault::indices:
      return "indices";
    case RowFault::temperature:
      return "temperature";
    case RowFault::top_p:
      return "top_p";
    case RowFault::min_p:
      return "min_p";
    case RowFault::repetition_penalty:
      return "repetition_penalty";
    case RowFault::frequency_penalty:
      return "frequency_penalty";
    case RowFault::presence_penalty:
      return "presence_penalty";
    case RowFault::lengths:
      return "lengths";
    case RowFault::row_starts:
      return "row_starts";
    case RowFault::row_to_batch:
      return "row_to_batch";
    case RowFault::token:
      return "token";
  }
  return "invalid";
}

}  // namespace weft
