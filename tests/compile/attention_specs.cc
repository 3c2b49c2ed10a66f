// SPDX-License-Identifier: Apache-2.0
// The mma.sync attention kernel of typical configs. It uses nothing of Hopper's own, so decode is
// compiled for every architecture, which is not to say tested there.
#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "tests/compile/gate.h"

namespace weft::test {
namespace {

AttentionConfig config_of(int qo_heads, int kv_heads, int head_dim, int mean_qo_len) {
  AttentionConfig c;
  c.num_qo_heads = qo_heads;
  c.num_kv_heads = kv_heads;
  c.head_dim_qk = head_dim;
  c.page_size = 16;
  c.max_batch_size = 64;
  c.max_nnz_qo = 64 * mean_qo_len;
  return c;
}

// `alone`: the kernel that runs everything, on sm_90 of configs the wgmma kernel does not do.
GateRow row_of(const char* name, const AttentionConfig& config, int arch, bool alone = true) {
  Target target = Target::h200();
  target.arch = alone && arch == 90 ? 89 : arch;
  if (arch != 90) target.smem_per_sm = 100 * 1024;  // the smallest since sm_80
  const AttentionSpec spec = select_attention_cuda(checked_config(config), target);
  return gate_row(name, mma_spec(spec, target), arch, 255);
}

}  // namespace

std::vector<GateRow> attention_rows() {
  const AttentionConfig decode = config_of(32, 8, 128, 1);
  AttentionConfig f16 = decode;
  f16.dtype_q = f16.dtype_kv = DType::f16;
  AttentionConfig rope = decode;
  rope.rope = {.mode = RopeMode::neox, .theta = 5e5f, .scale = 8, .llama31 = true};
  AttentionConfig bytes = decode;
  bytes.dtype_kv = DType::e4m3;
  AttentionConfig rotated_bytes = rope;
  rotated_bytes.dtype_kv = DType::e5m2;
  AttentionConfig custom = config_of(32, 8, 128, 4);
  custom.mask = MaskMode::custom;
  AttentionConfig tree = config_of(32, 8, 128, 16);
  tree.mask = MaskMode::tree;
  AttentionConfig invariant = decode;
  invariant.schedule = ScheduleMode::batch_invariant;
  AttentionConfig narrow_values = config_of(16, 16, 192, 64);
  narrow_values.head_dim_vo = 128;
  AttentionConfig mla = config_of(16, 1, 576, 1);
  mla.head_dim_vo = 512;
  const struct {
    const char* name;
    AttentionConfig config;
  } rows[] = {
      {"decode_d64", config_of(64, 8, 64, 1)},
      {"decode_d80", config_of(32, 32, 80, 1)},
      {"decode_d256", config_of(16, 8, 256, 1)},
      {"decode_f16", f16},
      {"decode_rope", rope},
      {"decode_e4m3", bytes},
      {"decode_e5m2_rope", rotated_bytes},
      {"decode_invariant", invariant},
      {"verify_custom", custom},
      {"verify_tree", tree},
      {"chunk_d128", config_of(32, 8, 128, 128)},
      {"chunk_d256", config_of(16, 8, 256, 128)},
      {"chunk_d192_128", narrow_values},
      {"decode_d512", config_of(16, 8, 512, 1)},
      {"decode_d576_512", mla},
  };
  std::vector<GateRow> all;
  for (const int arch : {80, 89, 90, 100, 120}) all.push_back(row_of("decode_d128", decode, arch));
  for (const auto& row : rows) all.push_back(row_of(row.name, row.config, 90));
  all.push_back(row_of("beside_wgmma", config_of(32, 8, 128, 32), 90, false));
  return all;
}

}  // namespace weft::test
