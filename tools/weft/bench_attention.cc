// SPDX-License-Identifier: Apache-2.0
// See bench_attention.h.
#include "tools/weft/bench_attention.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "examples/engine/memory.h"
#include "tools/weft/bench_data.h"
#include "tools/weft/plan_view.h"

namespace weft::cli {
namespace {

// Rotation: together the caches hold at least this much, eight times the largest L3 measured on.
constexpr double kRotatedBytes = 256e6;
constexpr int kMostCaches = 32;

int vo_dim(const AttentionBench& b) { return b.head_dim_vo > 0 ? b.head_dim_vo : b.head_dim; }

AttentionConfig config_of(const AttentionBench& b) {
  AttentionConfig c;
  c.dtype_q = b.dtype;
  c.dtype_kv = b.dtype_kv;
  c.num_qo_heads = b.num_qo_heads;
  c.num_kv_heads = b.num_kv_heads;
  c.head_dim_qk = b.head_dim;
  c.head_dim_vo = vo_dim(b);
  c.page_size = b.page_size;
  c.kv_layout = b.kv_layout;
  c.mask = b.causal ? MaskMode::causal : MaskMode::none;
  c.max_batch_size = static_cast<int>(b.qo_lens.size());
  c.max_nnz_qo = std::accumulate(b.qo_lens.begin(), b.qo_lens.end(), 0);
  return c;
}

double pairs_of(const AttentionBench& b, size_t i) {
  const double q = b.qo_lens[i], kv = b.kv_lens[i];
  return b.causal ? q * kv - q * (q - 1) / 2 : q * kv;
}

class AttentionBenchRun final : public BenchRun {
 public:
  AttentionBenchRun(const AttentionBench& bench, BenchEnv& env)
      : bench_(bench),
        executor_(env.threads.executor()),
        attention_(config_of(bench), env.target),
        plan_(attention_.create_plan()) {
    make_batch();
    attention_.plan(batch_, plan_, executor_);
    balance = plan_.balance();
    if (bench.plan_only) return;
    unit = view_plan(plan_.explain_json()).unit;
    make_tensors();
    if (bench.overhead) return;
    count_work();
    if (!bench.rotate) resident = bytes;
  }

  void call(int i) override {
    if (bench_.plan_only) {
      attention_.plan(batch_, plan_, executor_);
      return;
    }
    AttentionArgs& args = args_[static_cast<size_t>(i) % args_.size()];
    attention_.run(plan_, args, executor_);
  }

 private:
  void make_batch() {
    const int page = std::max(1, bench_.page_size);
    for (size_t i = 0; i < bench_.qo_lens.size(); ++i) {
      const int kv = bench_.kv_lens[i];
      qo_indptr_.push_back(qo_indptr_.back() + bench_.qo_lens[i]);
      kv_indptr_.push_back(kv_indptr_.back() + (kv + page - 1) / page);
      last_page_len_.push_back(kv == 0 ? 1 : (kv - 1) % page + 1);
    }
    kv_indices_.resize(kv_indptr_.back());
    std::iota(kv_indices_.begin(), kv_indices_.end(), 0);
    std::shuffle(kv_indices_.begin(), kv_indices_.end(), std::mt19937(1));
    const auto view = [](const std::vector<int32_t>& v) {
      return TensorView(v.data(), DType::i32, {static_cast<int64_t>(v.size())});
    };
    batch_.qo_indptr = view(qo_indptr_);
    batch_.kv_indptr = view(kv_indptr_);
    if (bench_.page_size == 0) return;
    batch_.kv_indices = view(kv_indices_);
    batch_.last_page_len = view(last_page_len_);
  }

  engine::Buffer make_cache(int head_dim) {
    const int64_t n = kv_indptr_.back(), heads = bench_.num_kv_heads, page = bench_.page_size;
    const bool hnd = bench_.kv_layout == KvLayout::hnd;
    if (page == 0 && hnd) return filled(memory_, bench_.dtype_kv, {heads, n, head_dim});
    if (page == 0) return filled(memory_, bench_.dtype_kv, {n, heads, head_dim});
    if (hnd) return filled(memory_, bench_.dtype_kv, {n, heads, page, head_dim});
    return filled(memory_, bench_.dtype_kv, {n, page, heads, head_dim});
  }

  void make_tensors() {
    const int64_t nnz = qo_indptr_.back(), heads = bench_.num_qo_heads;
    q_ = filled(memory_, bench_.dtype, {nnz, heads, bench_.head_dim});
    o_ = filled(memory_, bench_.dtype, {nnz, heads, vo_dim(bench_)});
    double held = 0;
    do {
      caches_.push_back(make_cache(bench_.head_dim));
      held += static_cast<double>(caches_.back().bytes());
      AttentionArgs args;
      args.q = q_.view();
      args.o = o_.view();
      args.k = caches_.back().view();
      // MLA reads its values from the front of its keys.
      args.v = vo_dim(bench_) < bench_.head_dim
                   ? args.k.slice(args.k.ndim - 1, 0, vo_dim(bench_))
                   : (caches_.push_back(make_cache(vo_dim(bench_))), caches_.back().view());
      held += args.v.data == args.k.data ? 0 : static_cast<double>(caches_.back().bytes());
      args_.push_back(args);
    } while (bench_.rotate && held < kRotatedBytes && static_cast<int>(args_.size()) < kMostCaches);
  }

  void count_work() {
    const double dims = bench_.head_dim + vo_dim(bench_);
    const double cached_dims = vo_dim(bench_) < bench_.head_dim ? bench_.head_dim : dims;
    for (size_t i = 0; i < bench_.qo_lens.size(); ++i) {
      flops += 2 * dims * bench_.num_qo_heads * pairs_of(bench_, i);
      bytes += cached_dims * bench_.num_kv_heads * bench_.kv_lens[i] * size_of(bench_.dtype_kv);
      bytes += dims * bench_.num_qo_heads * bench_.qo_lens[i] * size_of(bench_.dtype);
    }
  }

  AttentionBench bench_;
  Executor executor_;
  engine::HostMemory memory_;
  Attention attention_;
  AttentionPlan plan_;
  std::vector<int32_t> qo_indptr_{0}, kv_indptr_{0}, last_page_len_, kv_indices_;
  AttentionBatch batch_;
  engine::Buffer q_, o_;
  std::vector<engine::Buffer> caches_;
  std::vector<AttentionArgs> args_;
};

}  // namespace

std::unique_ptr<BenchRun> make_attention(const AttentionBench& bench, BenchEnv& env) {
  return std::make_unique<AttentionBenchRun>(bench, env);
}

JsonObject params_of(const AttentionBench& b) {
  const auto all_equal = [](const std::vector<int>& v) {
    return std::all_of(v.begin(), v.end(), [&](int x) { return x == v.front(); });
  };
  const auto sum = [](const std::vector<int>& v) {
    return std::accumulate(v.begin(), v.end(), int64_t{0});
  };
  JsonObject p;
  p.add("op", "attention").add("batch", static_cast<int64_t>(b.qo_lens.size()));
  if (all_equal(b.qo_lens)) {
    p.add("qo_len", b.qo_lens.front());
  } else {
    p.add("nnz_qo", sum(b.qo_lens));
  }
  if (all_equal(b.kv_lens)) {
    p.add("kv_len", b.kv_lens.front());
  } else {
    p.add("nnz_kv", sum(b.kv_lens));
  }
  p.add("num_qo_heads", b.num_qo_heads).add("num_kv_heads", b.num_kv_heads);
  p.add("head_dim", b.head_dim);
  if (b.head_dim_vo > 0) p.add("head_dim_vo", b.head_dim_vo);
  p.add("page_size", b.page_size).add("kv_layout", name_of(b.kv_layout));
  p.add("dtype", name_of(b.dtype)).add("kv_dtype", name_of(b.dtype_kv)).add("causal", b.causal);
  return p;
}

}  // namespace weft::cli
