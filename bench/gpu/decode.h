// SPDX-License-Identifier: Apache-2.0
// The attention kernel of a case, planned on the device and ready to be enqueued over rotating
// tensors. Built from the operator's rooms rather than through the public API, so that a tuning can
// be raced without a build of its own.
#pragma once

#include <string>

#include "bench/gpu/cases.h"
#include "bench/gpu/device.h"
#include "kernels/attention/mma_params.h"
#include "kernels/attention/mma_spec.h"
#include "kernels/attention/spec.h"

namespace weft::bench {

/// Fields of spec and schedule to use instead of what select chose: "num_stages=4,head_lanes=2".
using Tuning = std::string;

class Decode {
 public:
  /// Throws Error(unsupported) when the config is.
  Decode(const CudaBackend& backend, const Case& c, const int32_t* pages, const Tuning& tuning);
  void enqueue(const void* q, const void* k, const void* v, void* o, void* stream) const;
  void enqueue_plan(void* stream) const;
  std::string describe() const;

 private:
  void lay_out(const Case& c, const int32_t* pages);

  const CudaBackend& backend_;
  AttentionSpec spec_;
  AttentionMmaSpec kernel_spec_;
  const CudaKernel* kernel_ = nullptr;
  const CudaKernel* planner_ = nullptr;
  Array<int32_t> indptrs_;
  std::unique_ptr<Array<char>> workspace_;
  AttentionParams params_{};
  void* plan_result_ = nullptr;
  int batch_size_;
};

}  // namespace weft::bench
