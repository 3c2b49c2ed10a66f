// SPDX-License-Identifier: Apache-2.0
// See launch.h.
#include "src/cuda/launch.h"

namespace weft {

void launch_bytes(const CudaDevice& device, const CudaKernel& kernel, const LaunchShape& shape,
                  void* stream, const void* params) {
  cu::LaunchAttribute attributes[3] = {};
  cu::LaunchConfig config{};
  config.grid[0] = static_cast<unsigned>(shape.num_ctas);
  config.block[0] = static_cast<unsigned>(kernel.num_threads);
  config.grid[1] = config.grid[2] = config.block[1] = config.block[2] = 1;
  config.smem_bytes = static_cast<unsigned>(kernel.smem_bytes);
  config.stream = static_cast<cu::Stream>(stream);
  config.attributes = attributes;
  const auto add = [&](cu::LaunchAttributeId id) -> cu::LaunchAttribute& {
    cu::LaunchAttribute& attribute = attributes[config.num_attributes++];
    attribute.id = id;
    return attribute;
  };
  if (shape.cluster > 1) {
    cu::LaunchAttribute& attribute = add(cu::kClusterDimension);
    attribute.cluster[0] = static_cast<unsigned>(shape.cluster);
    attribute.cluster[1] = attribute.cluster[2] = 1;
  }
  if (shape.overlaps_previous) add(cu::kProgrammaticStream).flag = 1;
  if (shape.cooperative) add(cu::kCooperative).flag = 1;
  void* arguments[] = {const_cast<void*>(params)};
  const ContextScope current(device);
  const cu::Driver& driver = device.driver();
  driver.check(driver.launch(&config, kernel.function, arguments, nullptr), "cuLaunchKernelEx");
}

}  // namespace weft
