// SPDX-License-Identifier: Apache-2.0
// See device.h.
#include "bench/gpu/device.h"

#include <algorithm>
#include <bit>
#include <random>

namespace weft::bench {

void fill_random(Array<uint16_t>& array, DType dtype) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto word = [&]() -> uint16_t {
    // The top bit of both exponents away: no NaN, and logits of an ordinary size.
    if (is_fp8(dtype)) return random() & 0xbfbf;
    return static_cast<uint16_t>(std::bit_cast<uint32_t>(normal(random)) >> 16);
  };
  std::vector<uint16_t> values(std::min<size_t>(array.size(), size_t{16} << 20));
  for (uint16_t& x : values) x = word();
  for (size_t first = 0; first < array.size(); first += values.size()) {
    values.resize(std::min(values.size(), array.size() - first));
    array.write(values, first);
  }
}

Graph::Graph(const CudaDevice& device, const std::function<void(void* stream)>& body)
    : device_(device) {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.check(driver.stream_create(&stream_, 1), "cuStreamCreate");
  driver.check(driver.event_create(&begin_, 0), "cuEventCreate");
  driver.check(driver.event_create(&end_, 0), "cuEventCreate");
  driver.check(driver.capture_begin(stream_, cu::kCaptureGlobal), "cuStreamBeginCapture");
  body(stream_);
  driver.check(driver.capture_end(stream_, &graph_), "cuStreamEndCapture");
  driver.check(driver.graph_instantiate(&exec_, graph_, 0), "cuGraphInstantiate");
}

Graph::~Graph() {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.graph_exec_destroy(exec_);
  driver.graph_destroy(graph_);
  driver.event_destroy(begin_);
  driver.event_destroy(end_);
  driver.stream_destroy(stream_);
}

double Graph::time_us() const {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.check(driver.event_record(begin_, stream_), "cuEventRecord");
  driver.check(driver.graph_launch(exec_, stream_), "cuGraphLaunch");
  driver.check(driver.event_record(end_, stream_), "cuEventRecord");
  driver.check(driver.stream_synchronize(stream_), "cuStreamSynchronize");
  float milliseconds = 0;
  driver.check(driver.event_elapsed(&milliseconds, begin_, end_), "cuEventElapsedTime");
  return 1e3 * milliseconds;
}

}  // namespace weft::bench
