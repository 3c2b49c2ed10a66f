// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON: either a JsonError, or a value that, written and read again, is the same text.
#include <string>
#include <string_view>

#include "tests/fuzz/input.h"
#include "tools/weft/json.h"

using weft::cli::JsonError;
using weft::cli::JsonValue;
using weft::fuzz::require;

namespace {

std::string list(const JsonValue& value);

std::string write(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::null:
      return "null";
    case JsonValue::Kind::boolean:
      return value.boolean ? "true" : "false";
    case JsonValue::Kind::number:
      return weft::cli::json_number(value.number);
    case JsonValue::Kind::string:
      return weft::cli::json_quote(value.string);
    default:
      return list(value);
  }
}

std::string list(const JsonValue& value) {
  const bool is_array = value.kind == JsonValue::Kind::array;
  std::string out = is_array ? "[" : "{";
  for (const JsonValue& item : value.array) out += (out.size() > 1 ? "," : "") + write(item);
  for (const auto& [name, item] : value.object) {
    out += (out.size() > 1 ? "," : "") + weft::cli::json_quote(name) + ":" + write(item);
  }
  return out + (is_array ? "]" : "}");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  JsonValue value;
  try {
    value = weft::cli::parse_json(text);
  } catch (const JsonError&) {
    return 0;
  }
  const std::string once = write(value);
  const std::string twice = write(weft::cli::parse_json(once));
  require(once == twice, "the same value after writing and reading: " + once + " / " + twice);
  return 0;
}
