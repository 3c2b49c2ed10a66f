// SPDX-License-Identifier: Apache-2.0
// Readers of serving traces: lengths and arrival times of real requests. Files come from anywhere,
// so everything malformed is an error that names the line. Used by replay and explain.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace weft::cli {

class TraceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Tokens that one entry of TraceRequest::blocks stands for.
inline constexpr int kTraceBlock = 512;

struct TraceRequest {
  double arrival_s = 0;  // since the first request of the file
  int prompt_tokens = 0;
  int generated_tokens = 0;
  /// One number per started block of kTraceBlock prompt tokens; equal leading numbers are a shared
  /// prefix. Numbered from 0 in order of appearance. Empty when the trace does not say.
  std::vector<int32_t> blocks;
};

struct Trace {
  std::string format;  // "azure csv" or "mooncake jsonl"
  std::vector<TraceRequest> requests;
};

/// Most requests of one file, and most tokens of one request (both far above any real trace).
inline constexpr int64_t kMaxTraceRequests = 10'000'000;
inline constexpr int64_t kMaxTraceTokens = 16'777'216;

/// Tells the format by the first line: the header `TIMESTAMP,ContextTokens,GeneratedTokens` (Azure
/// LLM inference trace 2023) or an object per line with timestamp, input_length, output_length and
/// hash_ids (Mooncake). Throws TraceError "line N: expected X, got Y".
Trace parse_trace(std::string_view text);

/// parse_trace of a file's contents. Throws TraceError beginning with the path.
Trace read_trace(const std::string& path);

}  // namespace weft::cli
