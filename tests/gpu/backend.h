// SPDX-License-Identifier: Apache-2.0
// The fixture of tests that go through the public API on a GPU: one CudaBackend a suite, or a plain
// skip; and how a tensor-free check of an Error reads.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/cuda/backend.h"
#include "tests/cases/random.h"
#include "tests/gpu/gpu.h"
#include "weft/cuda.h"

namespace weft::test {

class BackendTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    try {
      // Kernels go to no disk: a test must not depend on what an earlier one left.
      backend_.emplace(0, JitOptions{.cache_dir = ""});
      stream_.emplace(backend_->state().device);
    } catch (const Error& error) {
      reason_ = error.what();
    }
  }
  static void TearDownTestSuite() {
    stream_.reset();
    backend_.reset();
  }
  void SetUp() override {
    if (!backend_) GTEST_SKIP() << "no GPU: " << reason_;
  }

  static const CudaBackend& backend() { return *backend_; }
  static const CudaDevice& device() { return backend_->state().device; }
  static cu::Stream stream() { return stream_->get(); }
  static Executor executor() { return {.stream = stream()}; }

  /// Microseconds of one of `count` calls in a captured graph; call(i) enqueues the i-th. Each
  /// waits for the one before, so this is a call's time on the device with what a launch adds.
  static double time_us(int count, const std::function<void(int)>& call) {
    for (int i = 0; i < count; ++i) call(i);
    const CapturedGraph graph(device(), stream(), [&] {
      for (int i = 0; i < count; ++i) call(i);
    });
    return graph.time_us(31) / count;
  }

  /// `bytes` of numbers of magnitude 1 to 2, as bf16 or as f32: what a chip computes with changes
  /// its clocks.
  static std::vector<char> plain_numbers(size_t bytes) {
    std::vector<char> block((bytes + 7) / 8 * 8);
    cases::Random random(7);
    for (size_t i = 0; i < block.size(); i += 8) {
      const uint64_t word = (random.next() & 0x807f807f807f807f) | 0x3f803f803f803f80;
      std::memcpy(block.data() + i, &word, 8);
    }
    block.resize(bytes);
    return block;
  }

  /// One line of JSON: a case, its time, the bytes it has to move and how fast that was.
  static void report(const std::string& id, double us, double bytes) {
    std::printf(
        "{\"id\": \"%s\", \"us\": %.2f, \"mbytes\": %.2f, \"tb_per_s\": %.3f, \"device\": "
        "\"%s\"}\n",
        id.c_str(), us, bytes / 1e6, bytes / us / 1e6, backend().device_name().c_str());
  }

  /// What `call` throws, as "kind: message"; empty when nothing.
  static std::string error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return std::string(name_of(error.kind())) + ": " + error.what();
    }
    return "";
  }

 private:
  static inline std::optional<CudaBackend> backend_;
  static inline std::optional<Stream> stream_;
  static inline std::string reason_;
};

}  // namespace weft::test
