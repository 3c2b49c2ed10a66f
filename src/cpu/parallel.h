// SPDX-License-Identifier: Apache-2.0
// The CPU executor's threads: a persistent pool, and one parallel_for that uses either it or the
// caller's. Called by every operator's CPU room; knows no operator.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "weft/executor.h"

namespace weft {

/// Persistent threads that run one job at a time. The calling thread takes part. A call that finds
/// the pool busy (another thread's job, or a nested one) runs its indices itself, which the
/// contract of ParallelFor allows. Running allocates nothing and takes no lock.
class ThreadPool {
 public:
  /// `num_threads` counts the caller: num_threads - 1 threads are started, at the first run.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return num_threads_; }
  void run(int n, void (*body)(void* arg, int i), void* arg);

  /// The pool used when an Executor brings none: as many threads as this process may use.
  static ThreadPool& shared();

 private:
  struct Job {
    void (*body)(void* arg, int i) = nullptr;
    void* arg = nullptr;
    int n = 0;
  };

  void start_threads();
  void worker_main();
  void drain();

  const int num_threads_;
  std::vector<std::thread> threads_;
  int owner_pid_ = 0;  // threads do not survive a fork: a child starts its own
  std::atomic<bool> busy_{false};
  Job job_;
  std::atomic<int> next_{0};
  // epoch in the high half; bit 31: open to joiners; low bits: workers inside the job.
  std::atomic<uint64_t> state_{0};
  std::atomic<uint32_t> wake_{0};  // what parked workers wait on: the low half of the epoch
  std::atomic<bool> stop_{false};
};

/// Throws Error(invalid_argument) when the executor's parallel_for cannot be called.
void check_executor(const Executor& executor);

/// Threads that `executor` offers, at least 1.
int num_threads(const Executor& executor);

/// Calls body(arg, i) for each i in [0, n) on the executor's threads.
void parallel_for(const Executor& executor, int n, void (*body)(void* arg, int i), void* arg);

/// The same for a callable, by reference: no allocation.
template <class F>
void parallel_for(const Executor& executor, int n, F&& f) {
  auto* callable = &f;
  using Pointer = decltype(callable);
  parallel_for(
      executor, n, [](void* arg, int i) { (**static_cast<Pointer*>(arg))(i); }, &callable);
}

}  // namespace weft
