// SPDX-License-Identifier: Apache-2.0
// See bench_sampling.h. Logits are f32, probabilities their softmax. Bytes count every
// element read and every element written once.
#include "tools/weft/bench_sampling.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "tools/weft/bench_data.h"

namespace weft::cli {
namespace {

constexpr int64_t kVocab = kBenchVocab;

/// Inputs that take turns: a few rows would else stay in a core's own cache.
int sets_of(int64_t bytes) {
  return static_cast<int>(std::clamp<int64_t>((int64_t{32} << 20) / bytes, 2, 16));
}

/// Numbers that rows share: parameters of each row, outputs.
class Columns {
 public:
  template <class T>
  TensorView of(DType dtype, int64_t n, T value) {
    engine::Buffer& buffer =
        buffers_.emplace_back(memory_, dtype, std::initializer_list<int64_t>{n});
    std::fill_n(static_cast<T*>(buffer.view().data), n, value);
    return buffer.view();
  }
  TensorView rows(DType dtype, std::initializer_list<int64_t> shape) {
    return buffers_.emplace_back(memory_, dtype, shape).view();
  }
  TensorView logits(std::initializer_list<int64_t> shape) {
    return buffers_.emplace_back(filled(memory_, DType::f32, shape)).view();
  }
  /// Rows of probabilities.
  TensorView probs(std::initializer_list<int64_t> shape, const BenchEnv& env) {
    const TensorView view = logits(shape);
    const int64_t n = view.numel() / kVocab;
    const TensorView flat(view.data, DType::f32, {n, kVocab});
    FilterArgs args;
    args.input = args.probs = flat;
    Sampling({.vocab_size = kBenchVocab}, env.target).filter(args, env.threads.executor());
    return view;
  }

 private:
  engine::HostMemory memory_;
  std::vector<engine::Buffer> buffers_;
};

/// A call that only differs in its arguments from turn to turn.
template <class Op, class Args>
class Turns : public BenchRun {
 public:
  Turns(Op op, const BenchEnv& env) : op_(std::move(op)), executor_(env.threads.executor()) {}
  void call(int i) override {
    const Args& args = args_[static_cast<size_t>(i) % args_.size()];
    if constexpr (std::is_same_v<Args, FilterArgs>) {
      op_.filter(args, executor_);
    } else {
      op_.run(args, executor_);
    }
  }

 protected:
  /// What a call moves; smaller inputs than a cache stay there.
  void moves(double of_call) {
    bytes = of_call;
    const double all = of_call * static_cast<double>(args_.size());
    if (all < 64e6) resident = all;
  }

  /// Calls of `args` over sets of `n` rows of logits, read once.
  void over_logits(Args args, int n) {
    for (int i = 0; i < sets_of(n * kVocab * 4); ++i) {
      args.input = columns_.logits({n, kVocab});
      args_.push_back(args);
    }
    moves(4.0 * n * kVocab);
  }

  Op op_;
  Executor executor_;
  Columns columns_;
  std::vector<Args> args_;
};

class DrawRun final : public Turns<Sampling, SamplingArgs> {
 public:
  DrawRun(SamplingBench what, int n, const BenchEnv& env)
      : Turns(Sampling(
                  {.vocab_size = kBenchVocab,
                   .order = what == SamplingBench::topk50_topp09_joint ? FilterOrder::joint
                                                                       : FilterOrder::top_k_first},
                  env.target),
              env) {
    SamplingArgs args;
    args.seed = columns_.of<int64_t>(DType::i64, n, 7);
    args.token = columns_.rows(DType::i32, {n});
    if (what != SamplingBench::categorical) args.top_p = columns_.of(DType::f32, n, 0.9f);
    if (what == SamplingBench::topk50_topp09 || what == SamplingBench::topk50_topp09_joint) {
      args.top_k = columns_.of<int32_t>(DType::i32, n, 50);
    }
    over_logits(args, n);
  }
};

class FilterRun final : public Turns<Sampling, FilterArgs> {
 public:
  FilterRun(SamplingBench what, int n, const BenchEnv& env)
      : Turns(Sampling({.vocab_size = kBenchVocab,
                        .input = what == SamplingBench::topp_renorm ? SamplingInput::probs
                                                                    : SamplingInput::logits},
                       env.target),
              env) {
    const bool renorm = what == SamplingBench::topp_renorm;
    FilterArgs args;
    if (renorm) args.top_p = columns_.of(DType::f32, n, 0.9f);
    if (!renorm) args.top_k = columns_.of<int32_t>(DType::i32, n, 50);
    for (int i = 0; i < sets_of(n * kVocab * 8); ++i) {
      args.input = renorm ? columns_.probs({n, kVocab}, env) : columns_.logits({n, kVocab});
      (renorm ? args.probs : args.masked) = columns_.rows(DType::f32, {n, kVocab});
      args_.push_back(args);
    }
    moves(8.0 * n * kVocab);
  }
};

class TopkRun final : public Turns<Topk, TopkArgs> {
 public:
  TopkRun(int k, int n, const BenchEnv& env)
      : Turns(Topk({.max_len = kBenchVocab, .k = k}, env.target), env) {
    TopkArgs args;
    args.indices = columns_.rows(DType::i32, {n, k});
    args.values = columns_.rows(DType::f32, {n, k});
    over_logits(args, n);
  }
};

class LogprobsRun final : public Turns<Logprobs, LogprobsArgs> {
 public:
  LogprobsRun(int num, int n, const BenchEnv& env)
      : Turns(Logprobs({.vocab_size = kBenchVocab, .num = num}, env.target), env) {
    LogprobsArgs args;
    args.top_tokens = columns_.rows(DType::i32, {n, num});
    args.top_logprobs = columns_.rows(DType::f32, {n, num});
    over_logits(args, n);
  }
};

class VerifyRun final : public Turns<Verify, VerifyArgs> {
 public:
  VerifyRun(int drafts, int n, const BenchEnv& env)
      : Turns(Verify({.vocab_size = kBenchVocab, .num_draft = drafts}, env.target), env) {
    VerifyArgs args;
    args.seed = columns_.of<int64_t>(DType::i64, n, 7);
    args.draft_tokens = columns_.rows(DType::i32, {n, drafts});
    std::fill_n(static_cast<int32_t*>(args.draft_tokens.data), n * drafts, 77);
    args.tokens = columns_.rows(DType::i32, {n, drafts + 1});
    for (int i = 0; i < 2; ++i) {
      args.draft_probs = columns_.probs({n, drafts, kVocab}, env);
      args.target_probs = columns_.probs({n, drafts + 1, kVocab}, env);
      args_.push_back(args);
    }
    moves(8.0 * n * kVocab);  // one row of each model
  }
};

class PackBitsRun final : public Turns<PackBits, PackBitsArgs> {
 public:
  PackBitsRun(int nnz, const BenchEnv& env) : Turns(PackBits({}, env.target), env) {
    for (int i = 0; i < sets_of(nnz); ++i) {
      PackBitsArgs args;
      args.x = columns_.of<uint8_t>(DType::u8, nnz, 1);
      args.out = columns_.rows(DType::u8, {nnz / 8});
      args_.push_back(args);
    }
    moves(1.125 * nnz);
  }
};

}  // namespace

std::unique_ptr<BenchRun> make_sampling(SamplingBench what, int batch, BenchEnv& env) {
  if (what == SamplingBench::topp_renorm || what == SamplingBench::topk_mask) {
    return std::make_unique<FilterRun>(what, batch, env);
  }
  return std::make_unique<DrawRun>(what, batch, env);
}
std::unique_ptr<BenchRun> make_topk(int k, int batch, BenchEnv& env) {
  return std::make_unique<TopkRun>(k, batch, env);
}
std::unique_ptr<BenchRun> make_logprobs(int num, int batch, BenchEnv& env) {
  return std::make_unique<LogprobsRun>(num, batch, env);
}
std::unique_ptr<BenchRun> make_verify(int drafts, int batch, BenchEnv& env) {
  return std::make_unique<VerifyRun>(drafts, batch, env);
}
std::unique_ptr<BenchRun> make_packbits(int nnz, BenchEnv& env) {
  return std::make_unique<PackBitsRun>(nnz, env);
}

}  // namespace weft::cli
