// SPDX-License-Identifier: Apache-2.0
// See memory.h.
#include "examples/engine/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace engine {

void* HostMemory::allocate(size_t bytes) {
  // Whole 2 MB pages where it matters: a KV cache is read in rows that lie far apart.
  const size_t align = bytes >= (size_t{4} << 20) ? size_t{2} << 20 : 64;
  const size_t rounded = (bytes + align - 1) / align * align;
  void* data = std::aligned_alloc(align, rounded == 0 ? align : rounded);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

void HostMemory::release(void* data, size_t) noexcept { std::free(data); }

void HostMemory::upload(void* target, const void* host, size_t bytes) {
  if (bytes > 0) std::memcpy(target, host, bytes);
}

void HostMemory::download(void* host, const void* source, size_t bytes) {
  if (bytes > 0) std::memcpy(host, source, bytes);
}

Buffer::Buffer(Memory& memory, weft::DType dtype, std::initializer_list<int64_t> shape)
    : memory_(&memory) {
  bytes_ = weft::size_of(dtype);
  for (int64_t size : shape) bytes_ *= size;
  view_ = weft::TensorView(memory.allocate(bytes_), dtype, shape, memory.device());
}

Buffer::~Buffer() {
  if (memory_ != nullptr) memory_->release(view_.data, bytes_);
}

}  // namespace engine
