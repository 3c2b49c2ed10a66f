// SPDX-License-Identifier: Apache-2.0
// topk: the k largest values of each row and where they are, for rows of any length up to a limit;
// positions on their way through a page table or an offset, as indexers of sparse attention use it.
#pragma once

#include <memory>
#include <string>

#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct TopkConfig {
  DType dtype = DType::f32;  // of the input and of values: f32, f16, bf16
  int max_len = 0;           // 1 .. 2^20 columns of the input
  int k = 0;                 // 1 .. 4096
  bool sorted = false;       // largest first, equal values by position; else by position
  int page_size = 1;         // with a page table: positions a page holds
  bool checked = true;       // a wrong length, start or batch is an error

  bool operator==(const TopkConfig&) const = default;
};

WEFT_API std::string to_string(const TopkConfig& config);

/// Of equal values the lower positions are taken. A row shorter than k gives all it has; the rest
/// of its outputs are -1 and -infinity. NaN and -infinity rank with the lowest finite number.
struct TopkArgs {
  TensorView input;         // [n, max_len]
  TensorView lengths;       // i32 [n], 0 <= length; absent: what is behind the start
  TensorView row_starts;    // i32 [n]: first column of the row; absent: 0
  TensorView page_table;    // i32 [batch_size, pages]: position j becomes
                            // page_table[b, j / page_size] * page_size + j % page_size
  TensorView row_to_batch;  // i32 [n]: b of each row; absent: b = row
  TensorView offsets;       // i32 [n]: added to positions; not beside a page table
  TensorView indices;       // out, i32 [n, k]; positions count from the row's start
  TensorView values;        // out, optional [n, k] of the input's dtype
};

namespace detail {
struct TopkImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API Topk {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit Topk(const TopkConfig& config, const Target& target = Target::host());
  Topk(const TopkConfig& config, const CudaBackend& backend);
  const TopkConfig& config() const;
  /// Which unit was chosen and why.
  std::string explain() const;
  /// Throws Error(invalid_argument) before anything is written: wrong tensors always, wrong
  /// contents on the CPU when config.checked. Allocates nothing, takes no lock. On a GPU it is one
  /// launch on executor.stream, may be captured and never waits; a row with wrong contents there is
  /// empty, and with config.checked noted for check().
  void run(const TopkArgs& args, const Executor& executor = {}) const;
  /// Waits for executor.stream, and throws Error(invalid_argument) naming the first element that a
  /// run on a GPU found wrong since the last call. Nothing to do on the CPU.
  void check(const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::TopkImpl> impl_;
};

}  // namespace weft
