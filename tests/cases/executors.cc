// SPDX-License-Identifier: Apache-2.0
// The three ways of calling the bodies.
#include "tests/cases/executors.h"

#include <atomic>
#include <thread>

namespace weft::cases {
namespace {

using Body = void (*)(void* arg, int i);

void run_ascending(void*, int n, Body body, void* arg) {
  for (int i = 0; i < n; ++i) body(arg, i);
}

void run_descending(void*, int n, Body body, void* arg) {
  for (int i = n; i-- > 0;) body(arg, i);
}

void run_threads(void* context, int n, Body body, void* arg) {
  const int num_threads = static_cast<ParallelFor*>(context)->num_threads;
  std::atomic<int> next{0};
  const auto work = [&] {
    for (int i = next++; i < n; i = next++) body(arg, i);
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < num_threads; ++t) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();
}

}  // namespace

TestPool::TestPool(Order order, int num_threads) : order_(order) {
  parallel_for_.context = &parallel_for_;
  parallel_for_.num_threads = num_threads;
  parallel_for_.run = order == Order::threads     ? run_threads
                      : order == Order::ascending ? run_ascending
                                                  : run_descending;
}

std::string TestPool::name() const {
  switch (order_) {
    case Order::threads:
      return std::to_string(parallel_for_.num_threads) + " threads";
    case Order::ascending:
      return "one thread";
    case Order::descending:
      return "one thread, backwards";
  }
  return "";
}

}  // namespace weft::cases
