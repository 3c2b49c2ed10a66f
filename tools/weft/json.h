// SPDX-License-Identifier: Apache-2.0
// JSON, as little as the command line needs: a strict reader of one value, and a writer of one-line
// objects. Reads trace lines from anywhere, so it bounds depth and throws on anything malformed.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::cli {

class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct JsonMember;

struct JsonValue {
  enum class Kind { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  bool boolean = false;
  double number = 0;
  std::string string;
  std::vector<JsonValue> array;
  std::vector<JsonMember> object;

  /// The member of that name; throws JsonError when there is none.
  const JsonValue& at(std::string_view name) const;
  const JsonValue* find(std::string_view name) const;
  /// The number as an integer; throws JsonError unless it is one in [lo, hi].
  int64_t integer(int64_t lo, int64_t hi) const;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

/// Reads exactly one value, with blanks around it. Throws JsonError with the column.
JsonValue parse_json(std::string_view text);

std::string json_quote(std::string_view text);
/// Shortest form that reads back as the same double; null when not finite.
std::string json_number(double value);

/// {"a": 1, ...} on one line, members in the order of the calls.
class JsonObject {
 public:
  JsonObject& add(std::string_view name, std::string_view text) {
    return raw(name, json_quote(text));
  }
  JsonObject& add(std::string_view name, const char* text) { return raw(name, json_quote(text)); }
  JsonObject& add(std::string_view name, double value) { return raw(name, json_number(value)); }
  JsonObject& add(std::string_view name, int value) { return raw(name, std::to_string(value)); }
  JsonObject& add(std::string_view name, int64_t value) { return raw(name, std::to_string(value)); }
  JsonObject& add(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  JsonObject& raw(std::string_view name, const std::string& json);
  /// The members of another object after these.
  JsonObject& append(const JsonObject& other);
  std::string str() const { return "{" + body_ + "}"; }

 private:
  std::string body_;
};

}  // namespace weft::cli
