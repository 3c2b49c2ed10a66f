// SPDX-License-Identifier: Apache-2.0
// See trace.h.
#include "tools/weft/trace.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <unordered_map>

#include "tools/weft/json.h"

namespace weft::cli {
namespace {

constexpr std::string_view kAzureHeader = "TIMESTAMP,ContextTokens,GeneratedTokens";

[[noreturn]] void fail(const std::string& expected, std::string_view got) {
  constexpr size_t kShown = 60;
  std::string shown;
  for (char c : got.substr(0, kShown)) shown += c >= ' ' && c <= '~' ? c : '?';
  throw TraceError("expected " + expected + ", got '" + shown + "'" +
                   (got.size() > kShown ? "..." : ""));
}

int digits(std::string_view text, size_t begin, size_t count) {
  int value = 0;
  for (size_t i = begin; i < begin + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') {
      fail("a time as 2023-11-16 18:15:46.6805900", text);
    }
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

int64_t days_before(int year, int month, int day) {
  // Years counted from March, so that a leap day ends its year.
  const int y = month <= 2 ? year - 1 : year;
  const int64_t era = y / 400, year_of_era = y % 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
}

/// Seconds of a timestamp, from an arbitrary zero.
double parse_time(std::string_view text) {
  const int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  const bool marks = text[4] == '-' && text[7] == '-' && (text[10] == ' ' || text[10] == 'T') &&
                     text[13] == ':' && text[16] == ':';
  const bool ranges = year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
                      hour < 24 && minute < 60 && second <= 60;
  if (!marks || !ranges) fail("a time as 2023-11-16 18:15:46.6805900", text);
  double fraction = 0;
  if (text.size() > 19) {
    if (text[19] != '.' || text.size() > 29) fail("a fraction of a second", text.substr(19));
    double place = 0.1;
    for (size_t i = 20; i < text.size(); ++i, place /= 10) fraction += digits(text, i, 1) * place;
  }
  return static_cast<double>(days_before(year, month, day)) * 86400 + hour * 3600 + minute * 60 +
         second + fraction;
}

int parse_tokens(const char* name, std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 ||
      value > kMaxTraceTokens) {
    fail(std::string(name) + " from 1 to " + std::to_string(kMaxTraceTokens), text);
  }
  return static_cast<int>(value);
}

TraceRequest parse_azure(std::string_view line) {
  const size_t first = line.find(',');
  const size_t second = first == std::string_view::npos ? first : line.find(',', first + 1);
  if (second == std::string_view::npos || line.find(',', second + 1) != std::string_view::npos) {
    fail("three fields (" + std::string(kAzureHeader) + ")", line);
  }
  TraceRequest request;
  request.arrival_s = parse_time(line.substr(0, first));
  request.prompt_tokens = parse_tokens("ContextTokens", line.substr(first + 1, second - first - 1));
  request.generated_tokens = parse_tokens("GeneratedTokens", line.substr(second + 1));
  return request;
}

class MooncakeLines {
 public:
  TraceRequest parse(std::string_view line) {
    const JsonValue value = parse_json(line);
    if (value.kind != JsonValue::Kind::object) fail("an object", line);
    TraceRequest request;
    request.arrival_s = static_cast<double>(member(value, "timestamp", 0, int64_t{1} << 52)) / 1e3;
    request.prompt_tokens = static_cast<int>(member(value, "input_length", 1, kMaxTraceTokens));
    request.generated_tokens = static_cast<int>(member(value, "output_length", 1, kMaxTraceTokens));
    const JsonValue& ids = value.at("hash_ids");
    const size_t expected = (request.prompt_tokens + kTraceBlock - 1) / kTraceBlock;
    if (ids.kind != JsonValue::Kind::array || ids.array.size() != expected) {
      throw TraceError("hash_ids: expected " + std::to_string(expected) + " numbers, one per " +
                       std::to_string(kTraceBlock) + " of input_length, got " +
                       std::to_string(ids.array.size()));
    }
    for (const JsonValue& id : ids.array) {
      const int64_t hash = id.integer(0, int64_t{1} << 52);
      request.blocks.push_back(numbers_.emplace(hash, numbers_.size()).first->second);
    }
    return request;
  }

 private:
  static int64_t member(const JsonValue& object, const char* name, int64_t lo, int64_t hi) {
    try {
      return object.at(name).integer(lo, hi);
    } catch (const JsonError& error) {
      const bool missing = object.find(name) == nullptr;
      throw TraceError(missing ? error.what() : std::string(name) + ": " + error.what());
    }
  }

  std::unordered_map<int64_t, int32_t> numbers_;
};

std::string_view without_return(std::string_view line) {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

Trace parse_trace(std::string_view text) {
  Trace trace;
  MooncakeLines mooncake;
  const std::string_view first = without_return(text.substr(0, text.find('\n')));
  const bool azure = first == kAzureHeader;
  trace.format = azure ? "azure csv" : "mooncake jsonl";
  int64_t number = 0;
  try {
    if (!azure && !first.starts_with('{')) {
      number = 1;
      fail("the header " + std::string(kAzureHeader) + " or a JSON object", first);
    }
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line = without_return(text.substr(at, end - at));
      at = end + 1;
      if (++number == 1 && azure) continue;
      TraceRequest request = azure ? parse_azure(line) : mooncake.parse(line);
      if (!trace.requests.empty() && request.arrival_s < trace.requests.back().arrival_s) {
        throw TraceError("expected requests in order of arrival");
      }
      trace.requests.push_back(std::move(request));
      if (number > kMaxTraceRequests) {
        throw TraceError("expected at most " + std::to_string(kMaxTraceRequests) + " requests");
      }
    }
    if (trace.requests.empty()) throw TraceError("expected a request, got the end of the file");
  } catch (const std::runtime_error& error) {
    throw TraceError("line " + std::to_string(number) + ": " + error.what());
  }
  const double begin = trace.requests.front().arrival_s;
  for (TraceRequest& request : trace.requests) request.arrival_s -= begin;
  return trace;
}

Trace read_trace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw TraceError(path + ": cannot be opened");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) throw TraceError(path + ": cannot be read");
  try {
    return parse_trace(text);
  } catch (const TraceError& error) {
    throw TraceError(path + ": " + error.what());
  }
}

}  // namespace weft::cli
