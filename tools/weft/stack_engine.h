// SPDX-License-Identifier: Apache-2.0
// StackEngine: a step as an engine with captured graphs runs it. All layers are enqueued as one
// stack over tensors of fixed size: a batch is padded with requests of no tokens, and its tokens
// with copies of the last one, which append writes to the same place. So one capture serves every
// step. The device is behind StackDevice; on the host a test runs the same stack without a GPU.
#pragma once

#include <functional>

#include "tools/weft/replay_engine.h"

namespace weft::cli {

/// Where a stack runs.
class StackDevice {
 public:
  virtual ~StackDevice() = default;
  virtual engine::Memory& memory() = 0;
  virtual Executor executor() = 0;
  /// Runs what `enqueue` enqueues on the executor, captured at the first call and replayed after;
  /// waits for it. Returns its microseconds.
  virtual double run(const std::function<void()>& enqueue) = 0;
};

/// `attention` and `append` are made for the device, of engine::completed(config).
std::unique_ptr<ReplayEngine> make_stack_engine(const engine::EngineConfig& config,
                                                Attention attention, Append append,
                                                StackDevice& device, const std::string& unit);

}  // namespace weft::cli
