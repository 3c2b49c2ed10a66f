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

/// The two kernels of a config: one of wide accesses, one that takes any strides and addresses.
template <class Spec>
struct RowKernels {
  Spec wide_spec, narrow_spec;  // the same when a shape admits single elements only
  const CudaKernel* wide = nullptr;
  const CudaKernel* narrow = nullptr;

  /// For prepare.
  RowKernels(detail::CudaState& state, const Spec& spec) : wide_spec(spec), narrow_spec(spec) {
    narrow_spec.vec = 1;
    const int arch = state.device.target().arch;
    const std::array<KernelRequest, 2> requests{kernel_request(wide_spec, arch),
                                                kernel_request(narrow_spec, arch)};
    const std::vector<const KernelImage*> images = state.store.prepare(requests);
    wide = &state.device.load(*images[0]);
    narrow = &state.device.load(*images[1]);
  }
};

/// One line or two: how wide the accesses are, and when.
std::string explain_rows(const char* who, int vec, DType dtype, const std::string& device);

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

/// Throws Error(invalid_argument) when `executor` brings what only a run on the CPU can use.
void check_cuda_executor(const Executor& executor);

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

}  // namespace weft
