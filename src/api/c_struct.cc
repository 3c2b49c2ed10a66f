// SPDX-License-Identifier: Apache-2.0
// The struct_size rules of c_struct.h and their messages.
#include "src/api/c_struct.h"

#include <string>

namespace weft::capi {
namespace {

// Far above any struct of any version: a struct_size beyond it was never set.
constexpr size_t kMostBytes = 4096;

}  // namespace

void check_struct_size(const char* name, size_t size, size_t known, size_t alignment) {
  if (size >= 8 && size <= kMostBytes && size % alignment == 0) return;
  fail(ErrorKind::invalid_argument, (std::string(name) + ".struct_size").c_str(),
       "the sizeof of the struct, " + std::to_string(known) + " in this version (use its init)",
       std::to_string(size));
}

size_t struct_size_of(const char* name, const void* in, size_t known, size_t alignment) {
  if (in == nullptr) fail(ErrorKind::invalid_argument, name, "a struct", "NULL");
  uint32_t size = 0;
  std::memcpy(&size, in, sizeof(size));
  check_struct_size(name, size, known, alignment);
  return size;
}

void check_unknown_fields(const char* name, const void* in, size_t known, size_t size) {
  const char* bytes = static_cast<const char*>(in);
  for (size_t i = known; i < size; ++i) {
    if (bytes[i] == 0) continue;
    fail(ErrorKind::unsupported, (std::string(name) + ".struct_size").c_str(),
         "zeros beyond the " + std::to_string(known) + " bytes this version knows",
         "a field set at byte " + std::to_string(i) + " by a newer header");
  }
}

}  // namespace weft::capi
