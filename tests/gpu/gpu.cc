// SPDX-License-Identifier: Apache-2.0
// Timing of a captured graph.
#include "tests/gpu/gpu.h"

#include <algorithm>

namespace weft::test {

double CapturedGraph::time_us(int rounds) const {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  cu::Event begin = nullptr;
  cu::Event end = nullptr;
  driver.check(driver.event_create(&begin, 0), "cuEventCreate");
  driver.check(driver.event_create(&end, 0), "cuEventCreate");
  for (int i = 0; i < 3; ++i) replay();
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    driver.check(driver.event_record(begin, stream_), "cuEventRecord");
    replay();
    driver.check(driver.event_record(end, stream_), "cuEventRecord");
    driver.check(driver.stream_synchronize(stream_), "cuStreamSynchronize");
    float milliseconds = 0;
    driver.check(driver.event_elapsed(&milliseconds, begin, end), "cuEventElapsedTime");
    times.push_back(1e3 * milliseconds);
  }
  driver.event_destroy(begin);
  driver.event_destroy(end);
  std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
  return times[static_cast<size_t>(rounds / 2)];
}

}  // namespace weft::test
