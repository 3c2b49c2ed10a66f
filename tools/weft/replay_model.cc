// SPDX-License-Identifier: Apache-2.0
// See replay_model.h.
#include "tools/weft/replay_model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "tools/weft/elements.h"

namespace weft::cli {
namespace {

using Kind = VectorName::Kind;

bool is_window_layer(const ModelShape& model, int layer) {
  return model.window > 0 && layer % model.window_every == 0;
}

int64_t count_nan_of(const void* data, DType dtype, int64_t n) {
  int64_t count = 0;
  if (dtype == DType::f32) {
    const auto* x = static_cast<const uint32_t*>(data);
    for (int64_t i = 0; i < n; ++i) count += (x[i] & 0x7fffffffu) > 0x7f800000u;
    return count;
  }
  const auto* x = static_cast<const uint16_t*>(data);
  const uint16_t infinity = dtype == DType::f16 ? 0x7c00 : 0x7f80;
  for (int64_t i = 0; i < n; ++i) count += (x[i] & 0x7fff) > infinity;
  return count;
}

}  // namespace

ReplayModel::ReplayModel(const ReplayOptions& options, Threads& threads, ReplayResult& result)
    : options_(options),
      threads_(threads),
      result_(result),
      data_(options.dtype, options.dtype_kv, options.model.head_dim, options.seed),
      random_(options.seed) {
  for (int h = 0; options.model.sinks && h < options.num_qo_heads(); ++h) {
    sinks_.push_back(static_cast<float>(h % 5) - 1.0f);
  }
}

void ReplayModel::begin_step(const engine::StepView& view) {
  check_coverage(view);
  samples_.clear();
  const auto pick = [&](int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); };
  for (int i = 0; i < options_.check_rows; ++i) {
    // By request, not by token, so that decodes are seen as often as prefills.
    const int chunk = pick(view.batch_size());
    const int row = view.qo_indptr[chunk] + pick(view.qo_len(chunk));
    samples_.push_back({pick(options_.layers), chunk, row, pick(options_.num_qo_heads())});
  }
}

void ReplayModel::check_coverage(const engine::StepView& view) {
  PlanView plan = view_plan(view.plan->explain_json());
  BatchShape shape;
  shape.num_qo_heads = options_.num_qo_heads();
  shape.num_kv_heads = options_.num_kv_heads();
  for (int i = 0; i < view.batch_size(); ++i) {
    shape.qo_lens.push_back(view.qo_len(i));
    shape.kv_lens.push_back(view.kv_len(i));
  }
  // Behind the step's requests a captured stack has some without tokens.
  const size_t padded = std::max(shape.qo_lens.size(), static_cast<size_t>(plan.batch_size));
  shape.qo_lens.resize(padded, 0);
  shape.kv_lens.resize(padded, 0);
  const std::string wrong = check_plan(plan, shape);
  if (!wrong.empty()) {
    ++result_.plans_failed;
    if (result_.first_failure.empty()) {
      result_.first_failure =
          "plan of step " + std::to_string(result_.steps.size() + 1) + ": " + wrong;
    }
  }
  const int64_t decodes = view.step->num_decodes;
  const int64_t mixed = decodes * (view.num_tokens() - decodes);
  if (mixed > most_mixed_) {
    most_mixed_ = mixed;
    result_.busiest_plan = std::move(plan);
    result_.busiest_qo_lens = shape.qo_lens;
    result_.busiest_step = result_.steps.size();
  }
}

void ReplayModel::fill(Kind kind, int layer, const engine::StepView& view, const TensorView& tensor,
                       int row) {
  const int heads = static_cast<int>(tensor.shape[1]);
  const size_t bytes = tensor.shape[2] * size_of(tensor.dtype);
  char* at = static_cast<char*>(tensor.data) + row * heads * bytes;
  for (int head = 0; head < heads; ++head, at += bytes) {
    std::memcpy(at, data_.vector({kind, layer, head, view.tokens[row], view.positions[row]}),
                bytes);
  }
}

engine::LayerOptions ReplayModel::before_attention(int layer, const engine::StepView& view,
                                                   const engine::LayerTensors& t) {
  constexpr int kRows = 16;  // a task's share: a few dozen KB to write
  const int n = view.num_tokens();
  const size_t row_bytes = t.o.shape[1] * t.o.shape[2] * size_of(t.o.dtype);
  threads_.each((n + kRows - 1) / kRows, [&](int task) {
    const int begin = task * kRows, end = std::min(n, begin + kRows);
    for (int row = begin; row < end; ++row) {
      fill(Kind::q, layer, view, t.q, row);
      fill(Kind::k, layer, view, t.k, row);
      fill(Kind::v, layer, view, t.v, row);
    }
    // All ones is NaN in every format: a row that nobody writes is seen.
    std::memset(static_cast<char*>(t.o.data) + begin * row_bytes, 0xff, (end - begin) * row_bytes);
  });
  engine::LayerOptions options;
  options.logits_soft_cap = options_.model.logits_soft_cap;
  if (is_window_layer(options_.model, layer)) options.window_left = options_.model.window - 1;
  if (!sinks_.empty()) options.sink = TensorView(sinks_.data(), DType::f32, {t.o.shape[1]});
  return options;
}

RowVerdict ReplayModel::check_sample(const Sample& s, const engine::StepView& view,
                                     const engine::LayerTensors& t) const {
  const ModelShape& model = options_.model;
  RowQuestion question;
  question.layer = s.layer;
  question.head = s.head;
  question.kv_head = s.head / (model.num_qo_heads / model.num_kv_heads);
  question.position = view.positions[s.row];
  question.tokens = view.step->chunks[s.chunk].sequence->tokens;
  question.head_dim = model.head_dim;
  question.sm_scale = 1 / std::sqrt(static_cast<double>(model.head_dim));
  question.logits_soft_cap = model.logits_soft_cap;
  if (is_window_layer(model, s.layer)) question.window_left = model.window - 1;
  if (!sinks_.empty()) question.sink = &sinks_[s.head];

  std::vector<double> o(model.head_dim);
  const int64_t row = int64_t{s.row} * t.o.shape[1] + s.head;
  for (int d = 0; d < model.head_dim; ++d) {
    o[d] = read_element(t.o.data, t.o.dtype, row * model.head_dim + d);
  }
  return judge_row(reference_row(data_, question), o, read_element(t.lse.data, t.lse.dtype, row),
                   precision_of(result_.unit, t.o.dtype));
}

int64_t ReplayModel::count_nan(const TensorView& tensor) {
  constexpr int64_t kShare = 1 << 16;
  const int64_t n = tensor.numel();
  std::atomic<int64_t> count{0};
  threads_.each(static_cast<int>((n + kShare - 1) / kShare), [&](int task) {
    const int64_t begin = task * kShare;
    const char* at = static_cast<const char*>(tensor.data) + begin * size_of(tensor.dtype);
    count += count_nan_of(at, tensor.dtype, std::min(kShare, n - begin));
  });
  return count;
}

void ReplayModel::fail_rows(int64_t rows, const std::string& why) {
  result_.rows_failed += rows;
  if (result_.first_failure.empty()) {
    result_.first_failure = "step " + std::to_string(result_.steps.size() + 1) + ", " + why;
  }
}

void ReplayModel::after_attention(int layer, const engine::StepView& view,
                                  const engine::LayerTensors& t) {
  std::vector<Sample> mine;
  for (const Sample& s : samples_) {
    if (s.layer == layer) mine.push_back(s);
  }
  std::vector<RowVerdict> verdicts(mine.size());
  threads_.each(static_cast<int>(mine.size()),
                [&](int i) { verdicts[i] = check_sample(mine[i], view, t); });
  for (size_t i = 0; i < mine.size(); ++i) {
    ++result_.rows_checked;
    result_.max_abs_error = std::max(result_.max_abs_error, verdicts[i].max_abs_error);
    result_.max_error_share = std::max(result_.max_error_share, verdicts[i].max_error_share);
    if (verdicts[i].ok) continue;
    const engine::Chunk& chunk = view.step->chunks[mine[i].chunk];
    fail_rows(1, "layer " + std::to_string(layer) + ", request " +
                     std::to_string(chunk.sequence->request.id) + ", position " +
                     std::to_string(view.positions[mine[i].row]) + ", head " +
                     std::to_string(mine[i].head) + ": error " +
                     std::to_string(verdicts[i].max_abs_error) + " is " +
                     std::to_string(verdicts[i].max_error_share) + " times what is allowed");
  }
  const int64_t nan = options_.check_rows > 0 ? count_nan(t.o) : 0;
  if (nan > 0) {
    fail_rows((nan + t.o.shape[2] - 1) / t.o.shape[2],
              "layer " + std::to_string(layer) + ": " + std::to_string(nan) +
                  " outputs are NaN or were never written");
  }
}

std::vector<engine::TokenId> ReplayModel::predict(const engine::StepView& view) {
  std::vector<engine::TokenId> predicted;
  for (const engine::Chunk& chunk : view.step->chunks) {
    if (!chunk.predicts()) continue;
    // Tokens of their own for each request, apart from those of prompts.
    const uint64_t id = static_cast<uint64_t>(chunk.sequence->request.id) * 0x9e3779b97f4a7c15u;
    const uint64_t token = (id >> 34) + chunk.sequence->tokens.size();
    predicted.push_back(static_cast<engine::TokenId>(0x40000000u | (token & 0x3fffffffu)));
  }
  return predicted;
}

}  // namespace weft::cli
