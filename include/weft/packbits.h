// SPDX-License-Identifier: Apache-2.0
// packbits: eight booleans a byte, for all of a tensor or for each of its segments, as the custom
// masks of attention are made of.
#pragma once

#include <memory>
#include <string>

#include "kernels/packbits/spec.h"
#include "weft/cuda.h"
#include "weft/executor.h"
#include "weft/export.h"
#include "weft/target.h"
#include "weft/tensor.h"

namespace weft {

struct PackBitsConfig {
  BitOrder order = BitOrder::little;

  bool operator==(const PackBitsConfig&) const = default;
};

WEFT_API std::string to_string(const PackBitsConfig& config);

/// Bit i % 8 of byte i / 8 is whether x[i] is not zero; bits beyond the last element are 0. With
/// segments the same holds within each: segment s is x[indptr[s]..indptr[s+1]), and its bytes begin
/// at out_indptr[s]. Bytes of out that belong to no segment are not written.
struct PackBitsArgs {
  TensorView x;           // u8 [nnz]
  TensorView indptr;      // optional i32 [num_segments + 1], in elements
  TensorView out_indptr;  // with indptr: i32 [num_segments + 1], in bytes
  TensorView out;         // out u8 [>= ceil(nnz / 8)], or [>= out_indptr[-1]]
};

namespace detail {
struct PackBitsImpl;
}  // namespace detail

/// One per (config, target); immutable, thread-safe, cheap to copy.
class WEFT_API PackBits {
 public:
  /// Throws Error(invalid_argument) naming the field that is wrong, Error(unsupported) when this
  /// target cannot run the config.
  explicit PackBits(const PackBitsConfig& config = {}, const Target& target = Target::host());
  /// The same on a GPU; all that can be compiled or loaded is so here.
  PackBits(const PackBitsConfig& config, const CudaBackend& backend);
  const PackBitsConfig& config() const;
  /// Which unit was chosen.
  std::string explain() const;
  /// Packs. Throws Error(invalid_argument) before anything is written: wrong tensors (none may
  /// overlap out), and on the CPU segments that decrease, leave x or out, or share a byte. On a GPU
  /// segments are trusted, but nothing outside x or out is touched. Allocates nothing, takes no
  /// lock; on a GPU it is enqueued on executor.stream, may be captured, and never waits.
  void run(const PackBitsArgs& args, const Executor& executor = {}) const;

 private:
  std::shared_ptr<const detail::PackBitsImpl> impl_;
};

}  // namespace weft
