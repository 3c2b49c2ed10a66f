// SPDX-License-Identifier: Apache-2.0
// The wgmma attention kernel for each tile shape that select can choose. Hopper's own instructions:
// sm_90a only.
#include "src/ops/attention/wgmma.h"
#include "tests/compile/gate.h"

namespace weft::test {

std::vector<GateRow> attention_wgmma_rows() {
  struct Row {
    const char* name;
    DType dtype;
    int head_dim_qk;
    int head_dim_vo;
    MaskMode mask;
    DType dtype_o = DType::none;
    int page_size = 0;
    Rope rope{};
  };
  const Rope neox{.mode = RopeMode::neox, .theta = 5e5f};
  const Rope pairs{.mode = RopeMode::interleaved};
  const Row rows[] = {
      {"wgmma_hd64", DType::bf16, 64, 64, MaskMode::causal},
      {"wgmma_hd96", DType::f16, 96, 96, MaskMode::causal},
      {"wgmma_hd128", DType::bf16, 128, 128, MaskMode::causal},
      {"wgmma_hd128_full", DType::f16, 128, 128, MaskMode::none},
      {"wgmma_hd128_custom", DType::bf16, 128, 128, MaskMode::custom},
      {"wgmma_hd128_tree", DType::bf16, 128, 128, MaskMode::tree},
      {"wgmma_hd128_f32", DType::bf16, 128, 128, MaskMode::causal, DType::f32},
      {"wgmma_hd64_page16", DType::bf16, 64, 64, MaskMode::causal, DType::none, 16},
      {"wgmma_hd96_page16", DType::bf16, 96, 96, MaskMode::causal, DType::none, 16},
      {"wgmma_hd128_page16", DType::bf16, 128, 128, MaskMode::causal, DType::none, 16},
      {"wgmma_hd256_page16", DType::bf16, 256, 256, MaskMode::causal, DType::none, 16},
      {"wgmma_hd128_page1", DType::bf16, 128, 128, MaskMode::causal, DType::none, 1},
      {"wgmma_hd64_page1", DType::bf16, 64, 64, MaskMode::causal, DType::none, 1},
      {"wgmma_hd192_128_page1", DType::bf16, 192, 128, MaskMode::causal, DType::none, 1},
      {"wgmma_hd256_page1", DType::bf16, 256, 256, MaskMode::causal, DType::none, 1},
      {"wgmma_hd192_128", DType::bf16, 192, 128, MaskMode::causal},
      {"wgmma_hd256", DType::bf16, 256, 256, MaskMode::causal},
      {"wgmma_hd128_rope", DType::bf16, 128, 128, MaskMode::causal, DType::none, 16, neox},
      {"wgmma_hd128_rope_pairs", DType::f16, 128, 128, MaskMode::causal, DType::none, 0, pairs},
      {"wgmma_hd128_rope_page1", DType::bf16, 128, 128, MaskMode::causal, DType::none, 1, neox},
      {"wgmma_hd64_rope", DType::bf16, 64, 64, MaskMode::causal, DType::none, 16, neox},
      {"wgmma_hd64_rope_page1", DType::bf16, 64, 64, MaskMode::causal, DType::none, 1, neox},
      {"wgmma_hd256_rope", DType::bf16, 256, 256, MaskMode::causal, DType::none, 16, neox},
      {"wgmma_hd256_full", DType::bf16, 256, 256, MaskMode::none},
  };
  std::vector<GateRow> gate;
  for (const Row& row : rows) {
    AttentionConfig config;
    config.dtype_q = config.dtype_kv = row.dtype;
    config.dtype_o = row.dtype_o == DType::none ? row.dtype : row.dtype_o;
    config.page_size = row.page_size;
    config.num_qo_heads = config.num_kv_heads = 8;
    config.head_dim_qk = row.head_dim_qk;
    config.head_dim_vo = row.head_dim_vo;
    config.mask = row.mask;
    config.rope = row.rope;
    // What the cap at entry leaves; setmaxnreg deals them out again.
    const AttentionWgmmaSpec spec = wgmma_spec(config);
    gate.push_back(gate_row(row.name, spec, 90, spec.num_threads() == 512 ? 128 : 168));
  }
  return gate;
}

}  // namespace weft::test
