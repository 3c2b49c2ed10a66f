// SPDX-License-Identifier: Apache-2.0
// Buffers by new or by mmap, and the search for bytes that nobody should have written.
#include "tests/cases/buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

namespace weft::cases {
namespace {

constexpr size_t kFence = 4096;
constexpr unsigned char kFenceByte = 0x5a;

}  // namespace

Buffer::Buffer(size_t bytes, unsigned char fill, size_t misalign) : size_(bytes), fenced_(true) {
  const size_t total = bytes + misalign + 2 * kFence;
  constexpr std::align_val_t kAlign{64};
  owner_ = std::shared_ptr<char>(static_cast<char*>(::operator new(total, kAlign)),
                                 [](char* p) { ::operator delete(p, kAlign); });
  data_ = owner_.get() + kFence + misalign;
  std::memset(owner_.get(), kFenceByte, total);
  std::memset(data_, fill, bytes);
}

Buffer Buffer::reserve(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  Buffer out;
  out.owner_ = std::shared_ptr<char>(static_cast<char*>(p), [bytes](char* q) { munmap(q, bytes); });
  out.data_ = static_cast<char*>(p);
  out.size_ = bytes;
  return out;
}

void Buffer::fill(unsigned char byte) {
  if (size_ > 0) std::memset(data_, byte, size_);  // an absent buffer has no address
}

bool Buffer::fences_intact() const {
  if (!fenced_) return true;
  const auto clean = [](const char* begin, const char* end) {
    return std::all_of(begin, end,
                       [](char c) { return static_cast<unsigned char>(c) == kFenceByte; });
  };
  return clean(owner_.get(), data_) && clean(data_ + size_, data_ + size_ + kFence);
}

uint64_t Buffer::hash() const {
  uint64_t h = 0xcbf29ce484222325u;
  size_t i = 0;
  for (; i + 8 <= size_; i += 8) {
    uint64_t word;
    std::memcpy(&word, data_ + i, 8);
    h = (h ^ word) * 0x100000001b3u;
    h ^= h >> 29;
  }
  for (; i < size_; ++i) h = (h ^ static_cast<unsigned char>(data_[i])) * 0x100000001b3u;
  return h;
}

size_t span_bytes(const TensorView& t) {
  int64_t last = 0;
  for (int d = 0; d < t.ndim; ++d) {
    if (t.shape[static_cast<size_t>(d)] == 0) return 0;
    last += (t.shape[static_cast<size_t>(d)] - 1) * t.strides[static_cast<size_t>(d)];
  }
  return static_cast<size_t>(last + 1) * static_cast<size_t>(size_of(t.dtype));
}

std::string find_stray_write(const Buffer& buffer, const TensorView& t, unsigned char fill) {
  if (!buffer.fences_intact()) return "a fence beside the buffer was written";
  std::vector<bool> owned(buffer.size(), false);
  const auto first = static_cast<size_t>(static_cast<char*>(t.data) - buffer.data());
  const auto size = static_cast<size_t>(size_of(t.dtype));
  std::array<int64_t, kMaxDims> index{};
  for (int64_t n = t.numel(); n > 0; --n) {
    size_t at = first;
    for (size_t d = 0; d < static_cast<size_t>(t.ndim); ++d) {
      at += static_cast<size_t>(index[d] * t.strides[d]) * size;
    }
    for (size_t b = 0; b < size; ++b) owned[at + b] = true;
    for (int d = t.ndim - 1; d >= 0; --d) {
      const auto i = static_cast<size_t>(d);
      if (++index[i] < t.shape[i]) break;
      index[i] = 0;
    }
  }
  for (size_t i = 0; i < buffer.size(); ++i) {
    if (!owned[i] && static_cast<unsigned char>(buffer.data()[i]) != fill) {
      return "byte " + std::to_string(i) + " outside of the tensor was written";
    }
  }
  return "";
}

}  // namespace weft::cases
