// SPDX-License-Identifier: Apache-2.0
// The stable C ABI: the whole public API for C and for any language that can call C. Plain C11,
// clean in C++. Words, shapes, units and contracts are those of the C++ headers beside this one
// (attention.h, append.h, merge.h, rope.h, target.h); a comment here says only
// what differs.
// Sampling and topk stand in c_sampling.h, GPUs in c_cuda.h.
//
// Conventions, by number:
//  1. Ownership. `create` makes a handle, `destroy` ends it (of NULL: nothing). weft owns handles
//     and nothing else: tensors, structs and strings passed in are borrowed for the call, except a
//     plan's workspace (until the plan is destroyed) and the arrays of a planned batch (until the
//     plan is planned again, or last used). On failure `create` sets the handle to NULL.
//  2. Threads. Handles other than plans are immutable: any number of threads may use one. A plan
//     serves one call at a time. Nothing may run while its handle is being destroyed. A plan may
//     outlive the attention that made it, but can then only be inspected and destroyed.
//  3. Errors. Each fallible function returns a weft_status; what went wrong, as "argument: expected
//     X, got Y", is in weft_last_error() of the same thread. On bad input nothing is written, NULL
//     where something is required is a status and not a crash, and no C++ exception leaves weft.
//  4. Structs. Each begins with struct_size = sizeof of the struct the caller was compiled with;
//     `weft_x_init(&x, sizeof x)` sets it and every default. Fields are only ever added at the end:
//     those beyond a caller's struct_size take their defaults, and a larger struct from a newer
//     header is accepted while the fields this library does not know are zero. There is no
//     implicit padding; `reserved` must be 0.
//  5. Versions. WEFT_ABI_VERSION counts incompatible changes of this header; compare it with
//     weft_abi_version() after dlopen. Values of enums and layouts of structs never change.
//  6. Integers stand for enums and booleans inside structs: a value outside of its list is an
//     error. Booleans are 0 or 1.
//  7. Tensors have the layout of DLPack's DLTensor (DLPack 0.2 and later), strides in elements or
//     NULL for row-major contiguous, byte_offset honoured. An optional tensor is a NULL pointer.
//     When <dlpack/dlpack.h> was included before, weft_tensor *is* DLTensor.
//  8. Strings are UTF-8 and NUL-terminated. Static names are never freed. Text of any length goes
//     into the caller's buffer: *length (when not NULL) receives its length without the NUL; buffer
//     NULL with capacity 0 only asks for it; a capacity below length + 1 is an error.
//  9. Streams. A call on the CPU is complete when it returns. On CUDA, `plan` and `run` go to
//     executor.stream. A NULL executor is the default stream, or weft's own threads.
// 10. Memory. A weft_allocator given to `create` serves the memory of the handle, of its plans'
//     handles and of plan memory on the host; `plan` and `run` allocate nothing at all.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "weft/export.h"
#include "weft/version.h"

#define WEFT_ABI_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

// ---- Status, version, names ---------------------------------------------------------------------

typedef enum weft_status {
  WEFT_STATUS_OK = 0,
  WEFT_STATUS_INVALID_ARGUMENT = 1,  // a value, shape, stride, dtype or pointer breaks the contract
  WEFT_STATUS_UNSUPPORTED = 2,       // well-formed, but nothing in this build can run it
  WEFT_STATUS_OUT_OF_LIMITS = 3,     // exceeds a limit of the config, or a buffer's capacity
  WEFT_STATUS_OUT_OF_MEMORY = 4,
  WEFT_STATUS_DEVICE = 5,   // driver or compiler missing or failing
  WEFT_STATUS_INTERNAL = 6  // a broken invariant of weft itself; please report
} weft_status;

/// "ok", "invalid_argument", ...; "invalid" for any other value.
WEFT_API const char* weft_status_name(int32_t status);
/// Message of this thread's last call that failed, "" before; valid until the next one that fails.
/// Cut at 1023 bytes.
WEFT_API const char* weft_last_error(void);
WEFT_API const char* weft_version(void);
WEFT_API int32_t weft_abi_version(void);

enum weft_dtype {
  WEFT_DTYPE_NONE = 0,
  WEFT_DTYPE_F32 = 1,
  WEFT_DTYPE_F16 = 2,
  WEFT_DTYPE_BF16 = 3,
  WEFT_DTYPE_E4M3 = 4,  // DLPack float8_e4m3fn
  WEFT_DTYPE_E5M2 = 5,  // DLPack float8_e5m2
  WEFT_DTYPE_I32 = 6,
  WEFT_DTYPE_I64 = 7,
  WEFT_DTYPE_U8 = 8
};

/// "bf16", ...; "invalid" for a value outside weft_dtype.
WEFT_API const char* weft_dtype_name(int32_t dtype);
WEFT_API weft_status weft_dtype_from_name(const char* name, int32_t* dtype);

// ---- Tensors ------------------------------------------------------------------------------------

/// Device types of tensors and targets, numbered as in DLPack. Pinned host memory is host memory.
enum weft_device_type { WEFT_DEVICE_CPU = 1, WEFT_DEVICE_CUDA = 2, WEFT_DEVICE_CUDA_HOST = 3 };

#ifdef DLPACK_DLPACK_H_
typedef DLDevice weft_device;
typedef DLDataType weft_data_type;
typedef DLTensor weft_tensor;
#else
typedef struct weft_device {
  int32_t device_type;  // weft_device_type
  int32_t device_id;
} weft_device;

typedef struct weft_data_type {
  uint8_t code;  // DLPack's codes; weft_dtype_to_dlpack fills one
  uint8_t bits;
  uint16_t lanes;  // 1
} weft_data_type;

typedef struct weft_tensor {
  void* data;
  weft_device device;
  int32_t ndim;  // 0..6
  weft_data_type dtype;
  int64_t* shape;
  int64_t* strides;  // elements, not bytes; NULL = row-major contiguous
  uint64_t byte_offset;
} weft_tensor;
#endif

/// {0, 0, 0} for a value outside weft_dtype.
WEFT_API weft_data_type weft_dtype_to_dlpack(int32_t dtype);
/// A contiguous tensor in host memory that borrows `data` and `shape`.
WEFT_API weft_status weft_tensor_init(weft_tensor* tensor, void* data, int32_t dtype, int32_t ndim,
                                      int64_t* shape);
/// "bf16[4, 32, 128] on cpu".
WEFT_API weft_status weft_tensor_to_string(const weft_tensor* tensor, char* buffer, size_t capacity,
                                           size_t* length);

// ---- Target -------------------------------------------------------------------------------------

enum weft_isa {
  WEFT_ISA_SCALAR = 0,
  WEFT_ISA_AVX2 = 1,
  WEFT_ISA_AVX512 = 2,
  WEFT_ISA_AVX512_BF16 = 3,
  WEFT_ISA_AMX_BF16 = 4
};

/// "scalar", "avx2", ...; "invalid" for a value outside weft_isa.
WEFT_API const char* weft_isa_name(int32_t isa);
WEFT_API weft_status weft_isa_from_name(const char* name, int32_t* isa);

typedef struct weft_target {
  uint32_t struct_size;
  int32_t device_type;  // WEFT_DEVICE_CPU or WEFT_DEVICE_CUDA
  int32_t device_index;
  int32_t isa;  // weft_isa
  int32_t fast_bf16;
  int32_t num_threads;
  int32_t arch;
  int32_t num_sms;
  int32_t smem_per_sm;
  int32_t num_workers;
  int64_t l2_bytes;
} weft_target;

/// A scalar CPU of one thread.
WEFT_API weft_status weft_target_init(weft_target* target, size_t struct_size);
/// This host. Lower isa or num_threads afterwards to use less of it.
WEFT_API weft_status weft_target_host(weft_target* target, size_t struct_size);
/// One NVIDIA H200, for planning and compiling without one.
WEFT_API weft_status weft_target_h200(weft_target* target, size_t struct_size);
WEFT_API weft_status weft_target_to_string(const weft_target* target, char* buffer, size_t capacity,
                                           size_t* length);

// ---- Executor and allocator ---------------------------------------------------------------------

typedef void (*weft_body)(void* arg, int32_t i);

/// Where a call runs. parallel_for must call body(arg, i) once for each i in [0, n), on any threads
/// and in any order, and return when all have returned; it must not throw or longjmp.
typedef struct weft_executor {
  uint32_t struct_size;
  int32_t num_threads;  // with parallel_for: how many calls may run at the same time; > 0
  void* stream;         // CUDA: cudaStream_t / CUstream
  void* parallel_context;
  void (*parallel_for)(void* context, int32_t n, weft_body body, void* arg);
} weft_executor;

WEFT_API weft_status weft_executor_init(weft_executor* executor, size_t struct_size);

/// Both functions or neither. `allocate` returns memory of the asked alignment (a power of two, at
/// most 64), or NULL; `deallocate` gets the same sizes back. Called from create, create_plan and
/// destroy only, on the calling thread. `context` must outlive every handle made with it.
typedef struct weft_allocator {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  void* (*allocate)(void* context, size_t bytes, size_t alignment);
  void (*deallocate)(void* context, void* memory, size_t bytes, size_t alignment);
} weft_allocator;

WEFT_API weft_status weft_allocator_init(weft_allocator* allocator, size_t struct_size);

// ---- Words of the configs -----------------------------------------------------------------------

enum weft_kv_layout { WEFT_KV_LAYOUT_NHD = 0, WEFT_KV_LAYOUT_HND = 1 };
enum weft_mask {
  WEFT_MASK_NONE = 0,
  WEFT_MASK_CAUSAL = 1,
  WEFT_MASK_CUSTOM = 2,
  WEFT_MASK_TREE = 3
};
enum weft_schedule { WEFT_SCHEDULE_DETERMINISTIC = 0, WEFT_SCHEDULE_BATCH_INVARIANT = 1 };
enum weft_rope_mode { WEFT_ROPE_NONE = 0, WEFT_ROPE_NEOX = 1, WEFT_ROPE_INTERLEAVED = 2 };

/// weft::Rope. A NULL pointer to one in a config is no rotation.
typedef struct weft_rope_form {
  uint32_t struct_size;
  int32_t mode;  // weft_rope_mode
  int32_t dim;
  float theta;
  float scale;
  int32_t llama31;
  float low_freq_factor;
  float high_freq_factor;
  int32_t old_context_len;
} weft_rope_form;

WEFT_API weft_status weft_rope_form_init(weft_rope_form* form, size_t struct_size);

// ---- attention ----------------------------------------------------------------------------------

typedef struct weft_attention_handle* weft_attention_t;
typedef struct weft_attention_plan_handle* weft_attention_plan_t;

typedef struct weft_attention_config {
  uint32_t struct_size;
  int32_t dtype_q;   // weft_dtype
  int32_t dtype_kv;  // weft_dtype
  int32_t dtype_o;   // weft_dtype
  int32_t num_qo_heads;
  int32_t num_kv_heads;
  int32_t head_dim_qk;
  int32_t head_dim_vo;
  int32_t page_size;
  int32_t kv_layout;  // weft_kv_layout
  int32_t mask;       // weft_mask
  int32_t schedule;   // weft_schedule
  int32_t split_kv;
  int32_t window_left;
  int32_t checked;
  int32_t max_batch_size;
  int32_t max_nnz_qo;
  uint32_t reserved;
  const weft_rope_form* rope;
} weft_attention_config;

typedef struct weft_attention_batch {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* qo_indptr;
  const weft_tensor* kv_indptr;
  const weft_tensor* kv_indices;
  const weft_tensor* last_page_len;
} weft_attention_batch;

typedef struct weft_attention_args {
  uint32_t struct_size;
  int32_t window_left;
  float logits_soft_cap;
  float k_scale;
  float v_scale;
  int32_t lse_base2;
  const float* sm_scale;  // NULL = head_dim_qk^-1/2
  const weft_tensor* q;
  const weft_tensor* k;
  const weft_tensor* v;
  const weft_tensor* o;
  const weft_tensor* lse;
  const weft_tensor* k_scales;
  const weft_tensor* v_scales;
  const weft_tensor* sink;
  const weft_tensor* alibi_slopes;
  const weft_tensor* custom_mask;
  const weft_tensor* mask_indptr;
} weft_attention_args;

/// What a plan holds. struct_size is the caller's; the rest is written by the library.
typedef struct weft_attention_plan_info {
  uint32_t struct_size;
  int32_t batch_size;
  int32_t num_items;
  int32_t num_merges;
  int32_t num_workers;
  uint32_t reserved;
  double balance;
} weft_attention_plan_info;

WEFT_API weft_status weft_attention_config_init(weft_attention_config* config, size_t struct_size);
WEFT_API weft_status weft_attention_batch_init(weft_attention_batch* batch, size_t struct_size);
WEFT_API weft_status weft_attention_args_init(weft_attention_args* args, size_t struct_size);
WEFT_API weft_status weft_attention_plan_info_init(weft_attention_plan_info* info,
                                                   size_t struct_size);

/// target NULL = this host; allocator NULL = the C++ runtime's.
WEFT_API weft_status weft_attention_create(const weft_attention_config* config,
                                           const weft_target* target,
                                           const weft_allocator* allocator,
                                           weft_attention_t* attention);
WEFT_API weft_status weft_attention_destroy(weft_attention_t attention);
WEFT_API weft_status weft_attention_workspace_bytes(weft_attention_t attention, size_t* bytes);
WEFT_API weft_status weft_attention_explain(weft_attention_t attention, char* buffer,
                                            size_t capacity, size_t* length);

/// workspace NULL = memory of the plan's own, from the allocator of `attention`.
WEFT_API weft_status weft_attention_create_plan(weft_attention_t attention,
                                                const weft_tensor* workspace,
                                                weft_attention_plan_t* plan);
WEFT_API weft_status weft_attention_plan_destroy(weft_attention_plan_t plan);
WEFT_API weft_status weft_attention_plan_get_info(weft_attention_plan_t plan,
                                                  weft_attention_plan_info* info);
WEFT_API weft_status weft_attention_plan_explain(weft_attention_plan_t plan, char* buffer,
                                                 size_t capacity, size_t* length);
WEFT_API weft_status weft_attention_plan_explain_json(weft_attention_plan_t plan, char* buffer,
                                                      size_t capacity, size_t* length);

WEFT_API weft_status weft_attention_plan(weft_attention_t attention,
                                         const weft_attention_batch* batch,
                                         weft_attention_plan_t plan, const weft_executor* executor);
WEFT_API weft_status weft_attention_run(weft_attention_t attention, weft_attention_plan_t plan,
                                        const weft_attention_args* args,
                                        const weft_executor* executor);

// ---- append -------------------------------------------------------------------------------------

typedef struct weft_append_handle* weft_append_t;

typedef struct weft_append_config {
  uint32_t struct_size;
  int32_t dtype;     // weft_dtype
  int32_t dtype_kv;  // weft_dtype
  int32_t num_kv_heads;
  int32_t num_qo_heads;
  int32_t head_dim_qk;
  int32_t head_dim_vo;
  int32_t page_size;
  int32_t kv_layout;  // weft_kv_layout
  int32_t checked;
  const weft_rope_form* rope;
  int32_t qk_norm;  // boolean
  float norm_eps;
  float norm_weight_offset;
  int32_t dtype_q_out;  // NONE = dtype
} weft_append_config;

typedef struct weft_append_args {
  uint32_t struct_size;
  uint32_t reserved;
  float k_scale;
  float v_scale;
  const weft_tensor* k;
  const weft_tensor* v;
  const weft_tensor* batch_indices;
  const weft_tensor* positions;
  const weft_tensor* kv_indptr;
  const weft_tensor* kv_indices;
  const weft_tensor* k_cache;
  const weft_tensor* v_cache;
  const weft_tensor* k_scales;
  const weft_tensor* v_scales;
  const weft_tensor* q;
  const weft_tensor* q_out;
  const weft_tensor* rope_positions;
  const weft_tensor* cos_sin_cache;
  const weft_tensor* k_weight;
  const weft_tensor* q_weight;
  float q_scale;
  uint32_t reserved_1;
} weft_append_args;

WEFT_API weft_status weft_append_config_init(weft_append_config* config, size_t struct_size);
WEFT_API weft_status weft_append_args_init(weft_append_args* args, size_t struct_size);
WEFT_API weft_status weft_append_create(const weft_append_config* config, const weft_target* target,
                                        const weft_allocator* allocator, weft_append_t* append);
WEFT_API weft_status weft_append_destroy(weft_append_t append);
WEFT_API weft_status weft_append_explain(weft_append_t append, char* buffer, size_t capacity,
                                         size_t* length);
WEFT_API weft_status weft_append_run(weft_append_t append, const weft_append_args* args,
                                     const weft_executor* executor);
WEFT_API weft_status weft_batch_indices_positions(const weft_tensor* append_indptr,
                                                  const weft_tensor* kv_lens,
                                                  const weft_tensor* batch_indices,
                                                  const weft_tensor* positions);

// ---- merge --------------------------------------------------------------------------------------

typedef struct weft_merge_handle* weft_merge_t;

typedef struct weft_merge_config {
  uint32_t struct_size;
  int32_t dtype;    // weft_dtype
  int32_t dtype_o;  // weft_dtype
  int32_t num_heads;
  int32_t head_dim;
  int32_t lse_base2;
} weft_merge_config;

typedef struct weft_merge_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* o_in;
  const weft_tensor* lse_in;
  const weft_tensor* o;
  const weft_tensor* lse;
} weft_merge_args;

typedef struct weft_merge_pair_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* o_a;
  const weft_tensor* lse_a;
  const weft_tensor* o_b;
  const weft_tensor* lse_b;
  const weft_tensor* o;
  const weft_tensor* lse;
  const weft_tensor* mask;
} weft_merge_pair_args;

WEFT_API weft_status weft_merge_config_init(weft_merge_config* config, size_t struct_size);
WEFT_API weft_status weft_merge_args_init(weft_merge_args* args, size_t struct_size);
WEFT_API weft_status weft_merge_pair_args_init(weft_merge_pair_args* args, size_t struct_size);
WEFT_API weft_status weft_merge_create(const weft_merge_config* config, const weft_target* target,
                                       const weft_allocator* allocator, weft_merge_t* merge);
WEFT_API weft_status weft_merge_destroy(weft_merge_t merge);
WEFT_API weft_status weft_merge_explain(weft_merge_t merge, char* buffer, size_t capacity,
                                        size_t* length);
WEFT_API weft_status weft_merge_run(weft_merge_t merge, const weft_merge_args* args,
                                    const weft_executor* executor);
WEFT_API weft_status weft_merge_run_pair(weft_merge_t merge, const weft_merge_pair_args* args,
                                         const weft_executor* executor);

// ---- rope ---------------------------------------------------------------------------------------

typedef struct weft_rope_handle* weft_rope_t;

typedef struct weft_rope_config {
  uint32_t struct_size;
  int32_t dtype;  // weft_dtype
  int32_t num_qo_heads;
  int32_t num_kv_heads;
  int32_t head_dim;
  int32_t checked;
  const weft_rope_form* rope;
} weft_rope_config;

typedef struct weft_rope_args {
  uint32_t struct_size;
  uint32_t reserved;
  const weft_tensor* q;
  const weft_tensor* k;
  const weft_tensor* q_out;
  const weft_tensor* k_out;
  const weft_tensor* positions;
  const weft_tensor* indptr;
  const weft_tensor* offsets;
  const weft_tensor* cos_sin_cache;
} weft_rope_args;

WEFT_API weft_status weft_rope_config_init(weft_rope_config* config, size_t struct_size);
WEFT_API weft_status weft_rope_args_init(weft_rope_args* args, size_t struct_size);
WEFT_API weft_status weft_rope_create(const weft_rope_config* config, const weft_target* target,
                                      const weft_allocator* allocator, weft_rope_t* rope);
WEFT_API weft_status weft_rope_destroy(weft_rope_t rope);
WEFT_API weft_status weft_rope_explain(weft_rope_t rope, char* buffer, size_t capacity,
                                       size_t* length);
WEFT_API weft_status weft_rope_run(weft_rope_t rope, const weft_rope_args* args,
                                   const weft_executor* executor);

#ifdef __cplusplus
}  // extern "C"
#endif
