// SPDX-License-Identifier: Apache-2.0
// What the row-wise operators (rope, append, merge) share on a GPU: how wide their accesses may be,
// how tokens are dealt to warps, and what stays on the device from run to run. Knows no operator.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/dtype.h"
#include "kernels/core/fault.h"
#include "kernels/tile/head_rows.h"
#include "src/cuda/backend.h"
#include "src/cuda/launch.h"
#include "weft/executor.h"
#include "weft/tensor.h"

namespace weft {

/// Elements of one access: the most that fit 16 bytes and divide every one of `parts`.
int widest_vector(DType dtype, std::initializer_list<int> parts);

/// True when accesses of `vec` elements, 16 bytes at most each, hit their alignment in every row.
bool fits_vectors(const TensorView& tensor, int vec);

/// The spec of single elements that stands beside `spec`. An operator whose deal of a row depends
/// on the width of accesses brings its own.
template <class Spec>
Spec narrowed(Spec spec) {
  spec.vec = 1;
  return spec;
}

/// One line or two: how wide the accesses are, and when.
std::string explain_rows(const char* who, int vec, DType dtype, const std::string& device);

/// Throws Error(invalid_argument) when `executor` brings what only a run on the CPU can use.
void check_cuda_executor(const Executor& executor);

/// Throws Error(out_of_limits) naming `what` unless 0 <= num_ctas < 2^31; the number itself.
int checked_grid(const char* what, int64_t num_ctas);

/// What a row-wise operator keeps of a GPU: two kernels of its config, one of wide accesses and one
/// that takes any strides and addresses, and the launch of one of them. Immutable.
template <class Spec>
struct RowOperator {
  CudaBackend backend;          // first: it outlives what lies on the device
  Spec wide_spec, narrow_spec;  // the same when a shape admits single elements only
  const CudaKernel* wide_kernel = nullptr;
  const CudaKernel* narrow_kernel = nullptr;

  /// For prepare.
  RowOperator(const CudaBackend& cuda, const Spec& spec)
      : backend(cuda), wide_spec(spec), narrow_spec(narrowed(spec)) {
    detail::CudaState& state = backend.state();
    const int arch = state.device.target().arch;
    const std::array<KernelRequest, 2> requests{kernel_request(wide_spec, arch),
                                                kernel_request(narrow_spec, arch)};
    const std::vector<const KernelImage*> images = state.store.prepare(requests);
    wide_kernel = &state.device.load(*images[0]);
    narrow_kernel = &state.device.load(*images[1]);
  }

  const CudaDevice& device() const { return backend.state().device; }
  const Spec& spec(bool wide) const { return wide ? wide_spec : narrow_spec; }

  /// One launch that may start before the kernel ahead of it has ended.
  template <class Params>
  void launch(bool wide, int num_ctas, const Executor& executor, const Params& params) const {
    check_cuda_executor(executor);
    weft::launch(
        device(), wide ? *wide_kernel : *narrow_kernel,
        LaunchShape{.num_ctas = num_ctas, .overlaps_previous = device().target().arch >= 90},
        executor.stream, params);
  }

  /// `who` does a row, e.g. "a warp a token".
  std::string explain(const char* who) const {
    return explain_rows(who, wide_spec.vec, wide_spec.dtype, backend.device_name());
  }
};

/// How the heads of tokens are dealt to warps.
struct RowGrid {
  int num_ctas = 0;
  int share_shift = 0;  // log2 of the warps that share a token

  /// As many warps a token as `usual_shift` says; more when tokens are few, until every SM has work
  /// or each of a token's warps reads its `heads_at_once` together and no more. Throws
  /// Error(out_of_limits) beyond 2^31 warps.
  static RowGrid of(int64_t num_tokens, int num_heads, const HeadRowSpec& rows, int usual_shift,
                    int num_threads, const Target& target);
};

/// The frequencies of an operator's rope and its fault word, in device memory. Immutable but for
/// the fault, which kernels write.
class RowState {
 public:
  /// Uploads `turns`; waits for that. May be called while some stream is captured.
  RowState(const CudaDevice& device, std::span<const uint64_t> turns);

  const uint64_t* turns() const { return memory() + kFaultWords; }
  uint64_t* fault() const { return memory(); }

  /// Waits for `stream`, throws Error(invalid_argument) naming the first fault since the last call,
  /// and forgets it.
  void throw_fault(void* stream) const;

 private:
  static constexpr size_t kFaultWords = 2;  // so that turns lie on 16 bytes
  uint64_t* memory() const { return static_cast<uint64_t*>(memory_.data()); }

  const CudaDevice& device_;
  DeviceMemory memory_;
};

/// A RowOperator that notes what it finds wrong; one that rotates has angles beside that.
template <class Spec>
struct CheckedOperator : RowOperator<Spec> {
  CheckedOperator(const CudaBackend& cuda, const Spec& spec, std::span<const uint64_t> turns = {})
      : RowOperator<Spec>(cuda, spec), state(cuda.state().device, turns) {}

  RowState state;
};

/// Positions that have an angle lie below this.
int64_t positions_with_angles(const TensorView& cos_sin_cache);

}  // namespace weft
