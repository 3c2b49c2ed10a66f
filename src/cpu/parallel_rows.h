// SPDX-License-Identifier: Apache-2.0
// parallel_for over rows of equal work, grouped so that a task is worth handing to a thread. Tasks
// depend on the shape alone, so results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "src/cpu/parallel.h"

namespace weft {

/// Bytes a task moves: 3 us of one thread at 20 GB/s, several times what a hand-over costs.
inline constexpr int64_t kTaskBytes = 64 * 1024;

/// Calls body(begin, end) for ranges that cover [0, num_rows), `bytes_per_row` moved by each row.
template <class F>
void parallel_rows(const Executor& executor, int64_t num_rows, int64_t bytes_per_row, F&& body) {
  check_executor(executor);
  const int64_t wanted = kTaskBytes / std::max<int64_t>(1, bytes_per_row);
  const int64_t rows = std::max<int64_t>({1, wanted, (num_rows >> 30) + 1});
  const int num_tasks = static_cast<int>((num_rows + rows - 1) / rows);
  if (num_tasks == 0) return;
  if (num_tasks == 1) return body(int64_t{0}, num_rows);
  parallel_for(executor, num_tasks,
               [&](int i) { body(i * rows, std::min(num_rows, (i + 1) * rows)); });
}

}  // namespace weft
