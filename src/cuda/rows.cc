// SPDX-License-Identifier: Apache-2.0
// See rows.h.
#include "src/cuda/rows.h"

#include <algorithm>

#include "kernels/core/rope.h"

namespace weft {
namespace {

// Warps an SM should have to work on, so that no one waits for another's loads.
constexpr int64_t kWarpsPerSm = 32;

/// A stream of its own that nothing else waits for, and leave to use it while others capture.
class UploadStream {
 public:
  explicit UploadStream(const CudaDevice& device) : current_(device), driver_(device.driver()) {
    driver_.check(driver_.capture_mode(&mode_), "cuThreadExchangeStreamCaptureMode");
    const cu::Result result = driver_.stream_create(&stream_, 1);
    if (result != cu::kSuccess) driver_.capture_mode(&mode_);
    driver_.check(result, "cuStreamCreate");
  }
  ~UploadStream() {
    driver_.stream_destroy(stream_);
    driver_.capture_mode(&mode_);
  }
  UploadStream(const UploadStream&) = delete;
  UploadStream& operator=(const UploadStream&) = delete;
  cu::Stream get() const { return stream_; }

 private:
  ContextScope current_;
  const cu::Driver& driver_;
  cu::CaptureMode mode_ = cu::kCaptureRelaxed;
  cu::Stream stream_ = nullptr;
};

// Allocates while other threads may be capturing.
DeviceMemory allocate(const CudaDevice& device, size_t bytes) {
  const UploadStream relaxed(device);
  return DeviceMemory(device, bytes);
}

}  // namespace

int widest_vector(DType dtype, std::initializer_list<int> parts) {
  int vec = 16 / size_of(dtype);
  for (int part : parts) {
    while (part % vec != 0) vec /= 2;
  }
  return vec;
}

bool fits_vectors(const TensorView& tensor, int vec) {
  if (!tensor.given()) return true;
  const int64_t size = size_of(tensor.dtype), bytes = std::min<int64_t>(16, vec * size);
  int64_t misfit = static_cast<int64_t>(reinterpret_cast<uintptr_t>(tensor.data));
  for (int d = 0; d + 1 < tensor.ndim; ++d) misfit |= tensor.strides[d] * size;
  return misfit % bytes == 0;
}

std::string explain_rows(const char* who, int vec, DType dtype, const std::string& device) {
  std::string text = std::string("unit: ") + who + " on " + device + ", accesses of " +
                     std::to_string(vec * size_of(dtype)) + " bytes";
  if (vec > 1) text += "; of single elements when an address or a stride does not fit them";
  return text + "; f32 arithmetic\n";
}

RowGrid RowGrid::of(int64_t num_tokens, int num_heads, const HeadRowSpec& rows, int usual_shift,
                    int num_threads, const Target& target) {
  const int groups = ceil_div(num_heads, rows.heads_at_once());
  int shift = 0;
  const auto wants_more = [&] {
    return shift < usual_shift || (num_tokens << shift) < kWarpsPerSm * target.num_sms;
  };
  while ((1 << shift) < groups && wants_more()) ++shift;
  const int64_t warps = num_tokens << shift;
  if (warps > 0x7fffffff) {
    fail(ErrorKind::out_of_limits, "nnz", "fewer than 2^31 warps", std::to_string(warps));
  }
  return {static_cast<int>(ceil_div<int64_t>(warps, num_threads / 32)), shift};
}

int checked_grid(const char* what, int64_t num_ctas) {
  if (num_ctas >= 0 && num_ctas <= 0x7fffffff) return static_cast<int>(num_ctas);
  fail(ErrorKind::out_of_limits, what, "fewer than 2^31 thread blocks", std::to_string(num_ctas));
}

int64_t positions_with_angles(const TensorView& cos_sin_cache) {
  const int64_t all = kMaxRopePosition + int64_t{1};
  return cos_sin_cache.given() ? min_of(all, cos_sin_cache.shape[0]) : all;
}

void check_cuda_executor(const Executor& executor) {
  if (executor.parallel_for == nullptr) return;
  fail(ErrorKind::invalid_argument, "executor.parallel_for", "nothing on CUDA", "a thread pool");
}

RowState::RowState(const CudaDevice& device, std::span<const uint64_t> turns)
    : device_(device), memory_(allocate(device, (kFaultWords + turns.size()) * sizeof(uint64_t))) {
  std::vector<uint64_t> words(kFaultWords, kNoFault);
  words.insert(words.end(), turns.begin(), turns.end());
  const UploadStream stream(device);
  const cu::Driver& driver = device.driver();
  driver.check(driver.copy_to_device(memory_.address(), words.data(),
                                     words.size() * sizeof(uint64_t), stream.get()),
               "cuMemcpyHtoDAsync");
  driver.check(driver.stream_synchronize(stream.get()), "cuStreamSynchronize");
}

void RowState::throw_fault(void* stream) const {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  const cu::Stream on = static_cast<cu::Stream>(stream);
  uint64_t word = kNoFault;
  driver.check(driver.copy_to_host(&word, memory_.address(), sizeof(word), on),
               "cuMemcpyDtoHAsync");
  driver.check(driver.stream_synchronize(on), "cuStreamSynchronize");
  if (word == kNoFault) return;
  driver.check(driver.fill_bytes(memory_.address(), 0xff, sizeof(word), on), "cuMemsetD8Async");
  driver.check(driver.stream_synchronize(on), "cuStreamSynchronize");
  const char* name = name_of(static_cast<RowFault>(word & 0xff));
  const std::string index = "[" + std::to_string(word >> 8) + "]";
  fail(ErrorKind::invalid_argument, name, "every element in its range",
       name + index + " out of it");
}

}  // namespace weft
