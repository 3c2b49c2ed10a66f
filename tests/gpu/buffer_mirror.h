// SPDX-License-Identifier: Apache-2.0
// Host memory of a test case on the device and back: the tables of tests/cases make tensors on the
// host, a run on the GPU takes copies of them, and the host's comparisons read what it wrote.
#pragma once

#include <list>
#include <string>
#include <utility>
#include <vector>

#include "tests/cases/buffers.h"
#include "tests/gpu/gpu.h"
#include "tests/gpu/tensor_fields.h"
#include "weft/tensor.h"

namespace weft::test {

/// Copies of buffers, each as aligned as on the host and fenced by 4 KiB on both sides.
class BufferMirror {
 public:
  BufferMirror(const CudaDevice& device, cu::Stream stream) : device_(device), stream_(stream) {}

  /// Uploads a buffer; once, however often it is given.
  void add(const cases::Buffer& buffer) {
    if (buffer.data() == nullptr || find(buffer.data()) != nullptr) return;
    Copy& copy = copies_.emplace_back(buffer, device_);
    upload(copy);
  }
  void add(const std::vector<cases::Buffer>& buffers) {
    for (const cases::Buffer& buffer : buffers) add(buffer);
  }

  /// The same view of the copy of the buffer it lies in.
  TensorView view(const TensorView& host) const {
    if (!host.given()) return host;
    const Copy* copy = find(static_cast<const char*>(host.data));
    EXPECT_NE(copy, nullptr) << "a tensor of no buffer that was added: " << to_string(host);
    TensorView view = host;
    if (copy != nullptr) {
      view.data = copy->at() + (static_cast<const char*>(host.data) - copy->buffer.data());
    }
    view.device = {DeviceType::cuda, device_.target().device_index};
    return view;
  }

  /// The same arguments, their tensors those of the copies.
  template <class Args>
  Args args(Args host) const {
    for (TensorView Args::*field : TensorFields<Args>::all) host.*field = view(host.*field);
    return host;
  }

  /// Copies the host's bytes again.
  void upload() {
    for (Copy& copy : copies_) upload(copy);
  }

  /// Every buffer back to the host. Empty when no fence was touched; else says so.
  std::string download() const {
    for (const Copy& copy : copies_) {
      const std::vector<char> all = copy.memory.read(copy.memory.size(), stream_);
      for (size_t i = 0; i < all.size(); ++i) {
        const bool inside = i >= copy.begin && i < copy.begin + copy.buffer.size();
        if (inside || all[i] == kFence) continue;
        return "byte " + std::to_string(i) + " of a fence was written";
      }
      std::copy_n(all.begin() + static_cast<ptrdiff_t>(copy.begin), copy.buffer.size(),
                  copy.buffer.data());
    }
    return "";
  }

 private:
  static constexpr size_t kFenceBytes = 4096;
  static constexpr char kFence = static_cast<char>(0xcd);  // what DeviceArray is filled with

  struct Copy {
    Copy(const cases::Buffer& b, const CudaDevice& device)
        : buffer(b),
          begin(kFenceBytes + reinterpret_cast<uintptr_t>(b.data()) % 64),
          memory(device, begin + b.size() + kFenceBytes) {}
    char* at() const { return memory.data() + begin; }

    cases::Buffer buffer;
    size_t begin;
    DeviceArray<char> memory;
  };

  const Copy* find(const char* data) const {
    for (const Copy& copy : copies_) {
      if (data >= copy.buffer.data() && data <= copy.buffer.data() + copy.buffer.size()) {
        return &copy;
      }
    }
    return nullptr;
  }

  void upload(Copy& copy) {
    std::vector<char> all(copy.memory.size(), kFence);
    std::copy_n(copy.buffer.data(), copy.buffer.size(),
                all.begin() + static_cast<ptrdiff_t>(copy.begin));
    copy.memory.write(all, stream_);
  }

  const CudaDevice& device_;
  cu::Stream stream_;
  std::list<Copy> copies_;
};

}  // namespace weft::test
