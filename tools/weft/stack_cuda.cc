// SPDX-License-Identifier: Apache-2.0
// See stack_cuda.h.
#include "tools/weft/stack_cuda.h"

#include <numeric>
#include <random>

#include "bench/gpu/roof.h"
#include "tools/weft/stats.h"

namespace weft::cli {
namespace {

constexpr double kMatmulGflops = 780e3;  // bf16, dense, measured on an H200 of 132 SMs
constexpr int kMatmulSms = 132;

class CudaRoofs final : public ReplayRoofs {
 public:
  explicit CudaRoofs(const CudaBackend& backend)
      : sms_(backend.target().num_sms),
        case_(read_case()),
        pages_(backend.state().device, page_ids(case_)),
        k_(backend.state().device, elements()),
        v_(backend.state().device, elements()),
        roof_(backend, case_, pages_.data(), false),
        graph_(backend.state().device,
               [&](void* stream) { roof_.enqueue(k_.data(), v_.data(), stream); }) {
    graph_.time_us();  // loads code
  }

  void sample() override {
    gbs_.push_back(static_cast<double>(case_.kv_bytes()) / graph_.time_us() * 1e-3);
  }
  double gflops() const override { return kMatmulGflops * sms_ / kMatmulSms; }
  double gbs() const override { return median(gbs_); }

 private:
  // 64 requests of 4096 tokens of an 8B model: 1 GB, past any cache.
  static bench::Case read_case() {
    bench::Case c;
    c.qo_lens.assign(64, 1);
    c.kv_lens.assign(64, 4096);
    c.config.num_qo_heads = c.config.num_kv_heads = 8;
    c.config.head_dim_qk = c.config.head_dim_vo = 128;
    c.config.page_size = 16;
    return c;
  }
  static std::vector<int32_t> page_ids(const bench::Case& c) {
    std::vector<int32_t> pages(static_cast<size_t>(c.tokens() / c.config.page_size));
    std::iota(pages.begin(), pages.end(), 0);
    std::shuffle(pages.begin(), pages.end(), std::mt19937(1));
    return pages;
  }
  size_t elements() const { return static_cast<size_t>(case_.kv_bytes()) / 4; }  // 16 bits, of two

  int sms_;
  bench::Case case_;
  bench::Array<int32_t> pages_;
  bench::Array<uint16_t> k_, v_;
  bench::Roof roof_;
  bench::Graph graph_;
  std::vector<double> gbs_;
};

}  // namespace

void* CudaMemory::allocate(size_t bytes) {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  cu::Address address = 0;
  driver.check(driver.memory_alloc(&address, bytes > 0 ? bytes : 1), "cuMemAlloc");
  void* data = reinterpret_cast<void*>(address);
  driver.check(driver.fill_bytes(address, 0xff, bytes > 0 ? bytes : 1, stream_), "cuMemsetD8Async");
  synchronize();
  return data;
}

void CudaMemory::release(void* data, size_t) noexcept {
  const cu::Driver& driver = device_.driver();
  if (driver.context_push(device_.context()) != cu::kSuccess) return;
  driver.memory_free(reinterpret_cast<cu::Address>(data));
  cu::Context popped = nullptr;
  driver.context_pop(&popped);
}

void CudaMemory::synchronize() const {
  device_.driver().check(device_.driver().stream_synchronize(stream_), "cuStreamSynchronize");
}

void CudaMemory::upload(void* target, const void* host, size_t bytes) {
  if (bytes == 0) return;
  const ContextScope current(device_);
  device_.driver().check(
      device_.driver().copy_to_device(reinterpret_cast<cu::Address>(target), host, bytes, stream_),
      "cuMemcpyHtoDAsync");
  synchronize();
}

void CudaMemory::download(void* host, const void* source, size_t bytes) {
  if (bytes == 0) return;
  const ContextScope current(device_);
  device_.driver().check(
      device_.driver().copy_to_host(host, reinterpret_cast<cu::Address>(source), bytes, stream_),
      "cuMemcpyDtoHAsync");
  synchronize();
}

CudaStack::CudaStack(const CudaBackend& backend)
    : backend_(backend), device_(backend_.state().device) {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.check(driver.stream_create(&stream_, 1), "cuStreamCreate");  // apart from the default one
  driver.check(driver.event_create(&begin_, 0), "cuEventCreate");
  driver.check(driver.event_create(&end_, 0), "cuEventCreate");
  memory_ = std::make_unique<CudaMemory>(device_, stream_);
}

CudaStack::~CudaStack() {
  const cu::Driver& driver = device_.driver();
  if (driver.context_push(device_.context()) != cu::kSuccess) return;
  if (exec_ != nullptr) driver.graph_exec_destroy(exec_);
  if (graph_ != nullptr) driver.graph_destroy(graph_);
  for (cu::Event event : {begin_, end_}) driver.event_destroy(event);
  driver.stream_destroy(stream_);
  cu::Context popped = nullptr;
  driver.context_pop(&popped);
}

void CudaStack::capture(const std::function<void()>& enqueue) {
  const cu::Driver& driver = device_.driver();
  driver.check(driver.capture_begin(stream_, cu::kCaptureThreadLocal), "cuStreamBeginCapture");
  enqueue();
  driver.check(driver.capture_end(stream_, &graph_), "cuStreamEndCapture");
  driver.check(driver.graph_instantiate(&exec_, graph_, 0), "cuGraphInstantiate");
}

double CudaStack::run(const std::function<void()>& enqueue) {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  if (exec_ == nullptr) capture(enqueue);
  driver.check(driver.event_record(begin_, stream_), "cuEventRecord");
  driver.check(driver.graph_launch(exec_, stream_), "cuGraphLaunch");
  driver.check(driver.event_record(end_, stream_), "cuEventRecord");
  driver.check(driver.stream_synchronize(stream_), "cuStreamSynchronize");
  float milliseconds = 0;
  driver.check(driver.event_elapsed(&milliseconds, begin_, end_), "cuEventElapsedTime");
  return 1e3 * milliseconds;
}

std::unique_ptr<ReplayRoofs> make_cuda_roofs(const CudaBackend& backend) {
  return std::make_unique<CudaRoofs>(backend);
}

std::string cuda_unit(DType dtype) { return std::string("cuda_mma_") + name_of(dtype); }

ReplayResult run_replay_cuda(const Trace& trace, const ReplayOptions& options,
                             const CudaBackend& backend, Threads& threads,
                             const ReplayProgress& progress) {
  const engine::EngineConfig config = engine::completed(engine_config(options));
  CudaStack stack(backend);
  const auto roofs = make_cuda_roofs(backend);
  const auto engine = make_stack_engine(config, Attention(config.attention, backend),
                                        Append(engine::append_config(config.attention), backend),
                                        stack, cuda_unit(options.dtype));
  return run_replay(trace, options, *engine, *roofs, threads, progress);
}

}  // namespace weft::cli
