// SPDX-License-Identifier: Apache-2.0
// Decode and verify on a GPU beside the paged-read roof of the same run: one JSON line a case, with
// the ids of bench/targets.jsonl. Calls are captured in a graph over inputs that rotate past the
// L2; attention and roof take turns; medians.
// Run: attention_gpu_bench TARGETS.jsonl [--filter TEXT] [--rounds N] [--try TUNING]...
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>
#include <string>

#include "bench/gpu/decode.h"
#include "bench/gpu/options.h"
#include "bench/gpu/roof.h"
#include "tools/weft/json.h"
#include "tools/weft/stats.h"

namespace weft::bench {
namespace {

constexpr int64_t kRotateBytes = int64_t{400} << 20;  // several times the L2
constexpr int kMostSets = 96;

// Page ids of all requests: a random order, as a cache in use has it.
std::vector<int32_t> shuffled_pages(const Case& c) {
  int64_t count = 0;
  for (const int n : c.kv_lens) count += ceil_div(n, c.config.page_size);
  std::vector<int32_t> pages(static_cast<size_t>(count));
  std::iota(pages.begin(), pages.end(), 0);
  std::shuffle(pages.begin(), pages.end(), std::mt19937(3));
  return pages;
}

/// The tensors of a case, in as many copies as it takes to pass the L2.
struct Tensors {
  int sets;
  int64_t kv_stride, q_stride;  // 16-bit words from copy to copy
  Array<uint16_t> k, v, q, o;

  Tensors(const CudaDevice& device, const Case& c, int64_t pages)
      : sets(static_cast<int>(
            std::clamp<int64_t>(ceil_div(kRotateBytes, c.kv_bytes()), 2, kMostSets))),
        kv_stride(pages * c.config.page_size * c.config.num_kv_heads * c.config.head_dim_qk *
                  size_of(c.config.dtype_kv) / 2),
        q_stride(int64_t{c.config.max_nnz_qo} * c.config.num_qo_heads * c.config.head_dim_qk),
        k(device, static_cast<size_t>(sets * kv_stride)),
        v(device, static_cast<size_t>(sets * kv_stride)),
        q(device, static_cast<size_t>(sets * q_stride)),
        o(device, static_cast<size_t>(sets * q_stride)) {
    for (Array<uint16_t>* array : {&k, &v}) fill_random(*array, c.config.dtype_kv);
    fill_random(q, c.config.dtype_q);
  }
};

struct Result {
  double us, roof_us;
  std::string kernel;
};

Result run_case(const CudaBackend& backend, const Case& c, const Tensors& t, const int32_t* pages,
                const Tuning& tuning, int rounds) {
  const CudaDevice& device = backend.state().device;
  const Decode decode(backend, c, pages, tuning);
  const Graph plan(device, [&](void* stream) { decode.enqueue_plan(stream); });
  plan.time_us();
  const int calls = std::max(t.sets, 4);
  const Graph attention(device, [&](void* stream) {
    for (int i = 0; i < calls; ++i) {
      const int64_t set = i % t.sets;
      decode.enqueue(t.q.data() + set * t.q_stride, t.k.data() + set * t.kv_stride,
                     t.v.data() + set * t.kv_stride, t.o.data() + set * t.q_stride, stream);
    }
  });
  const Roof strided(backend, c, pages, false), contiguous(backend, c, pages, true);
  const auto read_graph = [&](const Roof& roof) {
    return Graph(device, [&](void* stream) {
      for (int i = 0; i < calls; ++i) {
        const int64_t set = i % t.sets;
        roof.enqueue(t.k.data() + set * t.kv_stride, t.v.data() + set * t.kv_stride, stream);
      }
    });
  };
  const Graph read_strided = read_graph(strided), read_contiguous = read_graph(contiguous);
  std::vector<double> us, strided_us, contiguous_us;
  for (int i = 0; i < rounds + 2; ++i) {
    const double a = attention.time_us() / calls, b = read_strided.time_us() / calls,
                 d = read_contiguous.time_us() / calls;
    if (i < 2) continue;  // the first ones load code and warm clocks
    us.push_back(a);
    strided_us.push_back(b);
    contiguous_us.push_back(d);
  }
  return {cli::median(us), std::min(cli::median(strided_us), cli::median(contiguous_us)),
          decode.describe()};
}

void print(const Case& c, const Tuning& tuning, const Result& r) {
  cli::JsonObject line;
  line.add("id", c.id).add("us", r.us).add("roof_us", r.roof_us);
  line.add("share_of_roof", r.roof_us / r.us);
  line.add("tbs", static_cast<double>(c.kv_bytes()) / r.us * 1e-6);
  line.add("roof_tbs", static_cast<double>(c.kv_bytes()) / r.roof_us * 1e-6);
  if (c.target_us > 0) line.add("target_us", c.target_us).add("met", r.us <= c.target_us);
  if (c.floor_us > 0) line.add("floor_us", c.floor_us);
  if (c.peer_us > 0) line.add("peer_us", c.peer_us);
  if (!tuning.empty()) line.add("tuning", tuning);
  line.add("kernel", r.kernel);
  std::printf("%s\n", line.str().c_str());
  std::fflush(stdout);
}

int run(const Options& options) {
  const CudaBackend backend;
  std::printf("{\"device\": \"%s\"}\n", backend.device_name().c_str());
  for (const Case& c : read_cases(options.targets, options.filter, options.kind)) {
    const CudaDevice& device = backend.state().device;
    const std::vector<int32_t> ids = shuffled_pages(c);
    const Array<int32_t> pages(device, ids);
    const Tensors tensors(device, c, static_cast<int64_t>(ids.size()));
    for (const Tuning& tuning : options.tunings) {
      try {
        print(c, tuning, run_case(backend, c, tensors, pages.data(), tuning, options.rounds));
      } catch (const Error& error) {
        std::printf("{\"id\": \"%s\", \"tuning\": \"%s\", \"error\": %s}\n", c.id.c_str(),
                    tuning.c_str(), cli::json_quote(error.what()).c_str());
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace weft::bench

int main(int argc, char** argv) {
  try {
    return weft::bench::run(weft::bench::parse(argc, argv, {.rounds = 15}));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "attention_gpu_bench: %s\n", error.what());
    return 1;
  }
}
