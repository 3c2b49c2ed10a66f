// SPDX-License-Identifier: Apache-2.0
// A fuzzer's bytes read as numbers. Past the end everything is zero, so every prefix of an input is
// an input. Used by every *_fuzz.cc; knows nothing of weft.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace weft::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool empty() const { return at_ >= size_; }
  uint8_t byte() { return at_ < size_ ? data_[at_++] : uint8_t{0}; }
  bool chance() { return (byte() & 1) != 0; }
  /// Uniform enough in [lo, hi].
  int64_t in(int64_t lo, int64_t hi) {
    const uint64_t span = static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo) + 1;
    uint64_t value = 0;
    for (uint64_t reach = 1; reach < span && reach != 0; reach <<= 8) value = value << 8 | byte();
    return static_cast<int64_t>(static_cast<uint64_t>(lo) + (span == 0 ? value : value % span));
  }
  int small(int lo, int hi) { return static_cast<int>(in(lo, hi)); }
  /// Mostly small numbers, often the edges of a type.
  int64_t edgy() {
    constexpr int64_t kEdges[] = {0,         1,
                                  -1,        2,
                                  7,         INT32_MAX,
                                  INT32_MIN, int64_t{INT32_MAX} + 1,
                                  INT64_MAX, INT64_MIN,
                                  1 << 20,   int64_t{1} << 32,
                                  255,       int64_t{1} << 61,
                                  64,        4096};
    const uint8_t how = byte();
    if (how < 96) return in(-4, 300);
    if (how < 224) {  // wraps at the edges, as it should
      return static_cast<int64_t>(static_cast<uint64_t>(kEdges[how % 16]) + how / 16 % 3 - 1);
    }
    return in(INT64_MIN, INT64_MAX);
  }
  template <class T>
  T bits() {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    uint64_t word = 0;
    for (size_t i = 0; i < sizeof(T); ++i) word |= uint64_t{byte()} << (8 * i);
    T value{};
    std::memcpy(&value, &word, sizeof(T));
    return value;
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

/// A broken promise of the library: the fuzzer keeps the input.
inline void require(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "broken promise: %s\n", what.c_str());
  std::abort();
}

}  // namespace weft::fuzz
