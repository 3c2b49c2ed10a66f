// SPDX-License-Identifier: Apache-2.0
// sampling and topk kernels of typical vocabularies, as selected.
#include "src/ops/sampling/kernel.h"
#include "src/ops/topk/kernel.h"
#include "tests/compile/gate.h"

namespace weft::test {

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
  for (const bool sorted : {false, true}) {
    TopkRowSpec spec = select_topk_row(
        {.dtype = DType::f32, .max_len = 128256, .k = 2048, .sorted = sorted}, Target::h200());
    const int most = 64 * 1024 / (spec.slices.num_threads * spec.slices.ctas_per_sm) / 8 * 8;
    rows.push_back(gate_row(sorted ? "topk_sorted" : "topk", spec, 90, most));
    for (const int cluster : kStreamClusters) {
      TopkRowSpec streamed = spec;
      streamed.slices = stream_slices(128256, cluster);
      rows.push_back(
          gate_row((sorted ? "topk_sorted_stream" : "topk_stream") + std::to_string(cluster),
                   streamed, 90, 64));
    }
    spec.vec = 1;
    rows.push_back(gate_row(sorted ? "topk_sorted_narrow" : "topk_narrow", spec, 90, most));
  }
  return rows;
}

}  // namespace weft::test
