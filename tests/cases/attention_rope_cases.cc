// SPDX-License-Identifier: Apache-2.0
// Rotary embedding fused on q and k at load.
#include "tests/cases/attention_case.h"

namespace weft::cases {

namespace {

struct Row {
  const char* name;
  Rope rope;
};
const Row kRopes[] = {
    {"neox", {.mode = RopeMode::neox}},
    {"interleaved", {.mode = RopeMode::interleaved}},
    {"neox_half", {.mode = RopeMode::neox, .dim = 32}},
    {"interleaved_half", {.mode = RopeMode::interleaved, .dim = 32}},
    {"neox_20", {.mode = RopeMode::neox, .dim = 20}},
    {"interleaved_2", {.mode = RopeMode::interleaved, .dim = 2}},
    {"neox_theta_scale", {.mode = RopeMode::neox, .theta = 1e6f, .scale = 4}},
    {"interleaved_scale", {.mode = RopeMode::interleaved, .scale = 0.5f}},
    {"llama31", {.mode = RopeMode::neox, .theta = 5e5f, .scale = 8, .llama31 = true}},
    {"llama31_short",
     {.mode = RopeMode::interleaved,
      .theta = 1e4f,
      .scale = 32,
      .llama31 = true,
      .low_freq_factor = 1,
      .high_freq_factor = 8,
      .old_context_len = 256}},
};

const Rope neox{.mode = RopeMode::neox};
const Rope pairs{.mode = RopeMode::interleaved, .dim = 64};

/// Tiles of many queries, gathered keys, and every width of a row.
std::vector<AttentionCase> prompt_cases() {
  return {
      {.name = "dim_128_group_4",
       .qo_heads = 8,
       .head_dim = 128,
       .rope = neox,
       .requests = {{60, 300}, {130, 130}, {0, 9}, {7, 3}}},
      {.name = "dim_128_interleaved",
       .head_dim = 128,
       .rope = {.mode = RopeMode::interleaved},
       .requests = {{60, 300}, {70, 70}}},
      {.name = "dim_128_page_1",
       .head_dim = 128,
       .page_size = 1,
       .rope = neox,
       .requests = {{60, 300}, {70, 70}}},
      {.name = "dim_64_page_7",
       .page_size = 7,
       .rope = {.mode = RopeMode::interleaved},
       .requests = {{60, 300}, {70, 70}}},
      {.name = "dim_256", .head_dim = 256, .rope = neox, .requests = {{20, 90}, {70, 70}}},
  };
}

}  // namespace

std::vector<AttentionCase> rope_cases() {
  const std::vector<Lengths> lengths{{1, 300}, {40, 110}, {3, 64}, {9, 4}};
  std::vector<AttentionCase> out;
  for (const Row& row : kRopes) {
    const std::string name = row.name;
    out.push_back({.name = name + "_bf16", .rope = row.rope, .requests = lengths});
    out.push_back({.name = name + "_f32",
                   .q = DType::f32,
                   .kv = DType::f32,
                   .rope = row.rope,
                   .requests = lengths});
  }
  const std::vector<AttentionCase> more{
      // Negative positions rotate, too: without a mask the first queries see every key.
      {.name = "more_queries_no_mask", .mask = MaskMode::none, .rope = neox, .requests = {{20, 4}}},
      {.name = "f16", .q = DType::f16, .kv = DType::f16, .rope = neox, .requests = lengths},
      {.name = "e4m3", .kv = DType::e4m3, .rope = neox, .requests = lengths, .k_scale = 0.5f},
      {.name = "e5m2", .kv = DType::e5m2, .rope = pairs, .requests = lengths},
      {.name = "ragged_hnd",
       .page_size = 0,
       .layout = KvLayout::hnd,
       .rope = neox,
       .requests = lengths},
      {.name = "dim_80", .head_dim = 80, .rope = neox, .requests = lengths},
      {.name = "dim_192_128_partial",
       .head_dim = 192,
       .head_dim_vo = 128,
       .rope = pairs,
       .requests = lengths},
      {.name = "mla_view",
       .qo_heads = 16,
       .kv_heads = 1,
       .head_dim = 576,
       .head_dim_vo = 512,
       .storage = Storage::value_in_key,
       .rope = pairs,
       .requests = {{1, 90}, {3, 10}}},
      {.name = "window_cap_alibi_sinks",
       .rope = neox,
       .requests = lengths,
       .window = 50,
       .soft_cap = 8,
       .sink = true,
       .alibi = true},
      {.name = "custom_mask", .mask = MaskMode::custom, .rope = neox, .requests = lengths},
      {.name = "tree_mask", .mask = MaskMode::tree, .rope = neox, .requests = lengths},
  };
  for (const auto& rows : {more, prompt_cases()}) out.insert(out.end(), rows.begin(), rows.end());
  return out;
}

}  // namespace weft::cases
