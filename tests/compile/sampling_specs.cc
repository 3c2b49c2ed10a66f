// SPDX-License-Identifier: Apache-2.0
// sampling and topk kernels of typical vocabularies, as selected.
#include "src/ops/sampling/kernel.h"
#include "src/ops/topk/kernel.h"
#include "tests/compile/gate.h"

namespace weft::test {

namespace {

void topk_rows(std::vector<GateRow>& rows) {
  for (const bool sorted : {false, true}) {
    const std::string name = sorted ? "topk_sorted" : "topk";
    TopkConfig config{.dtype = DType::f32, .max_len = 128256, .k = 50, .sorted = sorted};
    TopkRowSpec spec = select_topk_row(config, Target::h200());
    const int most = 64 * 1024 / (spec.slices.num_threads * spec.slices.ctas_per_sm) / 8 * 8;
    rows.push_back(gate_row(name, spec, 90, most));
    for (const int cluster : kStreamClusters) {
      TopkRowSpec streamed = spec;
      streamed.slices = stream_slices(128256, cluster);
      rows.push_back(gate_row(name + "_stream" + std::to_string(cluster), streamed, 90, 64));
    }
    spec.vec = 1;
    rows.push_back(gate_row(name + "_narrow", spec, 90, most));
    config.max_len = 1 << 20;
    rows.push_back(gate_row(name + "_longest", select_topk_row(config, Target::h200()), 90, 64));
    for (const DType dtype : {DType::f32, DType::bf16}) {
      config = {.dtype = dtype,
                .max_len = 128256,
                .k = dtype == DType::f32 ? 2048 : 4096,
                .sorted = sorted};
      for (const TopkRowSpec& listed : select_topk_lists(config, Target::h200())) {
        rows.push_back(gate_row(name + "_" + name_of(dtype) + "_list" +
                                    std::to_string(listed.slices.cluster) + "_of_" +
                                    std::to_string(listed.slices.ctas_per_sm),
                                listed, 90, 128 / listed.slices.ctas_per_sm));
      }
    }
  }
}

}  // namespace

std::vector<GateRow> sampling_rows() {
  struct Row {
    const char* name;
    SamplingConfig config;
    SamplingJob job;
    int arch;
  };
  const SamplingConfig llama{.dtype = DType::f32, .vocab_size = 128256};
  const SamplingConfig small{.dtype = DType::bf16, .vocab_size = 32000};
  const SamplingConfig tiny{.dtype = DType::f16, .vocab_size = 16000};
  const SamplingConfig gemma{
      .dtype = DType::f16, .vocab_size = 262144, .input = SamplingInput::probs};
  const Row configs[] = {{"sampling_draw_f32", llama, SamplingJob::draw, 90},
                         {"sampling_filter_f32", llama, SamplingJob::filter, 90},
                         {"sampling_draw_small", small, SamplingJob::draw, 90},
                         {"sampling_draw_probs", gemma, SamplingJob::draw, 90},
                         {"sampling_filter_probs", gemma, SamplingJob::filter, 90},
                         {"sampling_draw_f32", llama, SamplingJob::draw, 100},
                         {"sampling_draw_tiny", tiny, SamplingJob::draw, 80}};
  std::vector<GateRow> rows;
  for (const Row& row : configs) {
    Target target = Target::h200();
    target.arch = row.arch;
    SamplingRowSpec spec = select_sampling_row(row.config, target, row.job, row.config.dtype);
    const int most = 64 * 1024 / (spec.slices.num_threads * spec.slices.ctas_per_sm) / 8 * 8;
    rows.push_back(gate_row(row.name, spec, row.arch, most));
    if (row.arch != 90) continue;
    for (const int cluster : kStreamClusters) {
      SamplingRowSpec streamed = spec;
      streamed.slices = stream_slices(row.config.vocab_size, cluster);
      rows.push_back(gate_row(std::string(row.name) + "_stream" + std::to_string(cluster), streamed,
                              row.arch, 64));
    }
    spec.vec = 1;
    rows.push_back(gate_row(std::string(row.name) + "_narrow", spec, row.arch, most));
  }
  topk_rows(rows);
  return rows;
}

}  // namespace weft::test
