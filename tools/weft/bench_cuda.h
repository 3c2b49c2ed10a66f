// SPDX-License-Identifier: Apache-2.0
// `weft bench --device cuda`: the decode and verify rows of bench/targets.jsonl through the public
// API, beside the paged-read roof of the same run. Calls are captured in a graph over inputs that
// rotate past the L2; attention and roof take turns; medians.
#pragma once

#include <string>

#include "bench/gpu/cases.h"
#include "weft/cuda.h"

namespace weft::cli {

struct CudaBenchResult {
  double us = 0;       // of one run
  double roof_us = 0;  // of reading the same pages
  double plan_us = 0;  // of one plan, on the device
  int samples = 0;
};

CudaBenchResult measure_on_cuda(const CudaBackend& backend, const bench::Case& c);

/// Prints a case; one line of JSON, or one for people.
std::string describe_cuda(const bench::Case& c, const CudaBenchResult& r, const std::string& device,
                          bool as_json);

}  // namespace weft::cli
