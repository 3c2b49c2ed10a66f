// SPDX-License-Identifier: Apache-2.0
// The public Attention and AttentionPlan: prepare, plan, run. Each verb checks, then hands over to
// the device's backend; nothing is decided here.
#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/check.h"
#include "src/cpu/isa.h"
#include "src/ops/attention/explain.h"
#include "src/ops/attention/plan.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "weft/cuda.h"

namespace weft {

using detail::AttentionImpl;
using detail::AttentionPlanImpl;

namespace {

const AttentionPlanImpl& planned(const AttentionPlan& plan) {
  if (plan.impl() == nullptr) {
    fail(ErrorKind::invalid_argument, "plan", "a plan made by create_plan", "an empty one");
  }
  return *plan.impl();
}

void check_same_origin(const AttentionImpl& attention, const AttentionPlanImpl& plan) {
  if (attention.spec == plan.spec && attention.config == plan.config &&
      attention.target == plan.target) {
    return;
  }
  fail(ErrorKind::invalid_argument, "plan", "a plan of an Attention with the same config",
       "one of " + to_string(plan.config));
}

std::vector<PlanLists> lists_of(const AttentionPlanImpl& plan) {
  return plan.planned ? plan.backend->lists(plan) : std::vector<PlanLists>{};
}

int64_t stride_of(const TensorView& t, int dim) { return t.strides[dim]; }

}  // namespace

AttentionParams bind_attention(const AttentionPlanImpl& plan, const AttentionArgs& args) {
  const bool nhd = plan.spec.kv_layout == KvLayout::nhd;
  const int token = plan.lengths.page_size > 0 ? (nhd ? 1 : 2) : (nhd ? 0 : 1);
  const int head = plan.lengths.page_size > 0 ? (nhd ? 2 : 1) : (nhd ? 1 : 0);
  const auto optional = [](const TensorView& t) { return static_cast<const float*>(t.data); };
  constexpr float kLog2E = 1.44269504088896340736f;

  AttentionParams p{};
  p.q = args.q.data;
  p.k = args.k.data;
  p.v = args.v.data;
  p.o = args.o.data;
  p.lse = static_cast<float*>(args.lse.data);
  p.q_stride_token = stride_of(args.q, 0), p.q_stride_head = stride_of(args.q, 1);
  p.o_stride_token = stride_of(args.o, 0), p.o_stride_head = stride_of(args.o, 1);
  p.lse_stride_token = stride_of(args.lse, 0), p.lse_stride_head = stride_of(args.lse, 1);
  p.k_stride_page = stride_of(args.k, 0), p.v_stride_page = stride_of(args.v, 0);
  p.k_stride_token = stride_of(args.k, token), p.v_stride_token = stride_of(args.v, token);
  p.k_stride_head = stride_of(args.k, head), p.v_stride_head = stride_of(args.v, head);
  p.lengths = plan.lengths;
  p.kv_indices = plan.kv_indices;
  p.sm_scale =
      args.sm_scale ? *args.sm_scale : 1.0f / std::sqrt(static_cast<float>(plan.spec.head_dim_qk));
  p.logits_soft_cap = args.logits_soft_cap;
  p.k_scale = args.k_scale;
  p.v_scale = args.v_scale;
  p.window_left = args.window_left;
  p.k_scales = optional(args.k_scales);
  p.v_scales = optional(args.v_scales);
  p.sink = optional(args.sink);
  p.alibi_slopes = optional(args.alibi_slopes);
  p.custom_mask = static_cast<const uint8_t*>(args.custom_mask.data);
  p.mask_indptr = static_cast<const int32_t*>(args.mask_indptr.data);
  p.lse_scale = args.lse_base2 ? kLog2E : 1.0f;
  bind_list(plan.layout, plan.base, p);
  return p;
}

void bind_list(const AttentionLayout& layout, char* base, AttentionParams& p) {
  p.work_indptr = layout.work_indptr.in(base);
  p.items = layout.items.in(base);
  p.merges = layout.merges.in(base);
  p.merge_arrivals = layout.merge_arrivals.in(base);
  p.partial_o = layout.partial_o.in(base);
  p.partial_m = layout.partial_m.in(base);
  p.partial_d = layout.partial_d.in(base);
  p.partial_rows = layout.partial_rows;
}

AttentionPlan::AttentionPlan() = default;
AttentionPlan::~AttentionPlan() = default;
AttentionPlan::AttentionPlan(AttentionPlan&&) noexcept = default;
AttentionPlan& AttentionPlan::operator=(AttentionPlan&&) noexcept = default;

int AttentionPlan::batch_size() const { return planned(*this).batch_size; }
int AttentionPlan::num_workers() const { return planned(*this).spec.schedule.num_workers(); }

int AttentionPlan::num_items() const {
  int count = 0;
  for (const PlanLists& list : lists_of(planned(*this))) count += list.summary.num_items;
  return count;
}

int AttentionPlan::num_merges() const {
  int count = 0;
  for (const PlanLists& list : lists_of(planned(*this))) count += list.summary.num_merges;
  return count;
}

double AttentionPlan::balance() const {
  double worst = 1.0;
  for (const PlanLists& list : lists_of(planned(*this))) {
    worst = std::max(worst, plan_balance(list.schedule, list.lengths, list.summary,
                                         list.work_indptr, list.items));
  }
  return worst;
}

std::string AttentionPlan::explain() const { return explain_plan(planned(*this)); }
std::string AttentionPlan::explain_json() const { return explain_plan_json(planned(*this)); }

std::string AttentionPlan::status() const {
  const AttentionPlanImpl& plan = planned(*this);
  return plan.planned ? plan.backend->status(plan) : std::string();
}

Attention::Attention(const AttentionConfig& config, const Target& target)
    : impl_(std::make_unique<AttentionImpl>()) {
  impl_->config = checked_config(config);
  impl_->target = target;
  impl_->spec = select_attention(impl_->config, target);
  if (target.isa > usable_isa()) {
    fail(ErrorKind::unsupported, "target.isa", std::string("at most ") + name_of(usable_isa()),
         name_of(target.isa));
  }
  Arena arena;
  impl_->layout = attention_layout(impl_->config, impl_->spec, arena);
  impl_->backend = make_attention_cpu(impl_->spec, target, arena);
  impl_->layout.bytes = arena.bytes();
}

Attention::Attention(const AttentionConfig& config, const CudaBackend& cuda)
    : impl_(std::make_unique<AttentionImpl>()) {
  impl_->config = checked_config(config);
  impl_->target = cuda.target();
  impl_->spec = select_attention_cuda(impl_->config, impl_->target);
  Arena arena;
  impl_->layout = attention_layout(impl_->config, impl_->spec, arena);
  impl_->backend = make_attention_cuda(impl_->config, impl_->spec, impl_->layout, cuda, arena);
  impl_->layout.bytes = arena.bytes();
}

Attention::~Attention() = default;
Attention::Attention(Attention&&) noexcept = default;
Attention& Attention::operator=(Attention&&) noexcept = default;

const AttentionConfig& Attention::config() const { return alive("attention", impl_).config; }
const Target& Attention::target() const { return alive("attention", impl_).target; }
size_t Attention::workspace_bytes() const { return alive("attention", impl_).layout.bytes; }

std::string Attention::explain() const {
  const AttentionImpl& impl = alive("attention", impl_);
  return to_string(impl.config) + "\n" + explain_selection(impl.config, impl.target, impl.spec) +
         "workspace: " + std::to_string(impl.layout.bytes) + " bytes\n";
}

AttentionPlan Attention::create_plan(TensorView workspace) const {
  AttentionPlan plan;
  const size_t bytes = alive("attention", impl_).layout.bytes;
  plan.impl_ = std::make_unique<AttentionPlanImpl>(AttentionPlanImpl(*impl_));
  if (workspace.given()) {
    check_tensor("workspace", workspace, DType::u8, {at_least(static_cast<int64_t>(bytes))},
                 plan.impl_->device());
    plan.impl_->base = static_cast<char*>(workspace.data);
    if (reinterpret_cast<uintptr_t>(workspace.data) % kWorkspaceAlign != 0) {
      fail(ErrorKind::invalid_argument, "workspace",
           std::to_string(kWorkspaceAlign) + "-byte alignment", "a misaligned pointer");
    }
  } else {
    plan.impl_->owned = impl_->backend->allocate(bytes);
    plan.impl_->base = plan.impl_->owned.get();
  }
  return plan;
}

void Attention::plan(const AttentionBatch& batch, AttentionPlan& plan,
                     const Executor& executor) const {
  check_same_origin(alive("attention", impl_), planned(plan));
  impl_->backend->plan(batch, *plan.impl_, executor);
}

void Attention::run(const AttentionPlan& plan, const AttentionArgs& args,
                    const Executor& executor) const {
  const AttentionPlanImpl& p = planned(plan);
  check_same_origin(alive("attention", impl_), p);
  check_attention_args(p, args);
  impl_->backend->run(p, args, executor);
}

}  // namespace weft
