// SPDX-License-Identifier: Apache-2.0
// Any bytes as a trace file: either a TraceError that names a line, or requests within the limits.
#include <string>
#include <string_view>

#include "tests/fuzz/input.h"
#include "tools/weft/trace.h"

using weft::cli::Trace;
using weft::cli::TraceError;
using weft::cli::TraceRequest;
using weft::fuzz::require;

namespace {

void check_trace(const Trace& trace) {
  require(trace.format == "azure csv" || trace.format == "mooncake jsonl", "a format by name");
  require(static_cast<int64_t>(trace.requests.size()) <= weft::cli::kMaxTraceRequests, "requests");
  for (const TraceRequest& r : trace.requests) {
    require(r.arrival_s >= 0 && r.arrival_s < 1e18, "a finite arrival after the first");
    require(r.prompt_tokens >= 0 && r.prompt_tokens <= weft::cli::kMaxTraceTokens, "prompt");
    require(r.generated_tokens >= 0 && r.generated_tokens <= weft::cli::kMaxTraceTokens, "output");
    for (int32_t block : r.blocks) require(block >= 0, "blocks numbered from 0");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    check_trace(weft::cli::parse_trace(text));
  } catch (const TraceError& error) {
    require(std::string_view(error.what()).find("line ") != std::string_view::npos,
            std::string("the line in: ") + error.what());
  }
  return 0;
}
