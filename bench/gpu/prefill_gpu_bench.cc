// SPDX-License-Identifier: Apache-2.0
// Prefill, append and mixed batches on a GPU: one JSON line a case, with the ids of
// bench/targets.jsonl, and one more for each tuning to race. `weft bench` measures the same rows.
// --decode: the decode rows instead, say with limits of mixed batches (--try max_nnz_qo=4096).
// Run: prefill_gpu_bench TARGETS.jsonl [--decode] [--filter TEXT] [--rounds N] [--try TUNING]...
#include <cstdio>

#include "bench/gpu/options.h"
#include "bench/gpu/prefill.h"
#include "tools/weft/json.h"

namespace weft::bench {
namespace {

int run(const Options& options) {
  const CudaBackend backend;
  for (const Case& c : read_cases(options.targets, options.filter, options.kind)) {
    try {
      for (const PrefillResult& r : measure_prefill(backend, c, options.tunings, options.rounds)) {
        std::printf("%s\n", to_json(c, r, backend.device_name()).c_str());
      }
      std::fflush(stdout);
    } catch (const Error& error) {
      std::printf("{\"id\": \"%s\", \"error\": %s}\n", c.id.c_str(),
                  cli::json_quote(error.what()).c_str());
    }
  }
  return 0;
}

}  // namespace
}  // namespace weft::bench

int main(int argc, char** argv) {
  try {
    return weft::bench::run(
        weft::bench::parse(argc, argv, {.kind = weft::bench::CaseKind::prefill}));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "prefill_gpu_bench: %s\n", error.what());
    return 1;
  }
}
