// SPDX-License-Identifier: Apache-2.0
// A spec as a list of its fields: the one list from which it prints itself as C++ and hashes
// itself. An operator writes for_each_field(const XSpec&, visit) beside its own code; those of the
// specs of kernels/core stand here. Knows no operator.
#pragma once

#include <bit>
#include <charconv>
#include <cstdint>
#include <string>
#include <type_traits>

#include "kernels/core/dtype.h"
#include "kernels/core/variant.h"
#include "kernels/core/work.h"
#include "src/base/hash.h"

namespace weft {

template <class Visit>
void for_each_field(const CostModel& s, Visit&& visit) {
  visit("fixed", s.fixed);
  visit("per_block", s.per_block);
  visit("per_block_row", s.per_block_row);
  visit("per_piece_row", s.per_piece_row);
}

template <class Visit>
void for_each_field(const ScheduleSpec& s, Visit&& visit) {
  visit("group_size", s.group_size);
  visit("qo_tile", s.qo_tile);
  visit("kv_tile", s.kv_tile);
  visit("num_groups", s.num_groups);
  visit("head_lanes", s.head_lanes);
  visit("heads_per_lane", s.heads_per_lane);
  visit("causal", s.causal);
  visit("window_left", s.window_left);
  visit("split_blocks", s.split_blocks);
  visit("min_blocks", s.min_blocks);
  visit("spare_groups", s.spare_groups);
  visit("max_tile_partial_rows", s.max_tile_partial_rows);
  visit("least_rows", s.least_rows);
  visit("most_rows", s.most_rows);
  visit("enough_percent", s.enough_percent);
  visit("cost", s.cost);
}

template <class Visit>
void for_each_field(const Rope& s, Visit&& visit) {
  visit("mode", s.mode);
  visit("dim", s.dim);
  visit("theta", s.theta);
  visit("scale", s.scale);
  visit("llama31", s.llama31);
  visit("low_freq_factor", s.low_freq_factor);
  visit("high_freq_factor", s.high_freq_factor);
  visit("old_context_len", s.old_context_len);
}

/// Type of an enum in the printed spec; its enumerators print as name_of(value).
template <class Enum>
struct CppName;
template <>
struct CppName<DType> {
  static constexpr const char* value = "weft::DType";
};
template <>
struct CppName<KvLayout> {
  static constexpr const char* value = "weft::KvLayout";
};
template <>
struct CppName<MaskMode> {
  static constexpr const char* value = "weft::MaskMode";
};
template <>
struct CppName<RopeMode> {
  static constexpr const char* value = "weft::RopeMode";
};

namespace detail {

struct AnyField {
  template <class T>
  operator T() const;  // NOLINT: implicit on purpose; never defined, only asks for a field
};

/// Fields of an aggregate, counted by how many initialisers it takes.
template <class Spec, class... Fields>
constexpr int field_count() {
  if constexpr (requires { Spec{Fields{}..., AnyField{}}; }) {
    return field_count<Spec, Fields..., AnyField>();
  } else {
    return static_cast<int>(sizeof...(Fields));
  }
}

}  // namespace detail

/// False when for_each_field leaves a field out: two specs would then share one kernel.
template <class Spec>
bool lists_all_fields(const Spec& spec) {
  int count = 0;
  for_each_field(spec, [&](const char*, const auto&) { ++count; });
  return count == detail::field_count<Spec>();
}

/// Hash of a spec's value. Floats by their bits.
template <class T>
uint64_t hash_of(const T& value, uint64_t hash = 1) {
  if constexpr (std::is_same_v<T, float>) {
    return mix_hash(hash, std::bit_cast<uint32_t>(value));
  } else if constexpr (std::is_class_v<T>) {
    for_each_field(value, [&](const char*, const auto& field) { hash = hash_of(field, hash); });
    return hash;
  } else {
    return mix_hash(hash, static_cast<uint64_t>(value));
  }
}

/// A value as a C++ initialiser: 64, true, 0.5f, weft::DType::bf16, {.fixed = 1, .per_block = 2}.
template <class T>
std::string to_cpp(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(CppName<T>::value) + "::" + name_of(value);
  } else if constexpr (std::is_class_v<T>) {
    std::string text;
    for_each_field(value, [&](const char* name, const auto& field) {
      text += (text.empty() ? "{." : ", .") + std::string(name) + " = " + to_cpp(field);
    });
    return text + "}";
  } else {
    char digits[32];
    const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    std::string text(digits, static_cast<size_t>(end - digits));
    if constexpr (std::is_same_v<T, float>) {  // "1" is an int, "1e+06" and "1.5" are not
      text += text.find_first_of(".e") == std::string::npos ? ".0f" : "f";
    }
    return text;
  }
}

}  // namespace weft
