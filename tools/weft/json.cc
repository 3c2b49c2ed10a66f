// SPDX-License-Identifier: Apache-2.0
// See json.h. RFC 8259; duplicate names keep their first value.
#include "tools/weft/json.h"

#include <charconv>
#include <cmath>

namespace weft::cli {
namespace {

constexpr int kMaxDepth = 32;

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  JsonValue document() {
    JsonValue value = read(0);
    skip_blanks();
    if (at_ != text_.size()) fail("the end of the text");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    const std::string got = at_ < text_.size() ? "'" + std::string(1, text_[at_]) + "'" : "the end";
    throw JsonError("column " + std::to_string(at_ + 1) + ": expected " + expected + ", got " +
                    got);
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "'");
  }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  JsonValue read(int depth) {
    if (depth > kMaxDepth) fail("at most " + std::to_string(kMaxDepth) + " levels");
    skip_blanks();
    switch (peek()) {
      case '{':
        return read_object(depth);
      case '[':
        return read_array(depth);
      case '"': {
        JsonValue value;
        value.kind = JsonValue::Kind::string;
        value.string = read_string();
        return value;
      }
      case 't':
        return read_word("true", JsonValue::Kind::boolean, true);
      case 'f':
        return read_word("false", JsonValue::Kind::boolean, false);
      case 'n':
        return read_word("null", JsonValue::Kind::null, false);
      default:
        return read_number();
    }
  }

  JsonValue read_word(std::string_view word, JsonValue::Kind kind, bool boolean) {
    if (text_.substr(at_, word.size()) != word) fail("a value");
    at_ += word.size();
    JsonValue value;
    value.kind = kind;
    value.boolean = boolean;
    return value;
  }

  JsonValue read_object(int depth) {
    JsonValue value;
    value.kind = JsonValue::Kind::object;
    expect('{');
    skip_blanks();
    if (take('}')) return value;
    do {
      skip_blanks();
      if (peek() != '"') fail("a name in quotes");
      std::string name = read_string();
      skip_blanks();
      expect(':');
      value.object.push_back({std::move(name), read(depth + 1)});
      skip_blanks();
    } while (take(','));
    expect('}');
    return value;
  }

  JsonValue read_array(int depth) {
    JsonValue value;
    value.kind = JsonValue::Kind::array;
    expect('[');
    skip_blanks();
    if (take(']')) return value;
    do {
      value.array.push_back(read(depth + 1));
      skip_blanks();
    } while (take(','));
    expect(']');
    return value;
  }

  void skip_digits() {
    if (peek() < '0' || peek() > '9') fail("a digit");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  JsonValue read_number() {
    const size_t begin = at_;
    take('-');
    if (peek() != '-' && (peek() < '0' || peek() > '9')) fail("a value");
    if (!take('0')) skip_digits();
    if (take('.')) skip_digits();
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      skip_digits();
    }
    JsonValue value;
    value.kind = JsonValue::Kind::number;
    const auto result = std::from_chars(text_.data() + begin, text_.data() + at_, value.number);
    if (result.ec != std::errc()) fail("a number a double can hold");
    return value;
  }

  unsigned read_hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("four hexadecimal digits");
      code = code * 16 + static_cast<unsigned>(digit);
    }
    return code;
  }

  void append_escape(std::string& out) {
    const char c = peek();
    const std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    const size_t plain = from.find(c);
    if (at_ < text_.size() && plain != std::string_view::npos) {
      out += to[plain];
      ++at_;
      return;
    }
    if (!take('u')) fail("an escape");
    const unsigned code = read_hex4();
    // Names and values read here are ASCII; a code beyond is kept as UTF-8, surrogates refused.
    if (code >= 0xd800 && code < 0xe000) fail("a code point outside the surrogates");
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xc0 | code >> 6);
      out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
      out += static_cast<char>(0xe0 | code >> 12);
      out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
      out += static_cast<char>(0x80 | (code & 0x3f));
    }
  }

  std::string read_string() {
    expect('"');
    std::string out;
    while (!take('"')) {
      if (at_ >= text_.size() || static_cast<unsigned char>(peek()) < 0x20) fail("'\"'");
      if (take('\\')) {
        append_escape(out);
      } else {
        out += text_[at_++];
      }
    }
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const {
  for (const auto& [key, value] : object) {
    if (key == name) return &value;
  }
  return nullptr;
}

const JsonValue& JsonValue::at(std::string_view name) const {
  const JsonValue* value = find(name);
  if (value == nullptr) throw JsonError("\"" + std::string(name) + "\": expected, but not there");
  return *value;
}

int64_t JsonValue::integer(int64_t lo, int64_t hi) const {
  const bool ok = kind == Kind::number && std::floor(number) == number &&
                  number >= static_cast<double>(lo) && number <= static_cast<double>(hi);
  if (!ok) {
    const std::string got = kind == Kind::number ? json_number(number) : "another kind of value";
    throw JsonError("expected an integer from " + std::to_string(lo) + " to " + std::to_string(hi) +
                    ", got " + got);
  }
  return static_cast<int64_t>(number);
}

JsonValue parse_json(std::string_view text) { return Reader(text).document(); }

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr const char* kHex = "0123456789abcdef";
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return std::string(text, end);
}

JsonObject& JsonObject::raw(std::string_view name, const std::string& json) {
  body_ += (body_.empty() ? "" : ", ") + json_quote(name) + ": " + json;
  return *this;
}

JsonObject& JsonObject::append(const JsonObject& other) {
  body_ += (body_.empty() || other.body_.empty() ? "" : ", ") + other.body_;
  return *this;
}

}  // namespace weft::cli
