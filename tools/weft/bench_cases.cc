// SPDX-License-Identifier: Apache-2.0
// The list of CPU benchmark cases and what is asked of each. Ids and parameters have the form of
// bench/targets.jsonl, which lists the cases of GPUs.
#include <algorithm>
#include <cmath>
#include <random>

#include "tools/weft/bench_attention.h"
#include "tools/weft/bench_sampling.h"
#include "tools/weft/bench_small.h"
#include "tools/weft/format.h"

namespace weft::cli {
namespace {

// Shares of the roof measured in the same run: see docs/ and the issue that set them.
constexpr double kPrefillShare = 0.75, kDecodeShare = 0.85, kMostImbalance = 1.1;
// AMX: softmax on the FMA ports beside the tiles is the limit, so the bar is a rate per thread.
constexpr double kAmxTflopsPerThread = 0.75;

class List {
 public:
  explicit List(const Target& target) : target_(target) {}

  void attention(const std::string& id, const AttentionBench& bench, BenchTarget target = {}) {
    BenchCase c;
    c.id = "cpu/" + id;
    c.params = params_of(bench);
    c.target = target;
    c.make = [bench](BenchEnv& env) { return make_attention(bench, env); };
    cases_.push_back(std::move(c));
  }
  void small(const std::string& id, JsonObject params,
             std::function<std::unique_ptr<BenchRun>(BenchEnv&)> make) {
    BenchCase c;
    c.id = "cpu/" + id;
    c.params = std::move(params);
    c.make = std::move(make);
    cases_.push_back(std::move(c));
  }
  BenchTarget prefill(DType dtype) const {
    BenchTarget t;
    if (dtype == DType::bf16 && target_.isa >= Isa::amx_bf16) {
      t.tflops = kAmxTflopsPerThread * target_.num_threads;
    } else {
      t.share_of_roof = kPrefillShare;
    }
    return t;
  }
  std::vector<BenchCase> take() { return std::move(cases_); }

 private:
  Target target_;
  std::vector<BenchCase> cases_;
};

std::string short_length(int n) {
  return n >= 1024 ? std::to_string(n / 1024) + "k" : std::to_string(n);
}

AttentionBench uniform(int batch, int qo_len, int kv_len) {
  AttentionBench b;
  b.qo_lens.assign(batch, qo_len);
  b.kv_lens.assign(batch, kv_len);
  return b;
}

void add_prefill(List& list) {
  for (DType dtype : {DType::bf16, DType::f32}) {
    for (int n : {128, 512, 1024, 2048, 4096}) {
      AttentionBench b = uniform(1, n, n);
      b.dtype = b.dtype_kv = dtype;
      b.page_size = 0;
      const std::string prefix = dtype == DType::f32 ? "f32_" : "";
      list.attention("prefill/" + prefix + "causal_" + short_length(n), b, list.prefill(dtype));
    }
  }
  AttentionBench full = uniform(1, 2048, 2048);
  full.num_qo_heads = full.num_kv_heads = 8;
  full.page_size = 0;
  full.causal = false;
  list.attention("prefill/full_2k_mha8", full, list.prefill(DType::bf16));
  AttentionBench causal = uniform(1, 4096, 4096);
  causal.num_qo_heads = causal.num_kv_heads = 8;
  causal.page_size = 0;
  list.attention("prefill/causal_4k_mha8", causal, list.prefill(DType::bf16));
  AttentionBench paged = uniform(1, 4096, 4096);
  list.attention("prefill/paged16_causal_4k", paged, list.prefill(DType::bf16));
  list.attention("prefill/chunk512_on_8k", uniform(1, 512, 8192), list.prefill(DType::bf16));
  list.attention("prefill/chunk128_on_64k", uniform(1, 128, 65536), list.prefill(DType::bf16));
  AttentionBench half = uniform(1, 2048, 2048);
  half.dtype = half.dtype_kv = DType::f16;
  half.page_size = 0;
  list.attention("prefill/f16_causal_2k", half);
}

// The shapes of the prototypes that the first kernels were measured against.
void add_prototypes(List& list) {
  for (int n : {2048, 4096}) {
    for (int q : {64, 512, 2048}) {
      AttentionBench b = uniform(1, q, n);
      b.page_size = 0;
      b.kv_layout = KvLayout::hnd;
      b.causal = false;
      const BenchTarget asked = q >= 128 ? list.prefill(DType::bf16) : BenchTarget{};
      list.attention("prefill/proto_q" + short_length(q) + "_l" + short_length(n), b, asked);
    }
  }
  // The prototypes' 226, 288 and 384 us on two cores of Zen 5, whose caches gave 221 GB/s.
  const std::pair<int, double> decode[] = {{1, 0.336}, {4, 0.264}, {8, 0.198}};
  for (const auto& [group, share] : decode) {
    AttentionBench b = uniform(1, 1, 4096);
    b.num_qo_heads = 8 * group;
    b.kv_layout = KvLayout::hnd;
    b.rotate = false;
    BenchTarget asked;
    asked.share_of_roof = share;
    list.attention("decode/proto_l4k_g" + std::to_string(group), b, asked);
  }
}

void add_decode(List& list) {
  BenchTarget asked;
  asked.share_of_roof = kDecodeShare;
  for (KvLayout layout : {KvLayout::nhd, KvLayout::hnd}) {
    for (int group : {1, 2, 4, 8}) {
      AttentionBench b = uniform(1, 1, 65536);
      b.num_qo_heads = 8 * group;
      b.kv_layout = layout;
      const std::string suffix = layout == KvLayout::hnd ? "_hnd" : "";
      list.attention("decode/b1_l64k_g" + std::to_string(group) + suffix, b, asked);
    }
  }
  list.attention("decode/b16_l4k", uniform(16, 1, 4096), asked);
  list.attention("decode/b64_l1k", uniform(64, 1, 1024), asked);
  AttentionBench single = uniform(16, 1, 4096);
  single.page_size = 1;
  list.attention("decode/b16_l4k_p1", single, asked);
  AttentionBench wide = uniform(8, 1, 4096);
  wide.head_dim = 256;
  wide.num_qo_heads = 16;
  list.attention("decode/b8_l4k_d256", wide, asked);
  AttentionBench fp8 = uniform(16, 1, 8192);
  fp8.dtype_kv = DType::e4m3;
  list.attention("decode/fp8_b16_l8k", fp8);
  list.attention("verify/b16_q4_l4k", uniform(16, 4, 4096));
  AttentionBench mla = uniform(16, 1, 4096);
  mla.num_qo_heads = 16;
  mla.num_kv_heads = 1;
  mla.head_dim = 576;
  mla.head_dim_vo = 512;
  mla.page_size = 64;
  list.attention("mla/h16_p64", mla);
}

void add_mixed(List& list) {
  BenchTarget asked;
  asked.balance = kMostImbalance;
  std::mt19937 random(3);
  AttentionBench zipf = uniform(64, 1, 0), spread = uniform(64, 1, 0);
  for (int i = 0; i < 64; ++i) {
    zipf.kv_lens[i] = std::max(16, static_cast<int>(16384 / std::pow(i + 1, 1.0)));
    spread.kv_lens[i] = 512 + static_cast<int>(random() % 3585);
  }
  std::shuffle(zipf.kv_lens.begin(), zipf.kv_lens.end(), random);
  AttentionBench one_long = uniform(32, 1, 512);
  one_long.kv_lens[11] = 65536;
  list.attention("decode/skew_zipf", zipf, asked);
  list.attention("decode/skew_uniform", spread, asked);
  list.attention("decode/skew_one_long", one_long, asked);
  AttentionBench mixed = uniform(32, 1, 4096);
  mixed.qo_lens[0] = 512;
  list.attention("mixed/prefill512_decode31", mixed, asked);
}

void add_host(List& list) {
  std::mt19937 random(5);
  for (int batch : {1, 64, 256, 1024}) {
    AttentionBench b = uniform(batch, 1, 0);
    for (int& kv_len : b.kv_lens) kv_len = 1 + static_cast<int>(random() % 8192);
    b.plan_only = true;
    BenchTarget asked;
    if (batch <= 256) asked.us = 20;
    list.attention("plan_host/b" + std::to_string(batch), b, asked);
    if (batch < 256) continue;
    for (int i = 0; i < batch; i += 64) b.qo_lens[i] = b.kv_lens[i] = 512;
    list.attention("plan_host/mixed_b" + std::to_string(batch), b, asked);
  }
  AttentionBench tiny = uniform(1, 1, 16);
  tiny.rotate = false;
  tiny.overhead = true;
  list.attention("run_host/tiny", tiny);
}

void add_small(List& list) {
  const auto params = [](const char* op, int tokens) {
    JsonObject p;
    p.add("op", op).add("tokens", tokens).add("num_qo_heads", 32).add("num_kv_heads", 8);
    p.add("head_dim", 128).add("dtype", "bf16");
    return p;
  };
  list.small("append/8192", params("append", 8192),
             [](BenchEnv& env) { return make_append(8192, false, env); });
  list.small("append/rope_8192", params("append", 8192),
             [](BenchEnv& env) { return make_append(8192, true, env); });
  list.small("append/64", params("append", 64),
             [](BenchEnv& env) { return make_append(64, false, env); });
  list.small("rope/8192", params("rope", 8192), [](BenchEnv& env) { return make_rope(8192, env); });
  list.small("merge/2048_s4", params("merge", 2048),
             [](BenchEnv& env) { return make_merge(2048, 4, env); });
  for (const auto& [rows, hidden] : {std::pair{128, 8192}, {1024, 4096}}) {
    const std::string shape = std::to_string(rows) + "x" + std::to_string(hidden);
    const auto row = [&](const char* op) {
      JsonObject p;
      p.add("op", op).add("tokens", rows).add("hidden", hidden).add("dtype", "bf16");
      return p;
    };
    for (const bool residual : {false, true}) {
      const char* op = residual ? "add_rmsnorm" : "rmsnorm";
      list.small(op + ("/" + shape), row(op),
                 [=](BenchEnv& env) { return make_norm(rows, hidden, residual, env); });
    }
    list.small("silu_and_mul/" + shape, row("silu_and_mul"),
               [=](BenchEnv& env) { return make_activation(rows, hidden, env); });
  }
}

void add_sampling(List& list) {
  struct Row {
    const char* id;
    const char* op;
    std::function<std::unique_ptr<BenchRun>(int, BenchEnv&)> make;
  };
  const auto samples = [](SamplingBench what) {
    return [what](int batch, BenchEnv& env) { return make_sampling(what, batch, env); };
  };
  const auto selects = [](int k) {
    return [k](int batch, BenchEnv& env) { return make_topk(k, batch, env); };
  };
  const Row rows[] = {
      {"sampling/topk50_topp09", "sampling", samples(SamplingBench::topk50_topp09)},
      {"sampling/topk50_topp09_joint", "sampling", samples(SamplingBench::topk50_topp09_joint)},
      {"sampling/topp09", "sampling", samples(SamplingBench::topp09)},
      {"sampling/categorical", "sampling", samples(SamplingBench::categorical)},
      {"sampling/topp_renorm", "sampling", samples(SamplingBench::topp_renorm)},
      {"sampling/topk_mask", "sampling", samples(SamplingBench::topk_mask)},
      {"topk/k50", "topk", selects(50)},
      {"topk/k2048", "topk", selects(2048)},
      {"logprobs/top20", "logprobs",
       [](int batch, BenchEnv& env) { return make_logprobs(20, batch, env); }},
      {"spec_verify/q4", "verify",
       [](int batch, BenchEnv& env) { return make_verify(4, batch, env); }},
  };
  for (const Row& row : rows) {
    for (const int batch : {1, 8}) {
      JsonObject params;
      params.add("op", row.op).add("batch", batch).add("vocab", kBenchVocab).add("dtype", "f32");
      list.small(row.id + ("_b" + std::to_string(batch)), std::move(params),
                 [make = row.make, batch](BenchEnv& env) { return make(batch, env); });
    }
  }
  for (const int nnz : {1 << 16, 1 << 24}) {
    JsonObject params;
    params.add("op", "packbits").add("nnz", nnz).add("dtype", "u8");
    list.small("packbits/" + std::to_string(nnz), std::move(params),
               [nnz](BenchEnv& env) { return make_packbits(nnz, env); });
  }
}

}  // namespace

std::vector<BenchCase> bench_cases(const Target& target) {
  List list(target);
  add_prefill(list);
  add_decode(list);
  add_mixed(list);
  add_prototypes(list);
  add_host(list);
  add_small(list);
  add_sampling(list);
  return list.take();
}

}  // namespace weft::cli
