// SPDX-License-Identifier: Apache-2.0
// Handles of the C ABI: a C++ object in memory of the caller's allocator, with a tag that tells one
// kind from another. Knows no operator.
#pragma once

#include <cstdint>
#include <new>
#include <utility>

#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "src/base/check.h"

namespace weft::capi {

/// The caller's allocator, or operator new where none was given. A value; each handle keeps one.
class Allocator {
 public:
  explicit Allocator(const weft_allocator* allocator);
  /// Never null; throws Error(out_of_memory).
  void* allocate(size_t bytes, size_t alignment) const;
  void deallocate(void* memory, size_t bytes, size_t alignment) const;

 private:
  weft_allocator callbacks_{};
};

/// Memory that is given back unless released.
class Block {
 public:
  Block(const Allocator& allocator, size_t bytes, size_t alignment)
      : allocator_(allocator),
        bytes_(bytes),
        alignment_(alignment),
        memory_(allocator.allocate(bytes, alignment)) {}
  ~Block() {
    if (memory_ != nullptr) allocator_.deallocate(memory_, bytes_, alignment_);
  }
  Block(Block&& other) noexcept
      : allocator_(other.allocator_),
        bytes_(other.bytes_),
        alignment_(other.alignment_),
        memory_(other.release()) {}
  Block& operator=(Block&&) = delete;
  void* get() const { return memory_; }
  void* release() noexcept { return std::exchange(memory_, nullptr); }

 private:
  Allocator allocator_;
  size_t bytes_;
  size_t alignment_;
  void* memory_;
};

/// First member of every handle. `kind` is the address of the handle type's own kKind.
struct HandleHeader {
  const char* const* kind;
  Allocator allocator;
};

/// Makes a handle H{header, args...} in memory of `allocator`.
template <class H, class... Args>
H* create_handle(const Allocator& allocator, Args&&... args) {
  Block block(allocator, sizeof(H), alignof(H));
  H* handle = new (block.get()) H{{&H::kKind, allocator}, std::forward<Args>(args)...};
  block.release();
  return handle;
}

/// The body of a create function: `make()` into a handle at `out`, which is NULL when that fails.
template <class H, class Make>
void create_operator(const char* argument, const weft_allocator* allocator, H** out, Make&& make) {
  check_out(argument, out);
  *out = nullptr;
  *out = create_handle<H>(Allocator(allocator), make());
}

/// Throws unless `handle` is a live H.
template <class H>
H& deref(const char* argument, H* handle) {
  if (handle == nullptr) {
    fail(ErrorKind::invalid_argument, argument, std::string("a ") + H::kKind, "NULL");
  }
  if (handle->header.kind != &H::kKind) {
    fail(ErrorKind::invalid_argument, argument, std::string("a ") + H::kKind,
         "another kind of handle");
  }
  return *handle;
}

template <class H>
void destroy_handle(const char* argument, H* handle) {
  if (handle == nullptr) return;
  const Allocator allocator = deref(argument, handle).header.allocator;
  handle->~H();
  allocator.deallocate(handle, sizeof(H), alignof(H));
}

}  // namespace weft::capi
