// SPDX-License-Identifier: Apache-2.0
// See engine.h. The whole use of weft stands in this file: two objects made once, `plan` once a
// step, `append` and `run` once a layer.
#include "examples/engine/engine.h"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace engine {
namespace {

class Stopwatch {
 public:
  double us() const {
    const auto elapsed = std::chrono::steady_clock::now() - begin_;
    return std::chrono::duration<double, std::micro>(elapsed).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

Buffer cache_buffer(Memory& memory, const EngineConfig& config, int head_dim) {
  const weft::AttentionConfig& a = config.attention;
  if (a.kv_layout == weft::KvLayout::hnd) {
    return {memory, a.dtype_kv, {config.num_pages, a.num_kv_heads, a.page_size, head_dim}};
  }
  return {memory, a.dtype_kv, {config.num_pages, a.page_size, a.num_kv_heads, head_dim}};
}

}  // namespace

EngineConfig completed(EngineConfig config) {
  weft::AttentionConfig& a = config.attention;
  if (config.num_layers < 1) throw std::invalid_argument("num_layers: expected at least 1");
  if (a.page_size < 1) throw std::invalid_argument("page_size: expected at least 1");
  if (a.head_dim_vo == 0) a.head_dim_vo = a.head_dim_qk;
  a.mask = weft::MaskMode::causal;
  a.max_batch_size = config.limits.max_batch_size;
  a.max_nnz_qo = config.limits.max_batch_tokens;
  return config;
}

weft::AppendConfig append_config(const weft::AttentionConfig& a) {
  weft::AppendConfig config;
  config.dtype = a.dtype_q;
  config.dtype_kv = a.dtype_kv;
  config.num_kv_heads = a.num_kv_heads;
  config.head_dim_qk = a.head_dim_qk;
  config.head_dim_vo = a.head_dim_vo;
  config.page_size = a.page_size;
  config.kv_layout = a.kv_layout;
  return config;
}

Engine::Engine(const EngineConfig& config, Memory& memory, weft::Attention attention,
               weft::Append append, const weft::Executor& executor)
    : config_(config),
      memory_(memory),
      executor_(executor),
      pool_(config_.num_pages, config_.attention.page_size),
      scheduler_(config_.limits, pool_),
      attention_(std::move(attention)),
      append_(std::move(append)),
      plan_(attention_.create_plan()) {
  const weft::AttentionConfig& a = config_.attention;
  for (int i = 0; i < config_.num_layers; ++i) {
    caches_.push_back({cache_buffer(memory, config_, a.head_dim_qk),
                       cache_buffer(memory, config_, a.head_dim_vo)});
  }
  const int64_t nnz = config_.limits.max_batch_tokens;
  q_ = Buffer(memory, a.dtype_q, {nnz, a.num_qo_heads, a.head_dim_qk});
  k_ = Buffer(memory, a.dtype_q, {nnz, a.num_kv_heads, a.head_dim_qk});
  v_ = Buffer(memory, a.dtype_q, {nnz, a.num_kv_heads, a.head_dim_vo});
  o_ = Buffer(memory, a.dtype_q, {nnz, a.num_qo_heads, a.head_dim_vo});
  lse_ = Buffer(memory, weft::DType::f32, {nnz, a.num_qo_heads});
  qo_indptr_ = make_index_array(config_.limits.max_batch_size + 1);
  kv_indptr_ = make_index_array(config_.limits.max_batch_size + 1);
  last_page_len_ = make_index_array(config_.limits.max_batch_size);
  // A page may stand in the tables of every request that shares it.
  kv_indices_ = make_index_array(int64_t{config_.num_pages} * config_.limits.max_batch_size);
  batch_indices_ = make_index_array(nnz);
  positions_ = make_index_array(nnz);
  tokens_.reserve(nnz);
}

Engine::IndexArray Engine::make_index_array(int64_t capacity) {
  IndexArray array;
  array.device = Buffer(memory_, weft::DType::i32, {capacity});
  return array;
}

weft::TensorView Engine::upload(IndexArray& array) {
  memory_.upload(array.device.view().data, array.host.data(), array.host.size() * sizeof(int32_t));
  return array.device.first(static_cast<int64_t>(array.host.size()));
}

/// Lengths, page tables and positions of the step, on the host and then on the device.
void Engine::build_arrays(const Step& step) {
  tokens_.clear();
  for (IndexArray* array :
       {&qo_indptr_, &kv_indptr_, &kv_indices_, &last_page_len_, &batch_indices_, &positions_}) {
    array->host.clear();
  }
  qo_indptr_.host.push_back(0);
  kv_indptr_.host.push_back(0);
  const int page_size = pool_.page_size();
  for (size_t i = 0; i < step.chunks.size(); ++i) {
    const Chunk& chunk = step.chunks[i];
    const Sequence& sequence = *chunk.sequence;
    for (int at = chunk.begin; at < chunk.begin + chunk.length; ++at) {
      tokens_.push_back(sequence.tokens[at]);
      batch_indices_.host.push_back(static_cast<int32_t>(i));
      positions_.host.push_back(at);
    }
    kv_indices_.host.insert(kv_indices_.host.end(), sequence.pages.begin(), sequence.pages.end());
    const int kv_len = chunk.begin + chunk.length;
    last_page_len_.host.push_back((kv_len - 1) % page_size + 1);
    qo_indptr_.host.push_back(static_cast<int32_t>(tokens_.size()));
    kv_indptr_.host.push_back(static_cast<int32_t>(kv_indices_.host.size()));
  }
  batch_.qo_indptr = upload(qo_indptr_);
  batch_.kv_indptr = append_args_.kv_indptr = upload(kv_indptr_);
  batch_.kv_indices = append_args_.kv_indices = upload(kv_indices_);
  batch_.last_page_len = upload(last_page_len_);
  append_args_.batch_indices = upload(batch_indices_);
  append_args_.positions = upload(positions_);
}

std::vector<std::unique_ptr<Sequence>> Engine::step(Model& model) {
  times_ = StepTimes{};
  const Stopwatch planning;
  const Step& step = scheduler_.schedule();
  if (step.chunks.empty()) throw std::logic_error("engine: step called while idle");
  build_arrays(step);
  const Stopwatch weft_planning;
  attention_.plan(batch_, plan_, executor_);
  times_.weft_plan_us = weft_planning.us();
  times_.plan_us = planning.us();

  StepView view;
  view.step = &step;
  view.tokens = tokens_;
  view.positions = positions_.host;
  view.batch_indices = batch_indices_.host;
  view.qo_indptr = qo_indptr_.host;
  view.kv_indptr = kv_indptr_.host;
  view.last_page_len = last_page_len_.host;
  view.plan = &plan_;
  model.begin_step(view);
  for (int layer = 0; layer < config_.num_layers; ++layer) run_layer(layer, model, view);
  const std::vector<TokenId> predicted = model.predict(view);
  return scheduler_.commit(predicted);
}

void Engine::run_layer(int layer, Model& model, const StepView& view) {
  const int64_t n = view.num_tokens();
  const LayerTensors tensors{q_.first(n), k_.first(n), v_.first(n), o_.first(n), lse_.first(n)};
  const LayerOptions options = model.before_attention(layer, view, tensors);

  const Stopwatch appending;
  append_args_.k = tensors.k;
  append_args_.v = tensors.v;
  append_args_.k_cache = caches_[layer].k.view();
  append_args_.v_cache = caches_[layer].v.view();
  append_args_.k_scale = config_.k_scale;
  append_args_.v_scale = config_.v_scale;
  append_.run(append_args_, executor_);
  times_.append_us += appending.us();

  const Stopwatch attending;
  weft::AttentionArgs args;
  args.q = tensors.q;
  args.k = caches_[layer].k.view();
  args.v = caches_[layer].v.view();
  args.o = tensors.o;
  args.lse = tensors.lse;
  args.sm_scale = options.sm_scale;
  args.logits_soft_cap = options.logits_soft_cap;
  args.window_left = options.window_left;
  args.alibi_slopes = options.alibi_slopes;
  args.sink = options.sink;
  args.k_scale = config_.k_scale;
  args.v_scale = config_.v_scale;
  attention_.run(plan_, args, executor_);
  times_.attention_us += attending.us();
  model.after_attention(layer, view, tensors);
}

}  // namespace engine
