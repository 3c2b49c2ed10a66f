// SPDX-License-Identifier: Apache-2.0
// Lengths of requests: none, short, mixed, skewed, around the edges of tiles and blocks.
#include "tests/cases/attention_case.h"

namespace weft::cases {
namespace {

std::vector<Lengths> repeat(int n, Lengths lengths) {
  return std::vector<Lengths>(static_cast<size_t>(n), lengths);
}

std::vector<Lengths> one_to_nine() {
  std::vector<Lengths> out;
  for (int n = 1; n <= 9; ++n) out.push_back({n, 40 * n + n});
  for (int n = 9; n >= 1; --n) out.push_back({n, n});
  return out;
}

/// KV around a block of 64, queries around a tile of 192 rows at group 2.
std::vector<Lengths> around_edges() {
  std::vector<Lengths> out;
  for (const int kv : {1, 63, 64, 65, 127, 128, 129, 255, 256, 257}) out.push_back({1, kv});
  for (const int qo : {95, 96, 97, 191, 192, 193}) out.push_back({qo, qo + 7});
  return out;
}

std::vector<Lengths> skewed() {
  std::vector<Lengths> out = repeat(20, {1, 9});
  out.push_back({1, 5000});
  out.push_back({40, 700});
  return out;
}

}  // namespace

std::vector<Lengths> mixed_lengths() {
  return {{70, 200}, {1, 333}, {5, 90}, {0, 40}, {1, 1}, {3, 0}};
}

std::vector<AttentionCase> length_cases() {
  return {
      {.name = "empty_batch", .requests = {}},
      {.name = "no_queries", .requests = {{0, 5}, {0, 0}, {0, 100}}},
      {.name = "no_keys", .requests = {{1, 0}, {7, 0}, {200, 0}}},
      {.name = "no_keys_no_mask", .mask = MaskMode::none, .requests = {{1, 0}, {7, 0}}},
      {.name = "one_key", .requests = {{1, 1}}},
      {.name = "more_queries_than_keys", .requests = {{9, 4}, {100, 3}, {300, 70}, {2, 1}}},
      {.name = "more_queries_than_keys_no_mask",
       .mask = MaskMode::none,
       .requests = {{9, 4}, {100, 3}, {300, 70}}},
      {.name = "mixed", .requests = mixed_lengths()},
      {.name = "mixed_no_mask", .mask = MaskMode::none, .requests = mixed_lengths()},
      {.name = "mixed_f32", .q = DType::f32, .kv = DType::f32, .requests = mixed_lengths()},
      {.name = "one_to_nine", .requests = one_to_nine()},
      {.name = "edges", .requests = around_edges()},
      {.name = "edges_no_mask", .mask = MaskMode::none, .requests = around_edges()},
      {.name = "edges_f32", .q = DType::f32, .kv = DType::f32, .requests = around_edges()},
      {.name = "skewed", .requests = skewed()},
      {.name = "many_tiny", .requests = repeat(150, {1, 3})},
      {.name = "many_decodes", .qo_heads = 2, .requests = repeat(70, {1, 77})},
      {.name = "square", .requests = {{400, 400}}},
      {.name = "square_no_mask", .mask = MaskMode::none, .requests = {{300, 300}}},
      {.name = "chunk_on_context", .requests = {{128, 1500}}},
      {.name = "empty_between", .requests = {{0, 0}, {5, 50}, {0, 0}, {0, 64}, {1, 64}, {0, 0}}},
  };
}

}  // namespace weft::cases
