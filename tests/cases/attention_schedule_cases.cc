// SPDX-License-Identifier: Apache-2.0
// KV without pages, split KV, the batch-invariant mode, odd numbers of workers; long contexts.
#include "tests/cases/attention_case.h"

namespace weft::cases {

std::vector<AttentionCase> ragged_cases() {
  struct Row {
    const char* name;
    Storage storage;
  };
  constexpr Row kRows[] = {
      {"separate", Storage::separate}, {"joined", Storage::joined}, {"strided", Storage::strided}};
  std::vector<AttentionCase> out;
  for (const Row& row : kRows) {
    for (const KvLayout layout : {KvLayout::nhd, KvLayout::hnd}) {
      for (const DType kv : {DType::bf16, DType::f32, DType::e5m2}) {
        out.push_back({.name = std::string(row.name) + "_" + name_of(layout) + "_" + name_of(kv),
                       .kv = kv,
                       .page_size = 0,
                       .layout = layout,
                       .storage = row.storage,
                       .strided_io = row.storage == Storage::strided,
                       .requests = mixed_lengths()});
      }
    }
  }
  out.push_back({.name = "packed_qkv",
                 .page_size = 0,
                 .storage = Storage::packed_qkv,
                 .requests = {{40, 40}, {0, 0}, {130, 130}, {1, 1}}});
  out.push_back({.name = "ragged_no_keys", .page_size = 0, .requests = {{3, 0}, {0, 0}}});
  out.push_back({.name = "ragged_window_no_mask",
                 .page_size = 0,
                 .mask = MaskMode::none,
                 .requests = mixed_lengths(),
                 .window = 30});
  return out;
}

std::vector<AttentionCase> schedule_cases() {
  std::vector<AttentionCase> out;
  for (const int workers : {1, 2, 3, 7, 13, 64, 300}) {
    out.push_back({.name = "workers_" + std::to_string(workers),
                   .num_workers = workers,
                   .requests = {{1, 2000}, {1, 9}, {100, 500}, {3, 700}}});
  }
  for (const int split : {64, 128, 256, 1024}) {
    for (const MaskMode mask : {MaskMode::none, MaskMode::causal}) {
      out.push_back(
          {.name = std::string("invariant_") + name_of(mask) + "_split_" + std::to_string(split),
           .mask = mask,
           .schedule = ScheduleMode::batch_invariant,
           .split_kv = split,
           .requests = {{1, 3000}, {1, 9}, {100, 500}, {3, 1100}, {2, 0}, {5, 3}}});
    }
    out.push_back({.name = "invariant_window_split_" + std::to_string(split),
                   .schedule = ScheduleMode::batch_invariant,
                   .split_kv = split,
                   .window_hint = 200,
                   .requests = {{1, 3000}, {100, 500}, {3, 1100}},
                   .window = 300,
                   .sink = true});
    out.push_back({.name = "invariant_f32_split_" + std::to_string(split),
                   .q = DType::f32,
                   .kv = DType::f32,
                   .mask = MaskMode::tree,
                   .schedule = ScheduleMode::batch_invariant,
                   .split_kv = split,
                   .requests = {{1, 3000}, {1, 9}, {3, 1100}},
                   .soft_cap = 12,
                   .alibi = true});
  }
  return out;
}

std::vector<AttentionCase> long_cases() {
  std::vector<Lengths> many;
  for (int r = 0; r < 300; ++r) many.push_back({r % 40 == 0 ? 60 : 1, 17 * r % 900 + 60});
  return {
      {.name = "one_long_decode", .qo_heads = 8, .head_dim = 128, .requests = {{1, 40000}}},
      {.name = "one_long_decode_f32",
       .q = DType::f32,
       .kv = DType::f32,
       .requests = {{1, 30000}},
       .sink = true},
      {.name = "decode_128k", .qo_heads = 4, .kv_heads = 1, .requests = {{1, 131072}, {1, 5}}},
      {.name = "long_window", .requests = {{1, 40000}, {100, 9000}}, .window = 1000},
      {.name = "prefill_1k", .qo_heads = 8, .head_dim = 128, .requests = {{1024, 1024}}},
      {.name = "chunk_on_8k", .head_dim = 128, .requests = {{256, 8192}}},
      {.name = "batch_300", .qo_heads = 8, .requests = many},
      {.name = "batch_300_hnd_page_1", .page_size = 1, .layout = KvLayout::hnd, .requests = many},
      {.name = "mla_long",
       .qo_heads = 32,
       .kv_heads = 1,
       .head_dim = 576,
       .head_dim_vo = 512,
       .page_size = 64,
       .storage = Storage::value_in_key,
       .requests = {{1, 4000}, {2, 1000}}},
      {.name = "llama31_long",
       .rope = {.mode = RopeMode::neox, .theta = 5e5f, .scale = 8, .llama31 = true},
       .requests = {{1, 20000}, {3, 12000}}},
      {.name = "invariant_long",
       .schedule = ScheduleMode::batch_invariant,
       .requests = {{1, 30000}, {1, 12000}, {200, 3000}}},
  };
}

}  // namespace weft::cases
