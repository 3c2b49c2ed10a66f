// SPDX-License-Identifier: Apache-2.0
// See calls.h.
#include "tests/hooks/calls.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <new>

// The sanitizers bring their own malloc; there operator new alone is counted.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT_TEST_OWNS_MALLOC 0
#else
#define WEFT_TEST_OWNS_MALLOC 1
#endif

namespace {

std::atomic<int> allocations{0};
std::atomic<int> locks{0};

void count_allocation() { allocations.fetch_add(1); }
void count_lock() { locks.fetch_add(1); }

}  // namespace

weft::test::Calls weft::test::calls_so_far() { return {allocations, locks}; }

#if WEFT_TEST_OWNS_MALLOC
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t n, size_t size);
void* __libc_realloc(void* p, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* p);

void* malloc(size_t size) {
  count_allocation();
  return __libc_malloc(size);
}
void* calloc(size_t n, size_t size) {
  count_allocation();
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t size) {
  count_allocation();
  return __libc_realloc(p, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  count_allocation();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  count_allocation();
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? 12 : 0;
}
void free(void* p) { __libc_free(p); }
}
#else
void* operator new(size_t size) {
  count_allocation();
  void* p = std::malloc(size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
#endif

#if !defined(__SANITIZE_THREAD__)
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static const auto lock = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  count_lock();
  return lock(mutex);
}
extern "C" int pthread_rwlock_wrlock(pthread_rwlock_t* rwlock) {
  using Lock = int (*)(pthread_rwlock_t*);
  static const auto lock = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_rwlock_wrlock"));
  count_lock();
  return lock(rwlock);
}
extern "C" int pthread_rwlock_rdlock(pthread_rwlock_t* rwlock) {
  using Lock = int (*)(pthread_rwlock_t*);
  static const auto lock = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_rwlock_rdlock"));
  count_lock();
  return lock(rwlock);
}
#endif
