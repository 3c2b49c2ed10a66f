// SPDX-License-Identifier: Apache-2.0
// Where a run happens: the caller's CUDA stream, or on the CPU the caller's own parallel_for.
// Passed by reference to every run; weft keeps no reference to it afterwards.
#pragma once

namespace weft {

/// An injected thread pool. `run` must call body(arg, i) once for each i in [0, n), on any
/// threads, in any order, concurrently or not, and return when all have returned. The calls of one
/// weft run never wait for each other, so running them one after another is correct too.
struct ParallelFor {
  void* context = nullptr;
  void (*run)(void* context, int n, void (*body)(void* arg, int i), void* arg) = nullptr;
  int num_threads = 0;  // how many calls may run at the same time; > 0
};

/// Default: CUDA's default stream, or weft's own thread pool. A run on the CPU is complete when the
/// call returns; a run on CUDA is enqueued on `stream`. What a device has no use for is refused:
/// Error(invalid_argument).
struct Executor {
  void* stream = nullptr;                     // cudaStream_t / CUstream
  const ParallelFor* parallel_for = nullptr;  // CPU only; null = weft's pool
};

}  // namespace weft
