// SPDX-License-Identifier: Apache-2.0
// Groups of query heads over a KV head, and head dimensions.
#include "tests/cases/attention_case.h"

namespace weft::cases {
namespace {

void add_groups(std::vector<AttentionCase>& out) {
  for (const int group : {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32, 64, 128}) {
    const int kv_heads = group < 32 ? 2 : 1;
    out.push_back({.name = "group_" + std::to_string(group),
                   .qo_heads = group * kv_heads,
                   .kv_heads = kv_heads,
                   .requests = {{1, 150}, {4, 70}, {33, 90}, {1, 300}}});
    out.push_back({.name = "group_" + std::to_string(group) + "_f32_no_mask",
                   .q = DType::f32,
                   .kv = DType::f32,
                   .qo_heads = group * kv_heads,
                   .kv_heads = kv_heads,
                   .head_dim = 32,
                   .mask = MaskMode::none,
                   .requests = {{1, 150}, {2, 70}, {17, 90}}});
  }
  for (const int kv_heads : {1, 3, 5, 8, 13, 40}) {
    out.push_back({.name = "kv_heads_" + std::to_string(kv_heads),
                   .qo_heads = 2 * kv_heads,
                   .kv_heads = kv_heads,
                   .head_dim = 32,
                   .requests = {{1, 400}, {20, 90}, {3, 64}}});
  }
}

void add_dims(std::vector<AttentionCase>& out) {
  struct Dims {
    int qk;
    int vo;
  };
  constexpr Dims kDims[] = {{8, 0},    {16, 0},   {24, 0},    {32, 0},   {40, 0},  {48, 0},
                            {64, 0},   {72, 0},   {80, 0},    {96, 0},   {112, 0}, {120, 0},
                            {128, 0},  {200, 0},  {224, 0},   {256, 0},  {512, 0}, {192, 128},
                            {64, 128}, {72, 200}, {576, 512}, {128, 64}, {264, 8}};
  for (const Dims d : kDims) {
    std::string name = "dim_" + std::to_string(d.qk);
    if (d.vo != 0) name += "_" + std::to_string(d.vo);
    for (const DType t : {DType::bf16, DType::f16, DType::f32}) {
      out.push_back({.name = name + "_" + name_of(t),
                     .q = t,
                     .kv = t,
                     .head_dim = d.qk,
                     .head_dim_vo = d.vo,
                     .requests = {{1, 140}, {3, 66}, {30, 70}}});
    }
    out.push_back({.name = name + "_hnd_strided",
                   .head_dim = d.qk,
                   .head_dim_vo = d.vo,
                   .page_size = 3,
                   .layout = KvLayout::hnd,
                   .storage = Storage::strided,
                   .strided_io = true,
                   .requests = {{1, 70}, {9, 66}}});
  }
}

/// One KV head whose value is a part of its key.
void add_mla(std::vector<AttentionCase>& out) {
  for (const int group : {1, 16, 128}) {
    for (const int page_size : {1, 64}) {
      out.push_back(
          {.name = "mla_group_" + std::to_string(group) + "_page_" + std::to_string(page_size),
           .qo_heads = group,
           .kv_heads = 1,
           .head_dim = 576,
           .head_dim_vo = 512,
           .page_size = page_size,
           .storage = Storage::value_in_key,
           .requests = {{1, 200}, {2, 65}, {4, 3}}});
    }
  }
  out.push_back({.name = "mla_e4m3",
                 .kv = DType::e4m3,
                 .qo_heads = 16,
                 .kv_heads = 1,
                 .head_dim = 576,
                 .head_dim_vo = 512,
                 .storage = Storage::value_in_key,
                 .requests = {{1, 200}, {2, 65}}});
  out.push_back({.name = "mla_ragged",
                 .qo_heads = 16,
                 .kv_heads = 1,
                 .head_dim = 576,
                 .head_dim_vo = 512,
                 .page_size = 0,
                 .storage = Storage::value_in_key,
                 .requests = {{1, 200}, {20, 65}}});
}

}  // namespace

std::vector<AttentionCase> head_cases() {
  std::vector<AttentionCase> out;
  add_groups(out);
  add_dims(out);
  add_mla(out);
  return out;
}

}  // namespace weft::cases
