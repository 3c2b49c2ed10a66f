// SPDX-License-Identifier: Apache-2.0
// Values given at run: soft cap, scales, sinks, slopes, the base of lse; peaked and flat softmax.
#include "tests/cases/attention_case.h"

namespace weft::cases {
namespace {

std::vector<Lengths> lengths() { return {{1, 500}, {60, 150}, {4, 70}, {7, 5}, {2, 0}}; }

void add_f32_and_bf16(std::vector<AttentionCase>& out, AttentionCase c) {
  const std::string name = c.name;
  c.requests = lengths();
  c.name = name + "_bf16";
  out.push_back(c);
  c.name = name + "_f32";
  c.q = c.kv = DType::f32;
  out.push_back(c);
}

}  // namespace

std::vector<AttentionCase> value_cases() {
  std::vector<AttentionCase> out;
  const AttentionCase rows[] = {
      {.name = "cap_30", .soft_cap = 30, .magnitude = 20},
      {.name = "cap_half", .soft_cap = 0.5f},
      {.name = "cap_50_window", .window = 33, .soft_cap = 50, .magnitude = 60},
      {.name = "scale", .sm_scale = 0.03f},
      {.name = "scale_one", .sm_scale = 1.0f},
      {.name = "scale_zero", .sm_scale = 0.0f},
      {.name = "scale_negative", .sm_scale = -0.1f},
      {.name = "tensor_scales", .k_scale = 0.25f, .v_scale = -1.75f},
      {.name = "head_scales", .head_scales = true},
      {.name = "all_scales", .sm_scale = 0.2f, .k_scale = 0.5f, .v_scale = 3, .head_scales = true},
      {.name = "cap_and_scales", .soft_cap = 3, .k_scale = 2, .v_scale = 2, .head_scales = true},
      {.name = "sinks", .sink = true},
      {.name = "sinks_no_mask", .mask = MaskMode::none, .sink = true},
      {.name = "sinks_window_cap", .window = 20, .soft_cap = 10, .sink = true},
      {.name = "sinks_base2", .sink = true, .base2 = true},
      {.name = "sinks_unlike_logits", .sink = true, .magnitude = 40},
      {.name = "alibi", .alibi = true},
      {.name = "alibi_no_mask", .mask = MaskMode::none, .alibi = true},
      {.name = "alibi_cap_window", .window = 100, .soft_cap = 5, .alibi = true},
      {.name = "alibi_group_3", .qo_heads = 6, .alibi = true},
      // Slopes times distances of -60: what rounding a logit in f32 costs shows.
      {.name = "alibi_steep", .qo_heads = 14, .sm_scale = 0.01f, .alibi = true},
      {.name = "base2", .base2 = true},
      {.name = "no_lse", .lse = false},
      {.name = "flat", .magnitude = 0.01f},
      {.name = "peaked", .magnitude = 8},
      {.name = "very_peaked", .magnitude = 100},
      {.name = "huge_logits", .magnitude = 1e11f},
      {.name = "everything",
       .window = 90,
       .soft_cap = 15,
       .sm_scale = 0.4f,
       .k_scale = 0.5f,
       .v_scale = 0.5f,
       .head_scales = true,
       .sink = true,
       .alibi = true,
       .base2 = true},
  };
  for (const AttentionCase& row : rows) add_f32_and_bf16(out, row);
  return out;
}

}  // namespace weft::cases
