// SPDX-License-Identifier: Apache-2.0
// Memory: where the engine's tensors live. The engine fills small arrays on the host and uploads
// them; everything else it touches through TensorView, so a device needs one more subclass and no
// change elsewhere.
#pragma once

#include <cstddef>

#include "weft/tensor.h"

namespace engine {

class Memory {
 public:
  virtual ~Memory() = default;
  virtual weft::Device device() const = 0;
  /// At least 64-byte aligned; contents are unspecified. Throws std::bad_alloc.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* data, size_t bytes) noexcept = 0;
  virtual void upload(void* target, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* source, size_t bytes) = 0;
};

/// Ordinary memory; large blocks are mapped, and touched only when used.
class HostMemory final : public Memory {
 public:
  weft::Device device() const override { return {}; }
  void* allocate(size_t bytes) override;
  void release(void* data, size_t bytes) noexcept override;
  void upload(void* target, const void* host, size_t bytes) override;
  void download(void* host, const void* source, size_t bytes) override;
};

/// A tensor that owns its memory. Movable.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Memory& memory, weft::DType dtype, std::initializer_list<int64_t> shape);
  ~Buffer();
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }

  const weft::TensorView& view() const { return view_; }
  /// The first `n` entries along the first dimension.
  weft::TensorView first(int64_t n) const { return view_.slice(0, 0, n); }
  size_t bytes() const { return bytes_; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(view_, other.view_);
    std::swap(bytes_, other.bytes_);
  }

  Memory* memory_ = nullptr;
  weft::TensorView view_;
  size_t bytes_ = 0;
};

}  // namespace engine
