// SPDX-License-Identifier: Apache-2.0
// See decode.h.
#include "bench/gpu/decode.h"

#include <cmath>
#include <map>
#include <sstream>
#include <stdexcept>

#include "src/cuda/planner.h"
#include "src/ops/attention/plan.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"

namespace weft::bench {
namespace {

void apply(const Tuning& tuning, AttentionMmaSpec& kernel, ScheduleSpec& schedule) {
  const std::map<std::string, int32_t*> fields = {
      {"num_stages", &kernel.num_stages},   {"num_warps", &kernel.num_warps},
      {"ctas_per_sm", &kernel.ctas_per_sm}, {"qo_tile", &kernel.qo_tile},
      {"head_lanes", &schedule.head_lanes}, {"num_groups", &schedule.num_groups},
      {"min_blocks", &schedule.min_blocks}, {"spare_groups", &schedule.spare_groups},
      {"fixed", &schedule.cost.fixed},      {"per_block", &schedule.cost.per_block},
      {"kv_tile", &schedule.kv_tile}};
  std::istringstream words(tuning);
  for (std::string word; std::getline(words, word, ',');) {
    const size_t equals = word.find('=');
    const auto field = fields.find(word.substr(0, equals));
    if (equals == std::string::npos || field == fields.end()) {
      throw std::runtime_error("tuning: expected field=value of a known field, got " + word);
    }
    *field->second = std::stoi(word.substr(equals + 1));
  }
}

// qo_indptr, kv_indptr and last_page_len, one after the other.
std::vector<int32_t> indptrs_of(const Case& c) {
  std::vector<int32_t> qo{0}, kv{0}, last;
  const int page = c.config.page_size;
  for (size_t r = 0; r < c.kv_lens.size(); ++r) {
    qo.push_back(qo.back() + c.qo_lens[r]);
    kv.push_back(kv.back() + ceil_div(c.kv_lens[r], page));
    last.push_back((c.kv_lens[r] - 1) % page + 1);
  }
  qo.insert(qo.end(), kv.begin(), kv.end());
  qo.insert(qo.end(), last.begin(), last.end());
  return qo;
}

}  // namespace

Decode::Decode(const CudaBackend& backend, const Case& c, const int32_t* pages,
               const Tuning& tuning)
    : backend_(backend),
      indptrs_(backend.state().device, indptrs_of(c)),
      batch_size_(static_cast<int>(c.kv_lens.size())) {
  const Target& target = backend.target();
  const AttentionConfig config = checked_config(c.config);
  spec_ = select_attention_cuda(config, target);
  kernel_spec_ = mma_spec(spec_, target);
  ScheduleSpec& s = spec_.schedule;
  const ScheduleSpec chosen = s;
  apply(tuning, kernel_spec_, s);
  s.qo_tile = kernel_spec_.qo_tile;
  s.heads_per_lane = config.num_kv_heads / s.head_lanes;
  if (s.num_groups == chosen.num_groups) {
    s.num_groups = target.num_sms * kernel_spec_.ctas_per_sm / s.head_lanes;
  }
  kernel_ = &backend.state().kernel(kernel_spec_);
  planner_ =
      &backend.state().kernel(select_planner(s, config.max_batch_size, config.max_nnz_qo, target));
  lay_out(c, pages);
}

void Decode::lay_out(const Case& c, const int32_t* pages) {
  Arena arena;
  const AttentionLayout layout = attention_layout(checked_config(c.config), spec_, arena);
  const auto result = arena.take<PlanResult>(1);
  workspace_ = std::make_unique<Array<char>>(backend_.state().device, arena.bytes());
  char* base = workspace_->data();
  const AttentionConfig& config = c.config;
  const int batch = batch_size_;
  AttentionParams& p = params_;
  p.q_stride_head = p.o_stride_head = config.head_dim_qk;
  p.q_stride_token = p.o_stride_token = int64_t{config.num_qo_heads} * config.head_dim_qk;
  p.k_stride_head = p.v_stride_head = config.head_dim_qk;
  p.k_stride_token = p.v_stride_token = int64_t{config.num_kv_heads} * config.head_dim_qk;
  p.k_stride_page = p.v_stride_page = p.k_stride_token * config.page_size;
  p.lengths = {indptrs_.data(), indptrs_.data() + batch + 1, indptrs_.data() + 2 * (batch + 1),
               config.page_size};
  p.kv_indices = pages;
  p.sm_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim_qk));
  p.k_scale = p.v_scale = p.lse_scale = 1.0f;
  p.window_left = -1;
  p.work_indptr = layout.work_indptr.in(base);
  p.items = layout.items.in(base);
  p.merges = layout.merges.in(base);
  p.merge_arrivals = layout.merge_arrivals.in(base);
  p.partial_o = layout.partial_o.in(base);
  p.partial_m = layout.partial_m.in(base);
  p.partial_d = layout.partial_d.in(base);
  p.partial_rows = layout.partial_rows;
  plan_result_ = result.in(base);
}

void Decode::enqueue_plan(void* stream) const {
  PlanParams p{};
  p.lengths = params_.lengths;
  p.work_indptr = const_cast<int32_t*>(params_.work_indptr);
  p.items = const_cast<WorkItem*>(params_.items);
  p.merges = const_cast<MergeItem*>(params_.merges);
  p.merge_arrivals = params_.merge_arrivals;
  p.result = static_cast<PlanResult*>(plan_result_);
  p.batch_size = batch_size_;
  launch_planner(backend_.state().device, *planner_, stream, p);
}

void Decode::enqueue(const void* q, const void* k, const void* v, void* o, void* stream) const {
  AttentionParams p = params_;
  p.q = q;
  p.k = k;
  p.v = v;
  p.o = o;
  const LaunchShape shape{.num_ctas = spec_.schedule.num_workers(), .overlaps_previous = true};
  launch(backend_.state().device, *kernel_, shape, stream, mma_params(spec_, p));
}

std::string Decode::describe() const {
  const ScheduleSpec& s = spec_.schedule;
  return std::to_string(s.num_groups) + "x" + std::to_string(s.head_lanes) + " workers, " +
         std::to_string(kernel_spec_.ctas_per_sm) + " CTAs/SM x " +
         std::to_string(kernel_spec_.num_warps) + " warps x " +
         std::to_string(kernel_spec_.num_stages) + " stages, " +
         std::to_string(kernel_->ctas_per_sm) + " fit";
}

}  // namespace weft::bench
