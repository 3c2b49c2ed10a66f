// SPDX-License-Identifier: Apache-2.0
// See memory.h.
#include "examples/engine/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace engine {
namespace {

constexpr size_t kLargePage = size_t{2} << 20;

}  // namespace

void* HostMemory::allocate(size_t bytes) {
  const bool large = bytes >= 2 * kLargePage;
  const size_t align = large ? kLargePage : 64;
  const size_t rounded = (bytes + align - 1) / align * align;
  void* data = std::aligned_alloc(align, rounded == 0 ? align : rounded);
  if (data == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  // A KV cache is read in rows that lie far apart: with 4 KB pages, most of them miss the TLB. Only
  // a hint; refused, all works as well.
  if (large) madvise(data, rounded, MADV_HUGEPAGE);
#endif
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
