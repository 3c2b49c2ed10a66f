// SPDX-License-Identifier: Apache-2.0
// See bench_small.h. Shapes are those of an 8B model: 32/8 heads of 128, bf16. Bytes count every
// element read and every element written once.
#include "tools/weft/bench_small.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "tools/weft/bench_data.h"

namespace weft::cli {
namespace {

constexpr int kQoHeads = 32, kKvHeads = 8, kDim = 128, kPage = 16;
// Sets of inputs that take turns: 8192 tokens of k and v alone are 33 MB, as much as a large L3.
constexpr int kSets = 6;

TensorView indices(const std::vector<int32_t>& v) {
  return TensorView(v.data(), DType::i32, {static_cast<int64_t>(v.size())});
}

class AppendRun final : public BenchRun {
 public:
  AppendRun(int tokens, bool fused_rope, BenchEnv& env)
      : executor_(env.threads.executor()), append_(config(fused_rope), env.target) {
    const int pages = (tokens + kPage - 1) / kPage;
    batch_indices_.assign(tokens, 0);
    positions_.resize(tokens);
    std::iota(positions_.begin(), positions_.end(), 0);
    indptr_ = {0, pages};
    kv_indices_.resize(pages);
    std::iota(kv_indices_.begin(), kv_indices_.end(), 0);
    std::shuffle(kv_indices_.begin(), kv_indices_.end(), std::mt19937(1));
    for (int i = 0; i < kSets; ++i) {
      for (int k = 0; k < 2; ++k) {
        buffers_.push_back(filled(memory_, DType::bf16, {tokens, kKvHeads, kDim}));
        buffers_.push_back(filled(memory_, DType::bf16, {pages, kPage, kKvHeads, kDim}));
      }
      AppendArgs args;
      args.k = buffers_[4 * i].view();
      args.k_cache = buffers_[4 * i + 1].view();
      args.v = buffers_[4 * i + 2].view();
      args.v_cache = buffers_[4 * i + 3].view();
      args.batch_indices = indices(batch_indices_);
      args.positions = indices(positions_);
      args.kv_indptr = indices(indptr_);
      args.kv_indices = indices(kv_indices_);
      args_.push_back(args);
    }
    bytes = 2.0 * 2 * tokens * kKvHeads * kDim * size_of(DType::bf16);
    if (kSets * bytes < 64e6) resident = kSets * bytes;
  }
  void call(int i) override { append_.run(args_[i % kSets], executor_); }

 private:
  static AppendConfig config(bool fused_rope) {
    AppendConfig c;
    c.num_kv_heads = kKvHeads;
    c.head_dim_qk = kDim;
    c.page_size = kPage;
    if (fused_rope) c.rope.mode = RopeMode::neox;
    return c;
  }

  Executor executor_;
  engine::HostMemory memory_;
  Append append_;
  std::vector<int32_t> batch_indices_, positions_, indptr_, kv_indices_;
  std::vector<engine::Buffer> buffers_;
  std::vector<AppendArgs> args_;
};

class RopeRun final : public BenchRun {
 public:
  RopeRun(int tokens, BenchEnv& env)
      : executor_(env.threads.executor()), rope_(config(), env.target) {
    positions_.resize(tokens);
    std::iota(positions_.begin(), positions_.end(), 0);
    for (int i = 0; i < kSets; ++i) {
      buffers_.push_back(filled(memory_, DType::bf16, {tokens, kQoHeads, kDim}));
      buffers_.push_back(filled(memory_, DType::bf16, {tokens, kKvHeads, kDim}));
      RopeArgs args;
      args.q = args.q_out = buffers_[2 * i].view();
      args.k = args.k_out = buffers_[2 * i + 1].view();
      args.positions = indices(positions_);
      args_.push_back(args);
    }
    bytes = 2.0 * tokens * (kQoHeads + kKvHeads) * kDim * size_of(DType::bf16);
  }
  void call(int i) override { rope_.run(args_[i % kSets], executor_); }

 private:
  static RopeConfig config() {
    RopeConfig c;
    c.num_qo_heads = kQoHeads;
    c.num_kv_heads = kKvHeads;
    c.head_dim = kDim;
    c.rope.mode = RopeMode::neox;
    return c;
  }

  Executor executor_;
  engine::HostMemory memory_;
  RopeOp rope_;
  std::vector<int32_t> positions_;
  std::vector<engine::Buffer> buffers_;
  std::vector<RopeArgs> args_;
};

class MergeRun final : public BenchRun {
 public:
  MergeRun(int rows, int states, BenchEnv& env)
      : executor_(env.threads.executor()), merge_(config(), env.target) {
    for (int i = 0; i < kSets; ++i) {
      buffers_.push_back(filled(memory_, DType::bf16, {rows, states, kQoHeads, kDim}));
      buffers_.push_back(filled(memory_, DType::f32, {rows, states, kQoHeads}));
      buffers_.push_back(filled(memory_, DType::bf16, {rows, kQoHeads, kDim}));
      args_.push_back(
          {buffers_[3 * i].view(), buffers_[3 * i + 1].view(), buffers_[3 * i + 2].view(), {}});
    }
    bytes = 2.0 * rows * (states + 1) * kQoHeads * kDim + 4.0 * rows * states * kQoHeads;
  }
  void call(int i) override { merge_.run(args_[i % kSets], executor_); }

 private:
  static MergeConfig config() {
    MergeConfig c;
    c.num_heads = kQoHeads;
    c.head_dim = kDim;
    return c;
  }

  Executor executor_;
  engine::HostMemory memory_;
  Merge merge_;
  std::vector<engine::Buffer> buffers_;
  std::vector<MergeArgs> args_;
};

class NormRun final : public BenchRun {
 public:
  NormRun(int rows, int hidden, bool residual, BenchEnv& env)
      : executor_(env.threads.executor()),
        norm_({.hidden = hidden, .residual = residual}, env.target),
        weight_(filled(memory_, DType::bf16, {hidden})) {
    for (int i = 0; i < kSets; ++i) {
      NormArgs args;
      args.weight = weight_.view();
      buffers_.push_back(filled(memory_, DType::bf16, {rows, hidden}));
      args.x = args.out = buffers_.back().view();
      buffers_.push_back(filled(memory_, DType::bf16, {rows, hidden}));
      (residual ? args.residual : args.out) = buffers_.back().view();
      args_.push_back(args);
    }
    bytes = (residual ? 4.0 : 2.0) * rows * hidden * size_of(DType::bf16);
    if (kSets * bytes < 64e6) resident = kSets * bytes;
  }
  void call(int i) override { norm_.run(args_[i % kSets], executor_); }

 private:
  Executor executor_;
  engine::HostMemory memory_;
  Norm norm_;
  engine::Buffer weight_;
  std::vector<engine::Buffer> buffers_;
  std::vector<NormArgs> args_;
};

class ActivationRun final : public BenchRun {
 public:
  ActivationRun(int rows, int hidden, BenchEnv& env)
      : executor_(env.threads.executor()), activation_({.hidden = hidden}, env.target) {
    for (int i = 0; i < kSets; ++i) {
      buffers_.push_back(filled(memory_, DType::bf16, {rows, 2 * hidden}));
      buffers_.push_back(filled(memory_, DType::bf16, {rows, hidden}));
      ActivationArgs args;
      args.x = buffers_[2 * i].view(), args.out = buffers_[2 * i + 1].view();
      args_.push_back(args);
    }
    bytes = 3.0 * rows * hidden * size_of(DType::bf16);
    if (kSets * bytes < 64e6) resident = kSets * bytes;
  }
  void call(int i) override { activation_.run(args_[i % kSets], executor_); }

 private:
  Executor executor_;
  engine::HostMemory memory_;
  Activation activation_;
  std::vector<engine::Buffer> buffers_;
  std::vector<ActivationArgs> args_;
};

}  // namespace

std::unique_ptr<BenchRun> make_norm(int rows, int hidden, bool residual, BenchEnv& env) {
  return std::make_unique<NormRun>(rows, hidden, residual, env);
}
std::unique_ptr<BenchRun> make_activation(int rows, int hidden, BenchEnv& env) {
  return std::make_unique<ActivationRun>(rows, hidden, env);
}
std::unique_ptr<BenchRun> make_append(int tokens, bool fused_rope, BenchEnv& env) {
  return std::make_unique<AppendRun>(tokens, fused_rope, env);
}
std::unique_ptr<BenchRun> make_rope(int tokens, BenchEnv& env) {
  return std::make_unique<RopeRun>(tokens, env);
}
std::unique_ptr<BenchRun> make_merge(int rows, int states, BenchEnv& env) {
  return std::make_unique<MergeRun>(rows, states, env);
}

}  // namespace weft::cli
