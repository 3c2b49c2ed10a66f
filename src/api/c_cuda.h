// SPDX-License-Identifier: Apache-2.0
// The handle of a GPU backend, for the operators' files of the C ABI.
#pragma once

#include "src/api/c_handle.h"
#include "weft/c_cuda.h"
#include "weft/cuda.h"

struct weft_cuda_backend_handle {
  static constexpr const char* kKind = "weft_cuda_backend_t";
  weft::capi::HandleHeader header;
  weft::CudaBackend backend;
};
