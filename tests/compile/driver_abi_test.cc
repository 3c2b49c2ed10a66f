// SPDX-License-Identifier: Apache-2.0
// Our own declarations of the CUDA driver's types against cuda.h, where a toolkit is.
#include <gtest/gtest.h>

#include "src/cuda/driver.h"
#include "src/cuda/tensor_map.h"
#include "weft/error.h"

#if __has_include(<cuda.h>)
#include <cuda.h>

#include <type_traits>

namespace weft::cu {
namespace {

// Same size of every argument, in order: what the calling convention sees.
template <class Ours, class Theirs>
struct SameCall : std::false_type {};
template <class... Ours, class... Theirs>
struct SameCall<Result (*)(Ours...), CUresult(Theirs...)>
    : std::bool_constant<sizeof...(Ours) == sizeof...(Theirs) &&
                         ((sizeof(Ours) == sizeof(Theirs) &&
                           std::is_pointer_v<Ours> == std::is_pointer_v<Theirs>)&&...)> {};

#define WEFT_SAME_CALL(member, function) \
  static_assert(SameCall<decltype(Driver::member), decltype(function)>::value)
WEFT_SAME_CALL(init, cuInit);
WEFT_SAME_CALL(driver_version, cuDriverGetVersion);
WEFT_SAME_CALL(error_name, cuGetErrorName);
WEFT_SAME_CALL(error_string, cuGetErrorString);
WEFT_SAME_CALL(device_count, cuDeviceGetCount);
WEFT_SAME_CALL(device_get, cuDeviceGet);
WEFT_SAME_CALL(device_name, cuDeviceGetName);
WEFT_SAME_CALL(device_attribute, cuDeviceGetAttribute);
WEFT_SAME_CALL(primary_retain, cuDevicePrimaryCtxRetain);
WEFT_SAME_CALL(primary_release, cuDevicePrimaryCtxRelease);
WEFT_SAME_CALL(context_get, cuCtxGetCurrent);
WEFT_SAME_CALL(context_push, cuCtxPushCurrent);
WEFT_SAME_CALL(context_pop, cuCtxPopCurrent);
WEFT_SAME_CALL(context_synchronize, cuCtxSynchronize);
WEFT_SAME_CALL(capture_mode, cuThreadExchangeStreamCaptureMode);
WEFT_SAME_CALL(module_load, cuModuleLoadData);
WEFT_SAME_CALL(module_unload, cuModuleUnload);
WEFT_SAME_CALL(module_function, cuModuleGetFunction);
WEFT_SAME_CALL(function_get, cuFuncGetAttribute);
WEFT_SAME_CALL(function_set, cuFuncSetAttribute);
WEFT_SAME_CALL(occupancy, cuOccupancyMaxActiveBlocksPerMultiprocessor);
WEFT_SAME_CALL(launch, cuLaunchKernelEx);
WEFT_SAME_CALL(encode_tiled, cuTensorMapEncodeTiled);
WEFT_SAME_CALL(memory_alloc, cuMemAlloc);
WEFT_SAME_CALL(memory_free, cuMemFree);
WEFT_SAME_CALL(copy_to_device, cuMemcpyHtoDAsync);
WEFT_SAME_CALL(copy_to_host, cuMemcpyDtoHAsync);
WEFT_SAME_CALL(copy_on_device, cuMemcpyDtoDAsync);
WEFT_SAME_CALL(fill_bytes, cuMemsetD8Async);
WEFT_SAME_CALL(stream_create, cuStreamCreate);
WEFT_SAME_CALL(stream_destroy, cuStreamDestroy);
WEFT_SAME_CALL(stream_synchronize, cuStreamSynchronize);
WEFT_SAME_CALL(capture_begin, cuStreamBeginCapture);
WEFT_SAME_CALL(capture_end, cuStreamEndCapture);
WEFT_SAME_CALL(graph_instantiate, cuGraphInstantiate);
WEFT_SAME_CALL(graph_launch, cuGraphLaunch);
WEFT_SAME_CALL(graph_exec_destroy, cuGraphExecDestroy);
WEFT_SAME_CALL(graph_destroy, cuGraphDestroy);
WEFT_SAME_CALL(event_create, cuEventCreate);
WEFT_SAME_CALL(event_destroy, cuEventDestroy);
WEFT_SAME_CALL(event_record, cuEventRecord);
WEFT_SAME_CALL(event_elapsed, cuEventElapsedTime);

static_assert(sizeof(Address) == sizeof(CUdeviceptr));
static_assert(sizeof(TensorMap) == sizeof(CUtensorMap));
static_assert(alignof(TensorMap) == alignof(CUtensorMap));
static_assert(sizeof(LaunchAttribute) == sizeof(CUlaunchAttribute));
static_assert(offsetof(LaunchAttribute, flag) == offsetof(CUlaunchAttribute, value));
static_assert(sizeof(LaunchConfig) == sizeof(CUlaunchConfig));
static_assert(offsetof(LaunchConfig, block) == offsetof(CUlaunchConfig, blockDimX));
static_assert(offsetof(LaunchConfig, smem_bytes) == offsetof(CUlaunchConfig, sharedMemBytes));
static_assert(offsetof(LaunchConfig, stream) == offsetof(CUlaunchConfig, hStream));
static_assert(offsetof(LaunchConfig, attributes) == offsetof(CUlaunchConfig, attrs));
static_assert(offsetof(LaunchConfig, num_attributes) == offsetof(CUlaunchConfig, numAttrs));

TEST(DriverAbi, ConstantsAreTheDrivers) {
  EXPECT_EQ(int{kSuccess}, int{CUDA_SUCCESS});
  EXPECT_EQ(int{kOutOfMemory}, int{CUDA_ERROR_OUT_OF_MEMORY});
  EXPECT_EQ(int{kNumSms}, int{CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT});
  EXPECT_EQ(int{kL2Bytes}, int{CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE});
  EXPECT_EQ(int{kMajor}, int{CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR});
  EXPECT_EQ(int{kMinor}, int{CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR});
  EXPECT_EQ(int{kSmemPerSm}, int{CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR});
  EXPECT_EQ(int{kSmemPerCta}, int{CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN});
  EXPECT_EQ(int{kLocalBytes}, int{CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES});
  EXPECT_EQ(int{kNumRegisters}, int{CU_FUNC_ATTRIBUTE_NUM_REGS});
  EXPECT_EQ(int{kMaxDynamicSmem}, int{CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES});
  EXPECT_EQ(int{kNonPortableCluster}, int{CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED});
  EXPECT_EQ(int{kCooperative}, int{CU_LAUNCH_ATTRIBUTE_COOPERATIVE});
  EXPECT_EQ(int{kClusterDimension}, int{CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION});
  EXPECT_EQ(int{kProgrammaticStream}, int{CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION});
  EXPECT_EQ(int{kU8}, int{CU_TENSOR_MAP_DATA_TYPE_UINT8});
  EXPECT_EQ(int{kI32}, int{CU_TENSOR_MAP_DATA_TYPE_INT32});
  EXPECT_EQ(int{kI64}, int{CU_TENSOR_MAP_DATA_TYPE_INT64});
  EXPECT_EQ(int{kF16}, int{CU_TENSOR_MAP_DATA_TYPE_FLOAT16});
  EXPECT_EQ(int{kF32}, int{CU_TENSOR_MAP_DATA_TYPE_FLOAT32});
  EXPECT_EQ(int{kBf16}, int{CU_TENSOR_MAP_DATA_TYPE_BFLOAT16});
  EXPECT_EQ(static_cast<int>(Swizzle::b32), int{CU_TENSOR_MAP_SWIZZLE_32B});
  EXPECT_EQ(static_cast<int>(Swizzle::b64), int{CU_TENSOR_MAP_SWIZZLE_64B});
  EXPECT_EQ(static_cast<int>(Swizzle::b128), int{CU_TENSOR_MAP_SWIZZLE_128B});
  EXPECT_EQ(int{kCaptureGlobal}, int{CU_STREAM_CAPTURE_MODE_GLOBAL});
  EXPECT_EQ(int{kCaptureThreadLocal}, int{CU_STREAM_CAPTURE_MODE_THREAD_LOCAL});
  EXPECT_EQ(int{kCaptureRelaxed}, int{CU_STREAM_CAPTURE_MODE_RELAXED});
}

}  // namespace
}  // namespace weft::cu

#else

TEST(DriverAbi, ConstantsAreTheDrivers) { GTEST_SKIP() << "no cuda.h on this machine"; }

#endif

namespace weft {
namespace {

TEST(Driver, AbsentIsAClearError) {
  try {
    cu::Driver driver({"libno-such-cuda.so.1"});
    FAIL() << "opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device);
    EXPECT_EQ(std::string(error.what()).find("cuda driver: expected libcuda.so.1"), 0u)
        << error.what();
  }
}

}  // namespace
}  // namespace weft
