// SPDX-License-Identifier: Apache-2.0
// See bench_cuda.h.
#include "tools/weft/bench_cuda.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "bench/gpu/roof.h"
#include "tools/weft/format.h"
#include "tools/weft/json.h"
#include "tools/weft/stats.h"
#include "weft/attention.h"

namespace weft::cli {
namespace {

using bench::Array;
using bench::Case;
using bench::Graph;

constexpr int64_t kRotateBytes = int64_t{400} << 20;  // several times the L2
constexpr int kMostSets = 96;
constexpr int kSamples = 15;
constexpr int kPlans = 8;  // one after another in a graph, each behind the one before

struct Lengths {
  std::vector<int32_t> qo{0}, kv{0}, last, pages;

  explicit Lengths(const Case& c) {
    const int page = c.config.page_size;
    for (size_t r = 0; r < c.kv_lens.size(); ++r) {
      qo.push_back(qo.back() + c.qo_lens[r]);
      kv.push_back(kv.back() + (c.kv_lens[r] + page - 1) / page);
      last.push_back((c.kv_lens[r] - 1) % page + 1);
    }
    pages.resize(static_cast<size_t>(kv.back()));
    std::iota(pages.begin(), pages.end(), 0);
    std::shuffle(pages.begin(), pages.end(), std::mt19937(3));  // as a cache in use has them
  }
};

/// A case on the device: arrays, an Attention, its plan, and as many tensors as pass the L2.
class Bench {
 public:
  Bench(const CudaBackend& backend, const Case& c)
      : backend_(backend),
        case_(c),
        lengths_(c),
        qo_(device(), lengths_.qo),
        kv_(device(), lengths_.kv),
        last_(device(), lengths_.last),
        pages_(device(), lengths_.pages),
        sets_(static_cast<int>(std::clamp<int64_t>(kRotateBytes / c.kv_bytes() + 1, 2, kMostSets))),
        k_(device(), static_cast<size_t>(sets_ * kv_words())),
        v_(device(), static_cast<size_t>(sets_ * kv_words())),
        q_(device(), static_cast<size_t>(sets_ * q_elements())),
        o_(device(), static_cast<size_t>(sets_ * q_elements())),
        attention_(c.config, backend),
        plan_(attention_.create_plan()) {
    for (Array<uint16_t>* array : {&k_, &v_}) bench::fill_random(*array, c.config.dtype_kv);
    bench::fill_random(q_, c.config.dtype_q);
  }

  CudaBenchResult measure();

 private:
  const CudaDevice& device() const { return backend_.state().device; }
  int64_t num_pages() const { return static_cast<int64_t>(lengths_.pages.size()); }
  int64_t kv_words() const {  // 16-bit ones, of K or V
    const AttentionConfig& config = case_.config;
    return num_pages() * config.page_size * config.num_kv_heads * config.head_dim_qk *
           size_of(config.dtype_kv) / 2;
  }
  int64_t q_elements() const {
    return int64_t{case_.config.max_nnz_qo} * case_.config.num_qo_heads * case_.config.head_dim_qk;
  }
  template <class T>
  TensorView view(const Array<T>& array, DType dtype, std::initializer_list<int64_t> shape,
                  int64_t first = 0) const {
    return TensorView(array.data() + first, dtype, shape,
                      {DeviceType::cuda, backend_.target().device_index});
  }
  void enqueue_plan(void* stream) {
    const auto ints = [&](const Array<int32_t>& array) {
      return view(array, DType::i32, {static_cast<int64_t>(array.size())});
    };
    attention_.plan({ints(qo_), ints(kv_), ints(pages_), ints(last_)}, plan_, {stream, nullptr});
  }
  void enqueue_run(int set, void* stream) const {
    const AttentionConfig& c = case_.config;
    AttentionArgs args;
    args.q = view(q_, c.dtype_q, {c.max_nnz_qo, c.num_qo_heads, c.head_dim_qk}, set * q_elements());
    args.o = view(o_, c.dtype_q, {c.max_nnz_qo, c.num_qo_heads, c.head_dim_qk}, set * q_elements());
    args.k = view(k_, c.dtype_kv, {num_pages(), c.page_size, c.num_kv_heads, c.head_dim_qk},
                  set * kv_words());
    args.v = view(v_, c.dtype_kv, {num_pages(), c.page_size, c.num_kv_heads, c.head_dim_qk},
                  set * kv_words());
    attention_.run(plan_, args, {stream, nullptr});
  }

  CudaBackend backend_;
  Case case_;
  Lengths lengths_;
  Array<int32_t> qo_, kv_, last_, pages_;
  int sets_;
  Array<uint16_t> k_, v_, q_, o_;
  Attention attention_;
  AttentionPlan plan_;
};

CudaBenchResult Bench::measure() {
  const Graph plans(device(), [&](void* stream) {
    for (int i = 0; i < kPlans; ++i) enqueue_plan(stream);
  });
  plans.time_us();  // and so the plan that the runs below execute
  const int calls = std::max(sets_, 4);
  const Graph runs(device(), [&](void* stream) {
    for (int i = 0; i < calls; ++i) enqueue_run(i % sets_, stream);
  });
  const bench::Roof strided(backend_, case_, pages_.data(), false);
  const bench::Roof contiguous(backend_, case_, pages_.data(), true);
  const auto reads = [&](const bench::Roof& roof) {
    return Graph(device(), [&](void* stream) {
      for (int i = 0; i < calls; ++i) {
        const int64_t first = (i % sets_) * kv_words();
        roof.enqueue(k_.data() + first, v_.data() + first, stream);
      }
    });
  };
  const Graph read_strided = reads(strided), read_contiguous = reads(contiguous);
  std::vector<double> run, plan, a, b;
  for (int i = 0; i < kSamples + 2; ++i) {
    const double times[] = {runs.time_us() / calls, plans.time_us() / kPlans,
                            read_strided.time_us() / calls, read_contiguous.time_us() / calls};
    if (i < 2) continue;  // the first ones load code and warm clocks
    run.push_back(times[0]);
    plan.push_back(times[1]);
    a.push_back(times[2]);
    b.push_back(times[3]);
  }
  const std::string wrong = plan_.status();
  if (!wrong.empty()) throw Error(ErrorKind::internal, case_.id + ": " + wrong);
  return {median(run), std::min(median(a), median(b)), median(plan), kSamples};
}

}  // namespace

CudaBenchResult measure_on_cuda(const CudaBackend& backend, const Case& c) {
  return Bench(backend, c).measure();
}

std::string describe_cuda(const Case& c, const CudaBenchResult& r, const std::string& device,
                          bool as_json) {
  const double bytes = static_cast<double>(c.kv_bytes());
  const bool met = c.target_us == 0 || r.us <= c.target_us;
  if (!as_json) {
    std::string line =
        strf("%-34s %9.2f us %7.3f TB/s  %3.0f %% of the roof, plan %.1f us", c.id.c_str(), r.us,
             bytes / r.us * 1e-6, 100 * r.roof_us / r.us, r.plan_us);
    if (c.target_us > 0) line += strf("  target %.1f us  %s", c.target_us, met ? "pass" : "MISS");
    return line;
  }
  JsonObject json;
  json.add("id", c.id).add("us", r.us).add("roof_us", r.roof_us);
  json.add("share_of_roof", r.roof_us / r.us).add("tbs", bytes / r.us * 1e-6);
  json.add("plan_us", r.plan_us).add("samples", r.samples);
  if (c.target_us > 0) json.add("target_us", c.target_us).add("met", met);
  if (c.floor_us > 0) json.add("floor_us", c.floor_us);
  if (c.peer_us > 0) json.add("peer_us", c.peer_us);
  return json.add("device", device).str();
}

}  // namespace weft::cli
