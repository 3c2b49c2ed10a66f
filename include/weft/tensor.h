// SPDX-License-Identifier: Apache-2.0
// TensorView: a borrowed, strided tensor on some device; the only tensor type of weft. It says
// what a DLPack DLTensor says, by value, and owns nothing: the caller keeps the memory alive.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "kernels/core/dtype.h"
#include "weft/export.h"

namespace weft {

enum class DeviceType : uint8_t { cpu = 0, cuda = 1 };

struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
};

/// "cpu" or "cuda:0".
WEFT_API std::string to_string(Device device);

inline constexpr int kMaxDims = 6;

/// A view of `ndim` dimensions; strides count elements, not bytes. Thread-safe to copy and read.
struct WEFT_API TensorView {
  void* data = nullptr;
  DType dtype = DType::none;
  Device device;
  int ndim = 0;
  std::array<int64_t, kMaxDims> shape{};
  std::array<int64_t, kMaxDims> strides{};

  TensorView() = default;
  /// A contiguous view of `data`. REQUIRES: dims.size() <= kMaxDims.
  TensorView(void* data, DType dtype, std::initializer_list<int64_t> dims, Device device = {});
  /// The same for read-only arguments; weft never writes through an input tensor.
  TensorView(const void* data, DType dtype, std::initializer_list<int64_t> dims, Device device = {})
      : TensorView(const_cast<void*>(data), dtype, dims, device) {}

  /// False for a default-constructed view, which stands for "not given".
  bool given() const { return dtype != DType::none; }
  /// Number of elements, at most INT64_MAX.
  int64_t numel() const;
  /// True when elements are dense in row-major order.
  bool is_contiguous() const;
  /// The view at position `index` along `dim`, with that dimension removed; e.g. k and v out of
  /// one joined cache [num_pages, 2, ...]: kv.select(1, 0), kv.select(1, 1).
  TensorView select(int dim, int64_t index) const;
  /// Elements [begin, end) along `dim`; e.g. the value part of an MLA cache.
  TensorView slice(int dim, int64_t begin, int64_t end) const;

  bool operator==(const TensorView&) const = default;
};

/// "bf16[4, 32, 128] on cpu", with strides when not contiguous.
WEFT_API std::string to_string(const TensorView& tensor);

}  // namespace weft
