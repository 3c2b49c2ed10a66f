// SPDX-License-Identifier: Apache-2.0
// The words of an attention variant that are fixed when a kernel is made: which mask shape, which
// rotary form. Values that may change from call to call (window, soft cap, scales, sinks, slopes)
// are run arguments and do not appear here.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Order of the two inner dimensions of a page or of a ragged KV tensor.
enum class KvLayout : uint8_t {
  nhd = 0,  // [num_pages, page_size, num_kv_heads, head_dim] | [nnz_kv, num_kv_heads, head_dim]
  hnd,      // [num_pages, num_kv_heads, page_size, head_dim] | [num_kv_heads, nnz_kv, head_dim]
};

enum class MaskMode : uint8_t {
  none = 0,
  causal,  // key j is visible to query i iff j <= i + kv_len - qo_len (bottom-right aligned)
  custom,  // bit (i * kv_len + j) of the request's bit string
  tree,    // keys before the last qo_len are visible; then bit (i * qo_len + j - (kv_len - qo_len))
};

enum class RopeMode : uint8_t {
  none = 0,
  neox,         // halves: (x[i], x[i + dim/2]) rotate together
  interleaved,  // pairs: (x[2i], x[2i+1]) rotate together
};

/// Rotary position embedding (Su et al., RoFormer, 2021). Frequency i of `dim` is
/// theta^(-2i/dim) / scale; with llama31 set, low frequencies only are divided by `scale`, high
/// ones are kept, and those between are blended (Llama 3.1 model card).
struct Rope {
  RopeMode mode = RopeMode::none;
  int dim = 0;  // rotated leading elements of a head; 0 = the whole head; even
  float theta = 10000.0f;
  float scale = 1.0f;
  bool llama31 = false;
  float low_freq_factor = 1.0f;
  float high_freq_factor = 4.0f;
  int old_context_len = 8192;

  bool operator==(const Rope&) const = default;
};

WEFT_HD constexpr const char* name_of(KvLayout l) { return l == KvLayout::nhd ? "nhd" : "hnd"; }

WEFT_HD constexpr const char* name_of(MaskMode m) {
  switch (m) {
    case MaskMode::none:
      return "none";
    case MaskMode::causal:
      return "causal";
    case MaskMode::custom:
      return "custom";
    case MaskMode::tree:
      return "tree";
  }
  return "invalid";
}

WEFT_HD constexpr const char* name_of(RopeMode m) {
  switch (m) {
    case RopeMode::none:
      return "none";
    case RopeMode::neox:
      return "neox";
    case RopeMode::interleaved:
      return "interleaved";
  }
  return "invalid";
}

}  // namespace weft
