// SPDX-License-Identifier: Apache-2.0
// See config_json.h.
#include "tools/weft/config_json.h"

#include <fstream>
#include <functional>
#include <limits>
#include <map>

#include "tools/weft/args.h"

namespace weft::cli {
namespace {

using Reader = std::function<void(const JsonValue&)>;
using Readers = std::map<std::string, Reader>;

[[noreturn]] void refuse(const std::string& field, const std::string& expected) {
  throw UsageError(field + ": expected " + expected);
}

void read_object(const JsonValue& json, const Readers& readers) {
  if (json.kind != JsonValue::Kind::object) refuse("config", "a JSON object");
  for (const JsonMember& member : json.object) {
    const auto reader = readers.find(member.name);
    if (reader == readers.end()) {
      std::vector<std::string> names;
      for (const auto& [name, unused] : readers) names.push_back(name);
      const std::string near = nearest(member.name, names);
      throw UsageError(member.name + ": no such field" +
                       (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    try {
      reader->second(member.value);
    } catch (const JsonError& error) {
      throw UsageError(member.name + ": " + error.what());
    }
  }
}

Reader integer(int& to) {
  return [&to](const JsonValue& v) {
    to = static_cast<int>(v.integer(-1, std::numeric_limits<int32_t>::max()));
  };
}

Reader boolean(const char* name, bool& to) {
  return [name, &to](const JsonValue& v) {
    if (v.kind != JsonValue::Kind::boolean) refuse(name, "true or false");
    to = v.boolean;
  };
}

Reader number(const char* name, float& to) {
  return [name, &to](const JsonValue& v) {
    if (v.kind != JsonValue::Kind::number) refuse(name, "a number");
    to = static_cast<float>(v.number);
  };
}

// Any of the first `count` enumerators, by name.
template <class Enum>
Reader word(const char* name, Enum& to, int count) {
  return [name, &to, count](const JsonValue& v) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      const auto value = static_cast<Enum>(i);
      if (v.kind == JsonValue::Kind::string && v.string == name_of(value)) {
        to = value;
        return;
      }
      list += (i > 0 ? ", " : "one of ") + std::string(name_of(value));
    }
    refuse(name, list);
  };
}

Reader dtype(const char* name, DType& to) {
  return [name, &to](const JsonValue& v) {
    for (DType t : {DType::f32, DType::f16, DType::bf16, DType::e4m3, DType::e5m2}) {
      if (v.kind == JsonValue::Kind::string && v.string == name_of(t)) {
        to = t;
        return;
      }
    }
    refuse(name, "f32, f16, bf16, e4m3 or e5m2");
  };
}

void read_rope(const JsonValue& json, Rope& rope) {
  read_object(json, {{"mode", word("mode", rope.mode, 3)},
                     {"dim", integer(rope.dim)},
                     {"theta", number("theta", rope.theta)},
                     {"scale", number("scale", rope.scale)},
                     {"llama31", boolean("llama31", rope.llama31)},
                     {"low_freq_factor", number("low_freq_factor", rope.low_freq_factor)},
                     {"high_freq_factor", number("high_freq_factor", rope.high_freq_factor)},
                     {"old_context_len", integer(rope.old_context_len)}});
}

}  // namespace

AttentionConfig config_from_json(const JsonValue& json) {
  AttentionConfig c;
  read_object(json, {{"dtype_q", dtype("dtype_q", c.dtype_q)},
                     {"dtype_kv", dtype("dtype_kv", c.dtype_kv)},
                     {"dtype_o", dtype("dtype_o", c.dtype_o)},
                     {"num_qo_heads", integer(c.num_qo_heads)},
                     {"num_kv_heads", integer(c.num_kv_heads)},
                     {"head_dim_qk", integer(c.head_dim_qk)},
                     {"head_dim_vo", integer(c.head_dim_vo)},
                     {"page_size", integer(c.page_size)},
                     {"kv_layout", word("kv_layout", c.kv_layout, 2)},
                     {"mask", word("mask", c.mask, 4)},
                     {"rope", [&](const JsonValue& v) { read_rope(v, c.rope); }},
                     {"schedule", word("schedule", c.schedule, 2)},
                     {"split_kv", integer(c.split_kv)},
                     {"window_left", integer(c.window_left)},
                     {"checked", boolean("checked", c.checked)},
                     {"max_batch_size", integer(c.max_batch_size)},
                     {"max_nnz_qo", integer(c.max_nnz_qo)}});
  return c;
}

std::vector<AttentionConfig> read_configs(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw UsageError(path + ": cannot be read");
  std::vector<AttentionConfig> configs;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    try {
      configs.push_back(config_from_json(parse_json(line)));
    } catch (const std::runtime_error& error) {
      throw UsageError(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  if (configs.empty()) throw UsageError(path + ": expected a config a line, got none");
  return configs;
}

}  // namespace weft::cli
