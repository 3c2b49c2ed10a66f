// SPDX-License-Identifier: Apache-2.0
// See stack_engine.h.
#include "tools/weft/stack_engine.h"

#include <chrono>
#include <cstring>
#include <stdexcept>

namespace weft::cli {
namespace {

using engine::Buffer;

/// A tensor of the host and its copy on the device, of one shape.
struct Mirrored {
  Buffer host, device;

  Mirrored() = default;
  Mirrored(engine::Memory& host_memory, engine::Memory& memory, DType dtype,
           std::initializer_list<int64_t> shape)
      : host(host_memory, dtype, shape), device(memory, dtype, shape) {}

  int32_t* ints() const { return static_cast<int32_t*>(host.view().data); }
  size_t row_bytes() const { return host.bytes() / static_cast<size_t>(host.view().shape[0]); }
  void upload(engine::Memory& memory, int64_t rows) const {
    memory.upload(device.view().data, host.view().data, row_bytes() * static_cast<size_t>(rows));
  }
  void download(engine::Memory& memory, int64_t rows) const {
    memory.download(host.view().data, device.view().data, row_bytes() * static_cast<size_t>(rows));
  }
  void repeat_row(int64_t row, int64_t end) const {
    char* base = static_cast<char*>(host.view().data);
    for (int64_t i = row + 1; i < end; ++i) {
      std::memcpy(base + i * static_cast<int64_t>(row_bytes()),
                  base + row * static_cast<int64_t>(row_bytes()), row_bytes());
    }
  }
};

struct Layer {
  Mirrored q, k, v, o, lse;
  Buffer k_cache, v_cache, sink;
  engine::LayerOptions options;
};

class StackEngine final : public ReplayEngine {
 public:
  StackEngine(const engine::EngineConfig& config, Attention attention, Append append,
              StackDevice& device, const std::string& unit)
      : config_(engine::completed(config)),
        device_(device),
        memory_(device.memory()),
        unit_(unit),
        pool_(config_.num_pages, config_.attention.page_size),
        scheduler_(config_.limits, pool_),
        attention_(std::move(attention)),
        append_(std::move(append)),
        plan_(attention_.create_plan()) {
    make_arrays();
    for (int i = 0; i < config_.num_layers; ++i) layers_.push_back(make_layer());
  }

  void add(engine::Request request) override { scheduler_.add(std::move(request)); }
  std::vector<std::unique_ptr<engine::Sequence>> step(engine::Model& model) override;
  const engine::StepTimes& times() const override { return times_; }
  const engine::PagePool& pool() const override { return pool_; }
  const engine::Scheduler& scheduler() const override { return scheduler_; }
  std::string unit() const override { return unit_; }

 private:
  void make_arrays();
  Layer make_layer();
  void build_arrays(const engine::Step& step);
  void pad_arrays();
  engine::StepView view_of(const engine::Step& step) const;
  engine::LayerTensors host_tensors(const Layer& layer, int64_t n) const;
  void fill_layers(engine::Model& model, const engine::StepView& view);
  void enqueue();

  engine::EngineConfig config_;
  StackDevice& device_;
  engine::HostMemory host_;
  engine::Memory& memory_;
  std::string unit_;
  engine::PagePool pool_;
  engine::Scheduler scheduler_;
  Attention attention_;
  Append append_;
  AttentionPlan plan_;
  std::vector<Layer> layers_;
  Mirrored qo_indptr_, kv_indptr_, kv_indices_, last_page_len_, batch_indices_, positions_;
  int batch_size_ = 0, num_tokens_ = 0, num_indices_ = 0;  // of this step
  std::vector<engine::TokenId> tokens_;
  engine::StepTimes times_;
};

void StackEngine::make_arrays() {
  const int64_t batch = config_.limits.max_batch_size, tokens = config_.limits.max_batch_tokens;
  const auto ints = [&](int64_t n) { return Mirrored(host_, memory_, DType::i32, {n}); };
  qo_indptr_ = ints(batch + 1);
  kv_indptr_ = ints(batch + 1);
  last_page_len_ = ints(batch);
  // A page may stand in the tables of every request that shares it.
  kv_indices_ = ints(config_.num_pages * batch);
  batch_indices_ = ints(tokens);
  positions_ = ints(tokens);
}

Layer StackEngine::make_layer() {
  const AttentionConfig& a = config_.attention;
  const int64_t n = config_.limits.max_batch_tokens;
  const auto rows = [&](DType dtype, int heads, int dim) {
    return Mirrored(host_, memory_, dtype, {n, heads, dim});
  };
  const auto cache = [&](int dim) {
    const int64_t pages = config_.num_pages;
    if (a.kv_layout == KvLayout::hnd) {
      return Buffer(memory_, a.dtype_kv, {pages, a.num_kv_heads, a.page_size, dim});
    }
    return Buffer(memory_, a.dtype_kv, {pages, a.page_size, a.num_kv_heads, dim});
  };
  Layer layer;
  layer.q = rows(a.dtype_q, a.num_qo_heads, a.head_dim_qk);
  layer.k = rows(a.dtype_q, a.num_kv_heads, a.head_dim_qk);
  layer.v = rows(a.dtype_q, a.num_kv_heads, a.head_dim_vo);
  layer.o = rows(a.dtype_q, a.num_qo_heads, a.head_dim_vo);
  layer.lse = Mirrored(host_, memory_, DType::f32, {n, a.num_qo_heads});
  layer.k_cache = cache(a.head_dim_qk);
  layer.v_cache = cache(a.head_dim_vo);
  layer.sink = Buffer(memory_, DType::f32, {a.num_qo_heads});
  return layer;
}

void StackEngine::build_arrays(const engine::Step& step) {
  tokens_.clear();
  batch_size_ = num_tokens_ = num_indices_ = 0;
  qo_indptr_.ints()[0] = kv_indptr_.ints()[0] = 0;
  for (const engine::Chunk& chunk : step.chunks) {
    const engine::Sequence& sequence = *chunk.sequence;
    const int kv_len = chunk.begin + chunk.length;
    for (int at = chunk.begin; at < kv_len; ++at) {
      tokens_.push_back(sequence.tokens[static_cast<size_t>(at)]);
      batch_indices_.ints()[num_tokens_] = batch_size_;
      positions_.ints()[num_tokens_++] = at;
    }
    for (const engine::PageId page : sequence.pages) kv_indices_.ints()[num_indices_++] = page;
    last_page_len_.ints()[batch_size_++] = (kv_len - 1) % pool_.page_size() + 1;
    qo_indptr_.ints()[batch_size_] = num_tokens_;
    kv_indptr_.ints()[batch_size_] = num_indices_;
  }
  pad_arrays();
}

void StackEngine::pad_arrays() {
  const int batch = config_.limits.max_batch_size, tokens = config_.limits.max_batch_tokens;
  qo_indptr_.repeat_row(batch_size_, batch + 1);
  kv_indptr_.repeat_row(batch_size_, batch + 1);
  last_page_len_.repeat_row(batch_size_ - 1, batch);
  batch_indices_.repeat_row(num_tokens_ - 1, tokens);
  positions_.repeat_row(num_tokens_ - 1, tokens);
  for (const Mirrored* array : {&qo_indptr_, &kv_indptr_}) array->upload(memory_, batch + 1);
  last_page_len_.upload(memory_, batch);
  kv_indices_.upload(memory_, num_indices_);
  for (const Mirrored* array : {&batch_indices_, &positions_}) array->upload(memory_, tokens);
}

engine::StepView StackEngine::view_of(const engine::Step& step) const {
  const auto span = [](const Mirrored& array, int n) {
    return std::span<const int32_t>(array.ints(), static_cast<size_t>(n));
  };
  engine::StepView view;
  view.step = &step;
  view.tokens = tokens_;
  view.positions = span(positions_, num_tokens_);
  view.batch_indices = span(batch_indices_, num_tokens_);
  view.qo_indptr = span(qo_indptr_, batch_size_ + 1);
  view.kv_indptr = span(kv_indptr_, batch_size_ + 1);
  view.last_page_len = span(last_page_len_, batch_size_);
  view.plan = &plan_;
  return view;
}

engine::LayerTensors StackEngine::host_tensors(const Layer& layer, int64_t n) const {
  return {layer.q.host.first(n), layer.k.host.first(n), layer.v.host.first(n),
          layer.o.host.first(n), layer.lse.host.first(n)};
}

/// Inputs of all layers, and outputs as the model left them.
void StackEngine::fill_layers(engine::Model& model, const engine::StepView& view) {
  const int64_t n = num_tokens_, all = config_.limits.max_batch_tokens;
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    layer.options = model.before_attention(static_cast<int>(i), view, host_tensors(layer, n));
    layer.k.repeat_row(n - 1, all);
    layer.v.repeat_row(n - 1, all);
    for (const Mirrored* tensor : {&layer.k, &layer.v}) tensor->upload(memory_, all);
    for (const Mirrored* tensor : {&layer.q, &layer.o}) tensor->upload(memory_, n);
    const TensorView& sink = layer.options.sink;
    if (sink.given()) memory_.upload(layer.sink.view().data, sink.data, layer.sink.bytes());
  }
}

void StackEngine::enqueue() {
  const Executor executor = device_.executor();
  attention_.plan({qo_indptr_.device.view(), kv_indptr_.device.view(), kv_indices_.device.view(),
                   last_page_len_.device.view()},
                  plan_, executor);
  for (const Layer& layer : layers_) {
    AppendArgs appended;
    appended.k = layer.k.device.view();
    appended.v = layer.v.device.view();
    appended.batch_indices = batch_indices_.device.view();
    appended.positions = positions_.device.view();
    appended.kv_indptr = kv_indptr_.device.view();
    appended.kv_indices = kv_indices_.device.view();
    appended.k_cache = layer.k_cache.view();
    appended.v_cache = layer.v_cache.view();
    appended.k_scale = config_.k_scale;
    appended.v_scale = config_.v_scale;
    append_.run(appended, executor);

    AttentionArgs args;
    args.q = layer.q.device.view();
    args.k = layer.k_cache.view();
    args.v = layer.v_cache.view();
    args.o = layer.o.device.view();
    args.lse = layer.lse.device.view();
    args.sm_scale = layer.options.sm_scale;
    args.logits_soft_cap = layer.options.logits_soft_cap;
    args.window_left = layer.options.window_left;
    if (layer.options.sink.given()) args.sink = layer.sink.view();
    args.k_scale = config_.k_scale;
    args.v_scale = config_.v_scale;
    attention_.run(plan_, args, executor);
  }
}

std::vector<std::unique_ptr<engine::Sequence>> StackEngine::step(engine::Model& model) {
  times_ = engine::StepTimes{};
  const auto begin = std::chrono::steady_clock::now();
  const engine::Step& step = scheduler_.schedule();
  if (step.chunks.empty()) throw std::logic_error("engine: step called while idle");
  build_arrays(step);
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  times_.plan_us = std::chrono::duration<double, std::micro>(elapsed).count();
  const engine::StepView view = view_of(step);
  fill_layers(model, view);
  times_.attention_us = device_.run([&] { enqueue(); });  // plan and append with it
  model.begin_step(view);                                 // the plan stands now
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].o.download(memory_, num_tokens_);
    layers_[i].lse.download(memory_, num_tokens_);
    model.after_attention(static_cast<int>(i), view, host_tensors(layers_[i], num_tokens_));
  }
  return scheduler_.commit(model.predict(view));
}

}  // namespace

std::unique_ptr<ReplayEngine> make_stack_engine(const engine::EngineConfig& config,
                                                Attention attention, Append append,
                                                StackDevice& device, const std::string& unit) {
  return std::make_unique<StackEngine>(config, std::move(attention), std::move(append), device,
                                       unit);
}

}  // namespace weft::cli
