// SPDX-License-Identifier: Apache-2.0
// The tensors of a test case on a device: every host buffer once, with the same contents, strides,
// alignment and poison, between fences of its own. Knows attention's argument structs, no kernel.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "src/cuda/device.h"
#include "tests/cases/attention_data.h"

namespace weft::test {

/// One host buffer and its copy on the device.
class MirroredBuffer {
 public:
  MirroredBuffer(const CudaDevice& device, const cases::Buffer& host);

  bool holds(const void* host_address) const;
  void* at(const void* host_address) const;
  void upload() const;
  void download() const;
  /// Empty, or what was written: a fence, or with `contents` a byte that differs from the host's.
  std::string find_change(bool contents) const;

 private:
  void copy(size_t begin, size_t end) const;

  const CudaDevice& device_;
  const cases::Buffer& host_;
  DeviceMemory memory_;
  cu::Address begin_ = 0;
};

/// REQUIRES: `data` outlives it and is not resized.
class DeviceMirror {
 public:
  DeviceMirror(const CudaDevice& device, cases::AttentionData& data);

  const AttentionBatch& batch() const { return batch_; }
  const AttentionArgs& args() const { return args_; }
  /// Copies the buffer that holds a host view again.
  void upload(const TensorView& host) const;
  /// Poisons the outputs, on both sides.
  void poison_outputs();
  /// Copies the outputs into `data`. REQUIRES: the run has ended.
  void download_outputs();
  /// Empty, or which buffer was written that should not be.
  std::string find_stray_write() const;
  /// A host view as it lies on the device.
  TensorView on_device(const TensorView& host) const;

 private:
  const CudaDevice& device_;
  cases::AttentionData& data_;
  std::deque<MirroredBuffer> inputs_;
  std::deque<MirroredBuffer> outputs_;
  AttentionBatch batch_;
  AttentionArgs args_;
};

}  // namespace weft::test
