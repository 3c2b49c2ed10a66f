// SPDX-License-Identifier: Apache-2.0
// Memory for test tensors: filled with a pattern, fenced on both sides, optionally gigabytes of
// address space of which only the touched pages exist. Knows nothing of operators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "weft/tensor.h"

namespace weft::cases {

/// Every byte 0xff is NaN in f32, f16, bf16, e4m3 and e5m2, and -1 in i32.
inline constexpr unsigned char kPoisonByte = 0xff;

/// `bytes` of memory, 64-byte aligned plus `misalign`, every byte set to `fill`; 4 KiB before and
/// after are kept to find stray writes.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes, unsigned char fill = kPoisonByte, size_t misalign = 0);
  /// Reserves address space only; reads as zero until written. No fences.
  static Buffer reserve(size_t bytes);

  char* data() const { return data_; }
  size_t size() const { return size_; }
  void fill(unsigned char byte);
  /// True when both fences are as they were.
  bool fences_intact() const;
  /// Of the contents.
  uint64_t hash() const;

 private:
  std::shared_ptr<char> owner_;
  char* data_ = nullptr;
  size_t size_ = 0;
  bool fenced_ = false;
};

/// Bytes that a view can reach from its data pointer.
size_t span_bytes(const TensorView& tensor);

/// Empty when every byte of `buffer` outside the elements of `tensor` (whose data lies in it) still
/// is `fill`; else where it is not.
std::string find_stray_write(const Buffer& buffer, const TensorView& tensor, unsigned char fill);

}  // namespace weft::cases
