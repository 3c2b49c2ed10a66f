// SPDX-License-Identifier: Apache-2.0
// Engine: continuous batching on weft's public API alone. Each step: schedule, upload lengths and
// page tables, plan once, then for every layer append the new keys and values and run attention.
// The model is the caller's; the engine knows no weights and no text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "examples/engine/memory.h"
#include "examples/engine/scheduler.h"
#include "weft/weft.h"

namespace engine {

struct EngineConfig {
  /// Heads, dims, dtypes, layout, page_size, rope. The limits are filled in from `limits`.
  weft::AttentionConfig attention;
  SchedulerLimits limits;
  int num_layers = 1;
  int num_pages = 1;
  float k_scale = 1.0f;  // what an FP8 cache stores is k / k_scale
  float v_scale = 1.0f;
};

/// One step as a model sees it. Row t of every tensor belongs to chunk batch_indices[t] and
/// position positions[t] of its sequence. Valid until the step ends.
struct StepView {
  const Step* step = nullptr;
  std::span<const TokenId> tokens;         // [nnz_qo]
  std::span<const int32_t> positions;      // [nnz_qo]
  std::span<const int32_t> batch_indices;  // [nnz_qo]
  std::span<const int32_t> qo_indptr;      // [batch_size + 1]
  std::span<const int32_t> kv_indptr;      // [batch_size + 1], in pages
  std::span<const int32_t> last_page_len;  // [batch_size]
  const weft::AttentionPlan* plan = nullptr;

  int batch_size() const { return static_cast<int>(qo_indptr.size()) - 1; }
  int num_tokens() const { return static_cast<int>(tokens.size()); }
  int qo_len(int i) const { return qo_indptr[i + 1] - qo_indptr[i]; }
  int kv_len(int i) const { return step->chunks[i].begin + step->chunks[i].length; }
};

/// Inputs and outputs of one layer's attention, on the engine's device.
struct LayerTensors {
  weft::TensorView q;    // [nnz_qo, num_qo_heads, head_dim_qk]
  weft::TensorView k;    // [nnz_qo, num_kv_heads, head_dim_qk]
  weft::TensorView v;    // [nnz_qo, num_kv_heads, head_dim_vo]
  weft::TensorView o;    // [nnz_qo, num_qo_heads, head_dim_vo]
  weft::TensorView lse;  // f32 [nnz_qo, num_qo_heads]
};

/// Run-time values of one layer's attention, as in weft::AttentionArgs.
struct LayerOptions {
  std::optional<float> sm_scale;
  float logits_soft_cap = 0.0f;
  int window_left = -1;
  weft::TensorView alibi_slopes;
  weft::TensorView sink;
};

/// What the engine asks of a model, in this order, each step.
class Model {
 public:
  virtual ~Model() = default;
  virtual void begin_step(const StepView&) {}
  /// Writes q, k and v of the step's tokens. Returns how attention is to be run.
  virtual LayerOptions before_attention(int layer, const StepView&, const LayerTensors&) = 0;
  /// Reads o (and lse).
  virtual void after_attention(int layer, const StepView&, const LayerTensors&) = 0;
  /// The next token of each chunk that predicts, in order.
  virtual std::vector<TokenId> predict(const StepView&) = 0;
};

/// Host time of one step, in microseconds; the model's own time is not in it.
struct StepTimes {
  double plan_us = 0;       // schedule, upload and plan
  double weft_plan_us = 0;  // of it, Attention::plan
  double append_us = 0;     // all layers
  double attention_us = 0;  // all layers
  double total_us() const { return plan_us + append_us + attention_us; }
};

/// The config as the engine runs it: causal, its limits those of `limits`. Throws
/// std::invalid_argument.
EngineConfig completed(EngineConfig config);
weft::AppendConfig append_config(const weft::AttentionConfig& attention);

/// Not thread-safe. On a GPU `memory` hands out that device's memory, and the model's tensors lie
/// there; nothing else differs.
class Engine {
 public:
  Engine(const EngineConfig& config, Memory& memory,
         const weft::Target& target = weft::Target::host(), const weft::Executor& executor = {})
      : Engine(Tag{}, completed(config), memory, target, executor) {}
  Engine(const EngineConfig& config, Memory& memory, const weft::CudaBackend& cuda,
         const weft::Executor& executor = {})
      : Engine(Tag{}, completed(config), memory, cuda, executor) {}

  void add(Request request) { scheduler_.add(std::move(request)); }
  bool idle() const { return scheduler_.idle(); }
  /// One step for one model; returns the sequences that it finished. REQUIRES: not idle.
  std::vector<std::unique_ptr<Sequence>> step(Model& model);

  const EngineConfig& config() const { return config_; }
  const weft::Attention& attention() const { return attention_; }
  const weft::AttentionPlan& plan() const { return plan_; }
  const StepTimes& times() const { return times_; }  // of the latest step
  const PagePool& pool() const { return pool_; }
  Scheduler& scheduler() { return scheduler_; }
  const Scheduler& scheduler() const { return scheduler_; }
  void set_executor(const weft::Executor& executor) { executor_ = executor; }

 private:
  struct Tag {};
  template <class Where>
  Engine(Tag, const EngineConfig& config, Memory& memory, const Where& where,
         const weft::Executor& executor)
      : Engine(config, memory, weft::Attention(config.attention, where),
               weft::Append(append_config(config.attention), where), executor) {}
  Engine(const EngineConfig& config, Memory& memory, weft::Attention attention, weft::Append append,
         const weft::Executor& executor);

  struct KvCache {
    Buffer k, v;
  };
  /// An i32 array with a host copy that is filled and a device copy that is read.
  struct IndexArray {
    std::vector<int32_t> host;
    Buffer device;
  };

  void build_arrays(const Step& step);
  IndexArray make_index_array(int64_t capacity);
  weft::TensorView upload(IndexArray& array);
  void run_layer(int layer, Model& model, const StepView& view);

  EngineConfig config_;
  Memory& memory_;
  weft::Executor executor_;
  PagePool pool_;
  Scheduler scheduler_;
  weft::Attention attention_;
  weft::Append append_;
  weft::AttentionPlan plan_;
  std::vector<KvCache> caches_;  // one per layer
  Buffer q_, k_, v_, o_, lse_;
  IndexArray qo_indptr_, kv_indptr_, kv_indices_, last_page_len_, batch_indices_, positions_;
  weft::AttentionBatch batch_;
  weft::AppendArgs append_args_;
  std::vector<TokenId> tokens_;
  StepTimes times_;
};

}  // namespace engine
