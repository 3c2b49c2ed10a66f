// SPDX-License-Identifier: Apache-2.0
// Injected thread pools of every kind a caller may bring: some threads, one thread, indices in
// reverse. Results must not depend on which one runs.
#pragma once

#include <string>
#include <vector>

#include "weft/executor.h"

namespace weft::cases {

/// Runs the bodies on `num_threads` fresh threads that take indices from a shared counter, or one
/// after another in ascending or descending order.
class TestPool {
 public:
  enum class Order { threads, ascending, descending };

  TestPool(Order order, int num_threads);
  TestPool(const TestPool&) = delete;
  TestPool& operator=(const TestPool&) = delete;

  Executor executor() const { return Executor{.stream = nullptr, .parallel_for = &parallel_for_}; }
  std::string name() const;

 private:
  ParallelFor parallel_for_;
  Order order_;
};

/// 1, 2, 3 and 7 threads and descending order.
struct AllPools {
  TestPool one{TestPool::Order::ascending, 1};
  TestPool backwards{TestPool::Order::descending, 4};
  TestPool two{TestPool::Order::threads, 2};
  TestPool three{TestPool::Order::threads, 3};
  TestPool seven{TestPool::Order::threads, 7};

  std::vector<const TestPool*> list() const { return {&one, &backwards, &two, &three, &seven}; }
};

}  // namespace weft::cases
