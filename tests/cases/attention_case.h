// SPDX-License-Identifier: Apache-2.0
// One row of an attention case table: what the model, the step and the layer bring, with the
// numbers left out. The tables are in attention_*_cases.cc; attention_data.h makes tensors of a row
// and run_case.h runs it on a backend. Rows know no backend.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "weft/attention.h"

namespace weft::cases {

struct Lengths {
  int qo = 0;
  int kv = 0;
  int id =
      -1;  // requests with the same id and seed hold the same numbers; -1 = the place in a batch
};

/// How K and V lie in memory.
enum class Storage {
  separate,       // two dense tensors
  joined,         // one tensor [num_pages, 2, ...]
  layer_in_page,  // one tensor [num_pages, 3 layers, 2, ...], the middle layer
  strided,        // every stride padded by an odd number of elements, base not aligned to a vector
  value_in_key,   // v is the first head_dim_vo columns of k (MLA)
  packed_qkv,     // ragged: q, k and v are columns of one [nnz, heads, dim] tensor
  huge_pages,     // page ids whose offsets lie on both sides of 2^31 and 2^32 bytes and elements
};

/// What rows of a page that hold no token contain.
enum class Poison { nan, infinity };

struct AttentionCase {
  std::string name;

  DType q = DType::bf16;
  DType kv = DType::bf16;
  DType o = DType::none;
  int qo_heads = 4;
  int kv_heads = 2;
  int head_dim = 64;
  int head_dim_vo = 0;
  int page_size = 16;
  KvLayout layout = KvLayout::nhd;
  Storage storage = Storage::separate;
  bool strided_io = false;  // q, o and lse with padded strides
  Poison poison = Poison::nan;
  MaskMode mask = MaskMode::causal;
  Rope rope;
  ScheduleMode schedule = ScheduleMode::deterministic;
  int split_kv = 0;
  int window_hint = -1;

  int num_workers = 0;  // of the target; 0 = as it comes

  std::vector<Lengths> requests;

  int window = -1;
  float soft_cap = 0;
  std::optional<float> sm_scale;
  float k_scale = 1;
  float v_scale = 1;
  bool head_scales = false;
  bool sink = false;
  bool alibi = false;
  bool lse = true;
  bool base2 = false;
  float magnitude = 1;  // of q; 1 gives logits of about N(0, 1), 8 a peaked softmax
};

/// How test frameworks print a row.
inline void PrintTo(const AttentionCase& c, std::ostream* out) { *out << c.name; }

AttentionConfig config_of(const AttentionCase& c);

/// The tables. Together they cover the conformance cases of docs/semantics.md.
std::vector<AttentionCase> page_cases();    // page sizes, layouts, storage, poison, 64-bit offsets
std::vector<AttentionCase> length_cases();  // empty, short, mixed and skewed requests
std::vector<AttentionCase> head_cases();    // groups and head dimensions
std::vector<AttentionCase> mask_cases();    // causal, window, custom, tree
std::vector<AttentionCase> value_cases();   // soft cap, scales, sinks, ALiBi, lse
std::vector<AttentionCase> rope_cases();    // fused RoPE
std::vector<AttentionCase> dtype_cases();   // every combination of q, KV and o
std::vector<AttentionCase> ragged_cases();  // KV without pages
std::vector<AttentionCase> schedule_cases();  // split KV, batch-invariant mode
std::vector<AttentionCase> long_cases();      // long contexts; slow

/// A prompt chunk, a decode, a verify and an empty request in one batch.
std::vector<Lengths> mixed_lengths();

}  // namespace weft::cases
