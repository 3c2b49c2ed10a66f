// SPDX-License-Identifier: Apache-2.0
// The C ABI of GPUs, beside c_api.h and under its conventions: a backend made once for a device,
// and operators made on it. Plain C11. Words and contracts are those of cuda.h, jit.h and
// the operators' headers.
//
// All tensors of an operator made here lie on its device (WEFT_DEVICE_CUDA); executor.stream is the
// stream. What a plan says of itself (get_info, explain, status) waits for all work of the device.
#pragma once

#include "weft/c_api.h"
#include "weft/c_sampling.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_cuda_backend_handle* weft_cuda_backend_t;

/// weft::JitOptions. Strings and arrays are borrowed for the call.
typedef struct weft_cuda_options {
  uint32_t struct_size;
  uint32_t reserved;
  const char* cache_dir;       // NULL = the default, "" = no disk cache
  const char* const* bundles;  // [num_bundles] files written by `weft aot`
  const char* const* nvrtc;    // [num_nvrtc] names or paths of NVRTC, tried in order
  int32_t num_bundles;
  int32_t num_nvrtc;  // 0 = the names CUDA 13 and 12 install
} weft_cuda_options;

WEFT_API weft_status weft_cuda_options_init(weft_cuda_options* options, size_t struct_size);

/// Devices that the driver sees; 0 when there is no driver.
WEFT_API weft_status weft_cuda_num_devices(int32_t* count);

/// options NULL = the defaults; allocator NULL = the C++ runtime's. An operator keeps what it needs
/// of a backend: the handle may be destroyed before it.
WEFT_API weft_status weft_cuda_backend_create(int32_t device_index,
                                              const weft_cuda_options* options,
                                              const weft_allocator* allocator,
                                              weft_cuda_backend_t* backend);
WEFT_API weft_status weft_cuda_backend_destroy(weft_cuda_backend_t backend);
WEFT_API weft_status weft_cuda_backend_target(weft_cuda_backend_t backend, weft_target* target,
                                              size_t struct_size);
/// "NVIDIA H200".
WEFT_API weft_status weft_cuda_backend_name(weft_cuda_backend_t backend, char* buffer,
                                            size_t capacity, size_t* length);

/// weft_attention_create on a GPU; the handle serves every weft_attention function.
WEFT_API weft_status weft_attention_create_cuda(const weft_attention_config* config,
                                                weft_cuda_backend_t backend,
                                                const weft_allocator* allocator,
                                                weft_attention_t* attention);
/// What is wrong with the planned batch, found on the device; empty when nothing is.
WEFT_API weft_status weft_attention_plan_status(weft_attention_plan_t plan, char* buffer,
                                                size_t capacity, size_t* length);

/// The same for the row-wise operators of c_api.h.
WEFT_API weft_status weft_append_create_cuda(const weft_append_config* config,
                                             weft_cuda_backend_t backend,
                                             const weft_allocator* allocator,
                                             weft_append_t* append);
WEFT_API weft_status weft_merge_create_cuda(const weft_merge_config* config,
                                            weft_cuda_backend_t backend,
                                            const weft_allocator* allocator, weft_merge_t* merge);
WEFT_API weft_status weft_rope_create_cuda(const weft_rope_config* config,
                                           weft_cuda_backend_t backend,
                                           const weft_allocator* allocator, weft_rope_t* rope);
/// Waits for executor.stream; WEFT_STATUS_INVALID_ARGUMENT when a checked run on a GPU found an
/// index wrong since the last call, which weft_last_error() names. Nothing to do on the CPU.
WEFT_API weft_status weft_append_check(weft_append_t append, const weft_executor* executor);
WEFT_API weft_status weft_rope_check(weft_rope_t rope, const weft_executor* executor);

/// weft_sampling_create on a GPU; the handle serves every weft_sampling function.
WEFT_API weft_status weft_sampling_create_cuda(const weft_sampling_config* config,
                                               weft_cuda_backend_t backend,
                                               const weft_allocator* allocator,
                                               weft_sampling_t* sampling);

/// weft_topk_create on a GPU; the handle serves every weft_topk function.
WEFT_API weft_status weft_topk_create_cuda(const weft_topk_config* config,
                                           weft_cuda_backend_t backend,
                                           const weft_allocator* allocator, weft_topk_t* topk);

/// weft_verify_create on a GPU; the handle serves every weft_verify function.
WEFT_API weft_status weft_verify_create_cuda(const weft_verify_config* config,
                                             weft_cuda_backend_t backend,
                                             const weft_allocator* allocator,
                                             weft_verify_t* verify);

#ifdef __cplusplus
}  // extern "C"
#endif
