// SPDX-License-Identifier: Apache-2.0
// Replay on a GPU: device memory for the engine, a stream on which a layer stack is captured once
// and replayed, and the read bandwidth of the same run.
#pragma once

#include "src/cuda/backend.h"
#include "tools/weft/replay.h"
#include "tools/weft/stack_engine.h"

namespace weft::cli {

/// Copies go to the stream given, and have happened when the call returns.
class CudaMemory final : public engine::Memory {
 public:
  CudaMemory(const CudaDevice& device, cu::Stream stream) : device_(device), stream_(stream) {}
  Device device() const override { return {DeviceType::cuda, device_.target().device_index}; }
  /// Filled with NaN, so that what is read before it was written is seen.
  void* allocate(size_t bytes) override;
  void release(void* data, size_t bytes) noexcept override;
  void upload(void* target, const void* host, size_t bytes) override;
  void download(void* host, const void* source, size_t bytes) override;

 private:
  void synchronize() const;

  const CudaDevice& device_;
  cu::Stream stream_;
};

class CudaStack final : public StackDevice {
 public:
  explicit CudaStack(const CudaBackend& backend);
  ~CudaStack() override;
  CudaStack(const CudaStack&) = delete;
  CudaStack& operator=(const CudaStack&) = delete;

  engine::Memory& memory() override { return *memory_; }
  Executor executor() override { return {stream_, nullptr}; }
  double run(const std::function<void()>& enqueue) override;

 private:
  void capture(const std::function<void()>& enqueue);

  CudaBackend backend_;
  const CudaDevice& device_;
  cu::Stream stream_ = nullptr;
  cu::Event begin_ = nullptr, end_ = nullptr;
  cu::Graph graph_ = nullptr;
  cu::GraphExec exec_ = nullptr;
  std::unique_ptr<CudaMemory> memory_;
};

/// The paged-read roof of this device, measured at each sample; of its arithmetic, what a dense
/// bf16 matrix product reaches on an H200, by the number of SMs.
std::unique_ptr<ReplayRoofs> make_cuda_roofs(const CudaBackend& backend);

/// "cuda_mma_bf16": the unit that replay's tolerance is made from.
std::string cuda_unit(DType dtype);

ReplayResult run_replay_cuda(const Trace& trace, const ReplayOptions& options,
                             const CudaBackend& backend, Threads& threads,
                             const ReplayProgress& progress);

}  // namespace weft::cli
