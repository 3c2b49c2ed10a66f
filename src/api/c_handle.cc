// SPDX-License-Identifier: Apache-2.0
// The allocator behind handles and plan memory.
#include "src/api/c_handle.h"

namespace weft::capi {

Allocator::Allocator(const weft_allocator* in) {
  callbacks_.struct_size = sizeof(callbacks_);
  if (in == nullptr) return;
  callbacks_ = read_struct("allocator", in, callbacks_);
  check_reserved(callbacks_.reserved);
  if (callbacks_.allocate != nullptr && callbacks_.deallocate != nullptr) return;
  fail(ErrorKind::invalid_argument, "allocator", "both allocate and deallocate",
       callbacks_.allocate == nullptr ? "allocate NULL" : "deallocate NULL");
}

void* Allocator::allocate(size_t bytes, size_t alignment) const {
  if (callbacks_.allocate == nullptr) return ::operator new(bytes, std::align_val_t(alignment));
  void* memory = callbacks_.allocate(callbacks_.context, bytes, alignment);
  if (memory == nullptr) {
    fail(ErrorKind::out_of_memory, "allocator.allocate", std::to_string(bytes) + " bytes", "NULL");
  }
  if (reinterpret_cast<uintptr_t>(memory) % alignment != 0) {
    callbacks_.deallocate(callbacks_.context, memory, bytes, alignment);
    fail(ErrorKind::invalid_argument, "allocator.allocate",
         "memory aligned to " + std::to_string(alignment), "a misaligned pointer");
  }
  return memory;
}

void Allocator::deallocate(void* memory, size_t bytes, size_t alignment) const {
  if (callbacks_.deallocate == nullptr) {
    ::operator delete(memory, std::align_val_t(alignment));
  } else {
    callbacks_.deallocate(callbacks_.context, memory, bytes, alignment);
  }
}

}  // namespace weft::capi
