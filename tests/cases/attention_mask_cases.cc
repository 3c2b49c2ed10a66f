// SPDX-License-Identifier: Apache-2.0
// Which keys a query sees: causal or not, windows at tile edges, custom bits, trees.
#include "tests/cases/attention_case.h"

namespace weft::cases {
namespace {

std::vector<Lengths> lengths() { return {{1, 200}, {70, 200}, {9, 130}, {20, 10}, {130, 130}}; }

void add_windows(std::vector<AttentionCase>& out) {
  for (const MaskMode mask : {MaskMode::none, MaskMode::causal}) {
    for (const int window : {0, 1, 15, 63, 64, 65, 127, 128, 129, 199, 1 << 30}) {
      out.push_back({.name = std::string(name_of(mask)) + "_window_" + std::to_string(window),
                     .mask = mask,
                     .window_hint = window,
                     .requests = lengths(),
                     .window = window});
    }
  }
  // The hint of the plan is off, too small or too large: the call's window acts all the same.
  for (const int hint : {-1, 0, 10, 300}) {
    const std::string name = hint < 0 ? "off" : std::to_string(hint);
    out.push_back({.name = "hint_" + name + "_window_64",
                   .window_hint = hint,
                   .requests = {{1, 900}, {70, 700}, {5, 64}},
                   .window = 64});
    out.push_back({.name = "hint_" + name + "_no_window",
                   .window_hint = hint,
                   .requests = {{1, 900}, {70, 700}, {5, 64}}});
  }
}

void add_bits(std::vector<AttentionCase>& out) {
  for (const MaskMode mask : {MaskMode::custom, MaskMode::tree}) {
    const std::string name = name_of(mask);
    out.push_back({.name = name, .mask = mask, .requests = lengths()});
    out.push_back({.name = name + "_window", .mask = mask, .requests = lengths(), .window = 40});
    out.push_back({.name = name + "_f32",
                   .q = DType::f32,
                   .kv = DType::f32,
                   .mask = mask,
                   .requests = lengths()});
    out.push_back({.name = name + "_sinks_cap",
                   .mask = mask,
                   .requests = lengths(),
                   .soft_cap = 20,
                   .sink = true});
    out.push_back({.name = name + "_group_7_odd_lengths",
                   .qo_heads = 7,
                   .kv_heads = 1,
                   .mask = mask,
                   .requests = {{5, 301}, {0, 7}, {3, 0}, {13, 13}, {7, 65}, {11, 4}}});
    out.push_back({.name = name + "_long_split", .mask = mask, .requests = {{6, 1400}, {1, 20}}});
    out.push_back({.name = name + "_ragged_hnd",
                   .page_size = 0,
                   .layout = KvLayout::hnd,
                   .mask = mask,
                   .requests = lengths()});
  }
}

}  // namespace

std::vector<AttentionCase> mask_cases() {
  std::vector<AttentionCase> out;
  add_windows(out);
  add_bits(out);
  return out;
}

}  // namespace weft::cases
