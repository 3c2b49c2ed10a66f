// SPDX-License-Identifier: Apache-2.0
// The C ABI of attention: structs across, then the C++ calls of the same names.
#include <optional>

#include "src/api/boundary.h"
#include "src/api/c_cuda.h"
#include "src/api/c_handle.h"
#include "src/api/c_struct.h"
#include "src/api/c_values.h"
#include "weft/attention.h"
#include "weft/c_api.h"

using namespace weft;        // NOLINT(google-build-using-namespace): this file is one wall of it
using namespace weft::capi;  // NOLINT(google-build-using-namespace)

struct weft_attention_handle {
  static constexpr const char* kKind = "weft_attention_t";
  HandleHeader header;
  Attention attention;
};

struct weft_attention_plan_handle {
  static constexpr const char* kKind = "weft_attention_plan_t";
  HandleHeader header;
  std::optional<Block> memory;  // before the plan, so that it goes after it
  AttentionPlan plan;
};

namespace {

static_assert(WEFT_KV_LAYOUT_HND == int(KvLayout::hnd) && WEFT_MASK_NONE == int(MaskMode::none) &&
              WEFT_MASK_CAUSAL == int(MaskMode::causal) &&
              WEFT_MASK_CUSTOM == int(MaskMode::custom) && WEFT_MASK_TREE == int(MaskMode::tree));
static_assert(WEFT_SCHEDULE_DETERMINISTIC == int(ScheduleMode::deterministic) &&
              WEFT_SCHEDULE_BATCH_INVARIANT == int(ScheduleMode::batch_invariant));

// Alignment that Attention::create_plan asks of a workspace.
constexpr size_t kWorkspaceAlignment = 64;

weft_attention_config to_c(const AttentionConfig& config) {
  return {.struct_size = sizeof(weft_attention_config),
          .dtype_q = static_cast<int32_t>(config.dtype_q),
          .dtype_kv = static_cast<int32_t>(config.dtype_kv),
          .dtype_o = static_cast<int32_t>(config.dtype_o),
          .num_qo_heads = config.num_qo_heads,
          .num_kv_heads = config.num_kv_heads,
          .head_dim_qk = config.head_dim_qk,
          .head_dim_vo = config.head_dim_vo,
          .page_size = config.page_size,
          .kv_layout = static_cast<int32_t>(config.kv_layout),
          .mask = static_cast<int32_t>(config.mask),
          .schedule = static_cast<int32_t>(config.schedule),
          .split_kv = config.split_kv,
          .window_left = config.window_left,
          .checked = config.checked,
          .max_batch_size = config.max_batch_size,
          .max_nnz_qo = config.max_nnz_qo,
          .reserved = 0,
          .rope = nullptr};
}

AttentionConfig to_config(const weft_attention_config* in) {
  const weft_attention_config c = read_struct("config", in, to_c(AttentionConfig{}));
  check_reserved(c.reserved);
  return {.dtype_q = to_dtype("dtype_q", c.dtype_q),
          .dtype_kv = to_dtype("dtype_kv", c.dtype_kv),
          .dtype_o = to_dtype("dtype_o", c.dtype_o),
          .num_qo_heads = c.num_qo_heads,
          .num_kv_heads = c.num_kv_heads,
          .head_dim_qk = c.head_dim_qk,
          .head_dim_vo = c.head_dim_vo,
          .page_size = c.page_size,
          .kv_layout = to_enum("kv_layout", c.kv_layout, KvLayout::hnd),
          .mask = to_enum("mask", c.mask, MaskMode::tree),
          .rope = to_rope(c.rope),
          .schedule = to_enum("schedule", c.schedule, ScheduleMode::batch_invariant),
          .split_kv = c.split_kv,
          .window_left = c.window_left,
          .checked = to_bool("checked", c.checked),
          .max_batch_size = c.max_batch_size,
          .max_nnz_qo = c.max_nnz_qo};
}

weft_attention_args to_c(const AttentionArgs& args) {
  weft_attention_args c{};
  c.struct_size = sizeof(c);
  c.window_left = args.window_left;
  c.logits_soft_cap = args.logits_soft_cap;
  c.k_scale = args.k_scale;
  c.v_scale = args.v_scale;
  c.lse_base2 = args.lse_base2;
  return c;
}

AttentionArgs to_args(const weft_attention_args* in) {
  const weft_attention_args c = read_struct("args", in, to_c(AttentionArgs{}));
  AttentionArgs args;
  args.q = to_view("q", c.q);
  args.k = to_view("k", c.k);
  args.v = to_view("v", c.v);
  args.o = to_view("o", c.o);
  args.lse = to_view("lse", c.lse);
  if (c.sm_scale != nullptr) args.sm_scale = *c.sm_scale;
  args.logits_soft_cap = c.logits_soft_cap;
  args.window_left = c.window_left;
  args.k_scale = c.k_scale;
  args.v_scale = c.v_scale;
  args.k_scales = to_view("k_scales", c.k_scales);
  args.v_scales = to_view("v_scales", c.v_scales);
  args.sink = to_view("sink", c.sink);
  args.alibi_slopes = to_view("alibi_slopes", c.alibi_slopes);
  args.custom_mask = to_view("custom_mask", c.custom_mask);
  args.mask_indptr = to_view("mask_indptr", c.mask_indptr);
  args.lse_base2 = to_bool("lse_base2", c.lse_base2);
  return args;
}

AttentionBatch to_batch(const weft_attention_batch* in) {
  const weft_attention_batch c = read_struct("batch", in, weft_attention_batch{});
  check_reserved(c.reserved);
  return {.qo_indptr = to_view("qo_indptr", c.qo_indptr),
          .kv_indptr = to_view("kv_indptr", c.kv_indptr),
          .kv_indices = to_view("kv_indices", c.kv_indices),
          .last_page_len = to_view("last_page_len", c.last_page_len)};
}

weft_attention_plan_handle* create_plan(const weft_attention_handle& handle,
                                        const weft_tensor* workspace) {
  using Plan = weft_attention_plan_handle;
  const Attention& attention = handle.attention;
  const Allocator& allocator = handle.header.allocator;
  const Target& target = attention.target();
  if (workspace != nullptr || target.device != DeviceType::cpu) {
    return create_handle<Plan>(allocator, std::nullopt,
                               attention.create_plan(to_view("workspace", workspace)));
  }
  const size_t bytes = attention.workspace_bytes();
  std::optional<Block> memory(std::in_place, allocator, bytes, kWorkspaceAlignment);
  const TensorView view(memory->get(), DType::u8, {static_cast<int64_t>(bytes)},
                        {target.device, target.device_index});
  return create_handle<Plan>(allocator, std::move(memory), attention.create_plan(view));
}

}  // namespace

weft_status weft_attention_config_init(weft_attention_config* config, size_t struct_size) {
  return guard([&] { write_struct("config", config, struct_size, to_c(AttentionConfig{})); });
}

weft_status weft_attention_batch_init(weft_attention_batch* batch, size_t struct_size) {
  return guard([&] { write_struct("batch", batch, struct_size, weft_attention_batch{}); });
}

weft_status weft_attention_args_init(weft_attention_args* args, size_t struct_size) {
  return guard([&] { write_struct("args", args, struct_size, to_c(AttentionArgs{})); });
}

weft_status weft_attention_plan_info_init(weft_attention_plan_info* info, size_t struct_size) {
  return guard([&] { write_struct("info", info, struct_size, weft_attention_plan_info{}); });
}

weft_status weft_attention_create(const weft_attention_config* config, const weft_target* target,
                                  const weft_allocator* allocator, weft_attention_t* attention) {
  return guard([&] {
    create_operator("attention", allocator, attention,
                    [&] { return Attention(to_config(config), to_target(target)); });
  });
}

weft_status weft_attention_create_cuda(const weft_attention_config* config,
                                       weft_cuda_backend_t backend, const weft_allocator* allocator,
                                       weft_attention_t* attention) {
  return guard([&] {
    create_operator("attention", allocator, attention, [&] {
      return Attention(to_config(config), deref("backend", backend).backend);
    });
  });
}

weft_status weft_attention_plan_status(weft_attention_plan_t plan, char* buffer, size_t capacity,
                                       size_t* length) {
  return guard([&] { write_text(deref("plan", plan).plan.status(), buffer, capacity, length); });
}

weft_status weft_attention_destroy(weft_attention_t attention) {
  return guard([&] { destroy_handle("attention", attention); });
}

weft_status weft_attention_workspace_bytes(weft_attention_t attention, size_t* bytes) {
  return guard([&] {
    check_out("bytes", bytes);
    *bytes = deref("attention", attention).attention.workspace_bytes();
  });
}

weft_status weft_attention_explain(weft_attention_t attention, char* buffer, size_t capacity,
                                   size_t* length) {
  return guard([&] {
    write_text(deref("attention", attention).attention.explain(), buffer, capacity, length);
  });
}

weft_status weft_attention_create_plan(weft_attention_t attention, const weft_tensor* workspace,
                                       weft_attention_plan_t* plan) {
  return guard([&] {
    check_out("plan", plan);
    *plan = nullptr;
    *plan = create_plan(deref("attention", attention), workspace);
  });
}

weft_status weft_attention_plan_destroy(weft_attention_plan_t plan) {
  return guard([&] { destroy_handle("plan", plan); });
}

weft_status weft_attention_plan_get_info(weft_attention_plan_t plan,
                                         weft_attention_plan_info* info) {
  return guard([&] {
    const AttentionPlan& p = deref("plan", plan).plan;
    const size_t size = struct_size_of("info", info, sizeof(*info), alignof(decltype(*info)));
    weft_attention_plan_info values{};
    values.batch_size = p.batch_size();
    values.num_items = p.num_items();
    values.num_merges = p.num_merges();
    values.num_workers = p.num_workers();
    values.balance = p.balance();
    write_struct("info", info, size, values);
  });
}

weft_status weft_attention_plan_explain(weft_attention_plan_t plan, char* buffer, size_t capacity,
                                        size_t* length) {
  return guard([&] { write_text(deref("plan", plan).plan.explain(), buffer, capacity, length); });
}

weft_status weft_attention_plan_explain_json(weft_attention_plan_t plan, char* buffer,
                                             size_t capacity, size_t* length) {
  return guard(
      [&] { write_text(deref("plan", plan).plan.explain_json(), buffer, capacity, length); });
}

weft_status weft_attention_plan(weft_attention_t attention, const weft_attention_batch* batch,
                                weft_attention_plan_t plan, const weft_executor* executor) {
  return guard([&] {
    const Attention& a = deref("attention", attention).attention;
    AttentionPlan& p = deref("plan", plan).plan;
    a.plan(to_batch(batch), p, ExecutorHolder(executor).get());
  });
}

weft_status weft_attention_run(weft_attention_t attention, weft_attention_plan_t plan,
                               const weft_attention_args* args, const weft_executor* executor) {
  return guard([&] {
    const Attention& a = deref("attention", attention).attention;
    const AttentionPlan& p = deref("plan", plan).plan;
    a.run(p, to_args(args), ExecutorHolder(executor).get());
  });
}
