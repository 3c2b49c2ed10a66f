// SPDX-License-Identifier: Apache-2.0
// See device.h.
#include "bench/gpu/device.h"

#include <algorithm>
#include <bit>

namespace weft::bench {

void fill_random(Array<uint16_t>& array, DType dtype) {
  // 16 M words, then copies of them on the device: from the host a few GB would take seconds.
  std::vector<uint16_t> values(std::min<size_t>(array.size(), size_t{16} << 20));
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (uint16_t& x : values) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    if (is_fp8(dtype)) {
      // The top bit of both exponents away: no NaN, and logits of an ordinary size.
      x = static_cast<uint16_t>(state >> 20 & 0xbfbf);
      continue;
    }
    // The sum of four uniform numbers, of variance 1: as good as normal.
    const auto sum = static_cast<int64_t>((state & 0xffff) + (state >> 16 & 0xffff) +
                                          (state >> 32 & 0xffff) + (state >> 48));
    const float normal = static_cast<float>(sum - 0x1fffe) * 0x1.bb67aep-16f;
    x = static_cast<uint16_t>(std::bit_cast<uint32_t>(normal) >> 16);
  }
  array.write(values, 0);
  array.repeat(values.size());
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
