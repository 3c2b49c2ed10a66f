// SPDX-License-Identifier: Apache-2.0
// The pool. A job is published by one atomic word that says whether it may still be joined and how
// many workers are inside, so a worker that wakes late finds the job closed and nobody waits for
// it.
#include "src/cpu/parallel.h"

#include <unistd.h>

#include "src/base/check.h"
#include "src/cpu/isa.h"

namespace weft {
namespace {

constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kInside = kOpen - 1;
// Layers follow each other within microseconds; parking costs about 50 us to undo.
constexpr int kSpins = 4000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) : num_threads_(num_threads < 1 ? 1 : num_threads) {}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  wake_.fetch_add(1);
  wake_.notify_all();
  const bool ours = owner_pid_ == getpid();
  for (std::thread& thread : threads_) {
    if (ours) {
      thread.join();
    } else {
      thread.detach();
    }
  }
}

ThreadPool& ThreadPool::shared() {
  static ThreadPool pool(usable_threads());
  return pool;
}

void ThreadPool::start_threads() {
  for (std::thread& thread : threads_) thread.detach();  // those of the parent of a fork
  threads_.clear();
  state_.store(0);
  owner_pid_ = getpid();
  for (int i = 1; i < num_threads_; ++i) threads_.emplace_back([this] { worker_main(); });
}

void ThreadPool::drain() {
  const Job job = job_;
  for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < job.n;) job.body(job.arg, i);
}

void ThreadPool::worker_main() {
  uint32_t seen = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    uint32_t epoch = wake_.load(std::memory_order_acquire);
    for (int spin = 0; epoch == seen && spin < kSpins; ++spin) {
      pause();
      epoch = wake_.load(std::memory_order_acquire);
    }
    if (epoch == seen) {
      wake_.wait(seen, std::memory_order_acquire);
      continue;
    }
    seen = epoch;
    uint64_t state = state_.load(std::memory_order_acquire);
    while ((state & kOpen) != 0) {
      if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
      drain();
      state_.fetch_sub(1, std::memory_order_release);
      break;
    }
  }
}

void ThreadPool::run(int n, void (*body)(void* arg, int i), void* arg) {
  const bool alone = n <= 1 || num_threads_ == 1;
  if (alone || busy_.exchange(true, std::memory_order_acquire)) {
    for (int i = 0; i < n; ++i) body(arg, i);
    return;
  }
  if (owner_pid_ != getpid()) start_threads();
  job_ = {body, arg, n};
  next_.store(0, std::memory_order_relaxed);
  const uint64_t epoch = (state_.load(std::memory_order_relaxed) >> 32) + 1;
  state_.store(epoch << 32 | kOpen, std::memory_order_release);
  wake_.fetch_add(1, std::memory_order_release);
  wake_.notify_all();
  drain();
  state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int spin = 0; (state_.load(std::memory_order_acquire) & kInside) != 0; ++spin) {
    if (spin < kSpins) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
  busy_.store(false, std::memory_order_release);
}

void check_executor(const Executor& executor) {
  if (executor.stream != nullptr) {
    fail(ErrorKind::invalid_argument, "executor.stream", "nothing on the CPU", "a stream");
  }
  if (executor.parallel_for == nullptr) return;
  if (executor.parallel_for->run == nullptr) {
    fail(ErrorKind::invalid_argument, "executor.parallel_for.run", "a function", "null");
  }
  check_range("executor.parallel_for.num_threads", executor.parallel_for->num_threads, 1,
              INT32_MAX);
}

int num_threads(const Executor& executor) {
  if (executor.parallel_for == nullptr) return ThreadPool::shared().num_threads();
  return executor.parallel_for->num_threads;
}

void parallel_for(const Executor& executor, int n, void (*body)(void* arg, int i), void* arg) {
  if (executor.parallel_for == nullptr) {
    ThreadPool::shared().run(n, body, arg);
  } else {
    executor.parallel_for->run(executor.parallel_for->context, n, body, arg);
  }
}

}  // namespace weft
