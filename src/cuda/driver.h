// SPDX-License-Identifier: Apache-2.0
// The CUDA driver by dlopen: the functions weft calls, with the few types they take. Declared here
// because cuda.h may be absent where weft is built; tests/compile/driver_abi_test.cc compares the
// two where it is present. Called by src/cuda alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/core/tensor_map.h"
#include "src/base/dl.h"

namespace weft::cu {

using Result = int;
using Device = int;
using Address = unsigned long long;
using Context = struct ContextTag*;
using Module = struct ModuleTag*;
using Function = struct FunctionTag*;
using Stream = struct StreamTag*;
using Event = struct EventTag*;
using Graph = struct GraphTag*;
using GraphExec = struct GraphExecTag*;

inline constexpr Result kSuccess = 0;
inline constexpr Result kOutOfMemory = 2;

enum DeviceAttribute : int {
  kNumSms = 16,
  kL2Bytes = 38,
  kMajor = 75,
  kMinor = 76,
  kSmemPerSm = 81,
  kSmemPerCta = 97,  // dynamic shared memory a CTA may ask for
};

enum FunctionAttribute : int {
  kLocalBytes = 3,
  kNumRegisters = 4,
  kMaxDynamicSmem = 8,
  kNonPortableCluster = 14,
};

enum LaunchAttributeId : int { kCooperative = 2, kClusterDimension = 4, kProgrammaticStream = 6 };

struct LaunchAttribute {
  LaunchAttributeId id;
  int padding;
  union {
    char size[64];
    int flag;
    unsigned cluster[3];
  };
};

struct LaunchConfig {
  unsigned grid[3];
  unsigned block[3];
  unsigned smem_bytes;
  Stream stream;
  LaunchAttribute* attributes;
  unsigned num_attributes;
};

enum TensorType : int { kU8 = 0, kI32 = 3, kI64 = 5, kF16 = 6, kF32 = 7, kBf16 = 9 };

enum CaptureMode : int { kCaptureGlobal = 0, kCaptureThreadLocal = 1, kCaptureRelaxed = 2 };

/// Every driver function weft calls: member, name at the driver, signature. The last rows are for
/// tests and benchmarks only.
#define WEFT_DRIVER_FUNCTIONS(F)                                                              \
  F(init, "cuInit", (unsigned flags))                                                         \
  F(driver_version, "cuDriverGetVersion", (int* version))                                     \
  F(error_name, "cuGetErrorName", (Result, const char** text))                                \
  F(error_string, "cuGetErrorString", (Result, const char** text))                            \
  F(device_count, "cuDeviceGetCount", (int* count))                                           \
  F(device_get, "cuDeviceGet", (Device*, int index))                                          \
  F(device_name, "cuDeviceGetName", (char* name, int size, Device))                           \
  F(device_attribute, "cuDeviceGetAttribute", (int* value, DeviceAttribute, Device))          \
  F(primary_retain, "cuDevicePrimaryCtxRetain", (Context*, Device))                           \
  F(primary_release, "cuDevicePrimaryCtxRelease", (Device))                                   \
  F(context_get, "cuCtxGetCurrent", (Context*))                                               \
  F(context_push, "cuCtxPushCurrent", (Context))                                              \
  F(context_pop, "cuCtxPopCurrent", (Context*))                                               \
  F(context_synchronize, "cuCtxSynchronize", ())                                              \
  F(capture_mode, "cuThreadExchangeStreamCaptureMode", (CaptureMode*))                        \
  F(module_load, "cuModuleLoadData", (Module*, const void* image))                            \
  F(module_unload, "cuModuleUnload", (Module))                                                \
  F(module_function, "cuModuleGetFunction", (Function*, Module, const char* name))            \
  F(function_get, "cuFuncGetAttribute", (int* value, FunctionAttribute, Function))            \
  F(function_set, "cuFuncSetAttribute", (Function, FunctionAttribute, int value))             \
  F(occupancy, "cuOccupancyMaxActiveBlocksPerMultiprocessor",                                 \
    (int* ctas, Function, int block_size, size_t smem_bytes))                                 \
  F(launch, "cuLaunchKernelEx", (const LaunchConfig*, Function, void** params, void** extra)) \
  F(encode_tiled, "cuTensorMapEncodeTiled",                                                   \
    (TensorMap*, TensorType, uint32_t rank, void* base, const uint64_t* sizes,                \
     const uint64_t* strides, const uint32_t* box, const uint32_t* element_strides,           \
     int interleave, int swizzle, int l2_promotion, int fill))                                \
  F(memory_alloc, "cuMemAlloc", (Address*, size_t bytes))                                     \
  F(memory_free, "cuMemFree", (Address))                                                      \
  F(copy_to_device, "cuMemcpyHtoDAsync", (Address, const void* from, size_t bytes, Stream))   \
  F(copy_to_host, "cuMemcpyDtoHAsync", (void* to, Address, size_t bytes, Stream))             \
  F(copy_on_device, "cuMemcpyDtoDAsync", (Address to, Address, size_t bytes, Stream))         \
  F(fill_bytes, "cuMemsetD8Async", (Address, unsigned char value, size_t bytes, Stream))      \
  F(stream_create, "cuStreamCreate", (Stream*, unsigned flags))                               \
  F(stream_destroy, "cuStreamDestroy", (Stream))                                              \
  F(stream_synchronize, "cuStreamSynchronize", (Stream))                                      \
  F(capture_begin, "cuStreamBeginCapture", (Stream, CaptureMode))                             \
  F(capture_end, "cuStreamEndCapture", (Stream, Graph*))                                      \
  F(graph_instantiate, "cuGraphInstantiateWithFlags",                                         \
    (GraphExec*, Graph, unsigned long long flags))                                            \
  F(graph_launch, "cuGraphLaunch", (GraphExec, Stream))                                       \
  F(graph_exec_destroy, "cuGraphExecDestroy", (GraphExec))                                    \
  F(graph_destroy, "cuGraphDestroy", (Graph))                                                 \
  F(event_create, "cuEventCreate", (Event*, unsigned flags))                                  \
  F(event_destroy, "cuEventDestroy", (Event))                                                 \
  F(event_record, "cuEventRecord", (Event, Stream))                                           \
  F(event_elapsed, "cuEventElapsedTime", (float* milliseconds, Event, Event))

/// Function table of an opened driver. Thread-safe; immutable.
class Driver {
 public:
  /// Opens the driver and calls cuInit. Throws Error(device) when there is none, it is older than
  /// CUDA 12.0, or it finds no device.
  explicit Driver(const std::vector<std::string>& names = {"libcuda.so.1"});

  /// Throws Error(device), or Error(out_of_memory), naming the call.
  void check(Result result, const char* call) const {
    if (result != kSuccess) refuse(result, call);
  }

#define WEFT_DRIVER_MEMBER(member, name, arguments) Result(*member) arguments = nullptr;
  WEFT_DRIVER_FUNCTIONS(WEFT_DRIVER_MEMBER)
#undef WEFT_DRIVER_MEMBER

 private:
  [[noreturn]] void refuse(Result result, const char* call) const;

  DynamicLibrary library_;
};

}  // namespace weft::cu
