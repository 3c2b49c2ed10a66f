// SPDX-License-Identifier: Apache-2.0
// Convention 4 of c_api.h: structs that grow. Reads a caller's struct of any earlier size onto the
// defaults, and fills a caller's struct with them. Knows no particular struct.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "src/base/check.h"

namespace weft::capi {

/// A caller's struct_size, checked. `known` and `alignment` are those of the struct in this
/// library.
size_t struct_size_of(const char* name, const void* in, size_t known, size_t alignment);

/// Throws unless the bytes beyond `known` are zero: a field that cannot be honoured.
void check_unknown_fields(const char* name, const void* in, size_t known, size_t size);

/// Throws unless `size` may be the size of a struct: bounded, and on a field boundary.
void check_struct_size(const char* name, size_t size, size_t known, size_t alignment);

/// The caller's fields over `defaults`. Every struct is laid out so that each multiple of its
/// alignment is a field boundary: a shorter struct never cuts a field.
template <class T>
T read_struct(const char* name, const T* in, const T& defaults) {
  const size_t size = struct_size_of(name, in, sizeof(T), alignof(T));
  check_unknown_fields(name, in, sizeof(T), size);
  T out = defaults;
  std::memcpy(&out, in, std::min(size, sizeof(T)));
  return out;
}

/// Fills `size` bytes at `out`: the defaults, zeros for fields this library does not know.
template <class T>
void write_struct(const char* name, T* out, size_t size, T values) {
  if (out == nullptr) {
    fail(ErrorKind::invalid_argument, name, "a struct", "NULL");
  }
  check_struct_size(name, size, sizeof(T), alignof(T));
  values.struct_size = static_cast<uint32_t>(size);
  std::memcpy(out, &values, std::min(size, sizeof(T)));
  if (size > sizeof(T)) {
    std::memset(reinterpret_cast<char*>(out) + sizeof(T), 0, size - sizeof(T));
  }
}

/// An integer that stands for an enum whose values are 0..last.
template <class Enum>
Enum to_enum(const char* field, int32_t value, Enum last) {
  check_range(field, value, 0, static_cast<int64_t>(last));
  return static_cast<Enum>(value);
}

inline bool to_bool(const char* field, int32_t value) {
  check_range(field, value, 0, 1);
  return value != 0;
}

inline void check_reserved(uint32_t value) { check_range("reserved", value, 0, 0); }

}  // namespace weft::capi
