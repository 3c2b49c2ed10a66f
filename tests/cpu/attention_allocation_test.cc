// SPDX-License-Identifier: Apache-2.0
// plan and run allocate nothing and take no lock, on an injected pool and on weft's own. Hooks in
// this program count every allocation and every lock of the process while they are armed.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

#include "tests/cases/run_case.h"

// The sanitizers bring their own malloc; there operator new alone is counted.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT_TEST_OWNS_MALLOC 0
#else
#define WEFT_TEST_OWNS_MALLOC 1
#endif

namespace {

std::atomic<bool> armed{false};
std::atomic<int> allocations{0};
std::atomic<int> locks{0};

void count_allocation() {
  if (armed.load(std::memory_order_relaxed)) allocations.fetch_add(1);
}

void count_lock() {
  if (armed.load(std::memory_order_relaxed)) locks.fetch_add(1);
}

}  // namespace

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

namespace weft::cases {
namespace {

/// A pool whose run is a plain loop: nothing in it can allocate.
void run_in_order(void*, int n, void (*body)(void* arg, int i), void* arg) {
  for (int i = 0; i < n; ++i) body(arg, i);
}

struct Counts {
  int allocations = 0;
  int locks = 0;
};

template <class F>
Counts count(F&& f) {
  allocations = 0;
  locks = 0;
  armed = true;
  f();
  armed = false;
  return {allocations.load(), locks.load()};
}

TEST(Hooks, SeeAllocationsAndLocks) {
  std::mutex mutex;
  const Counts seen = count([&] {
    int* volatile p = new int(1);
    delete p;
    const std::lock_guard<std::mutex> guard(mutex);
  });
  EXPECT_EQ(seen.allocations, 1);
#if !defined(__SANITIZE_THREAD__)
  EXPECT_EQ(seen.locks, 1);
#endif
}

std::vector<AttentionCase> cases() {
  const std::vector<Lengths> lengths{{1, 2000}, {80, 400}, {5, 65}, {0, 3}, {2, 0}};
  return {
      {.name = "paged_bf16", .head_dim = 128, .requests = lengths},
      {.name = "ragged_f32",
       .q = DType::f32,
       .kv = DType::f32,
       .page_size = 0,
       .requests = lengths},
      {.name = "custom_mask_e4m3_all_values",
       .kv = DType::e4m3,
       .mask = MaskMode::custom,
       .requests = lengths,
       .window = 90,
       .soft_cap = 5,
       .head_scales = true,
       .sink = true,
       .alibi = true},
      {.name = "rope", .rope = {.mode = RopeMode::interleaved}, .requests = lengths},
      {.name = "invariant",
       .schedule = ScheduleMode::batch_invariant,
       .split_kv = 128,
       .requests = lengths},
      {.name = "mla",
       .qo_heads = 16,
       .kv_heads = 1,
       .head_dim = 576,
       .head_dim_vo = 512,
       .storage = Storage::value_in_key,
       .requests = {{1, 300}, {2, 40}}},
  };
}

class Attentions : public testing::TestWithParam<AttentionCase> {};

TEST_P(Attentions, PlanAndRunNeitherAllocateNorLock) {
  const ParallelFor in_order{nullptr, run_in_order, 1};
  AttentionData data = make_attention_data(GetParam(), 3);
  Runner runner(data.config, Target::host());
  const Executor injected{nullptr, &in_order};
  for (const Executor& executor : {injected, Executor{}}) {
    runner.plan(data.batch, executor);  // the pool starts its threads at its first run
    runner.run(data, executor);
    const Counts seen = count([&] {
      for (int layer = 0; layer < 3; ++layer) {
        runner.plan(data.batch, executor);
        runner.run(data, executor);
      }
    });
    const char* which = executor.parallel_for != nullptr ? "injected" : "own pool";
    EXPECT_EQ(seen.allocations, 0) << which;
    EXPECT_EQ(seen.locks, 0) << which;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Attentions, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<AttentionCase>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace weft::cases
