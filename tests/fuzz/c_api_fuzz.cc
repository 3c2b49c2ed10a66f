// SPDX-License-Identifier: Apache-2.0
// Attention through the C ABI: a call that works, a few faults in its structs, tensors and indices,
// then create, plan, run, explain, destroy. Nothing may crash or leave its memory.
#include <cstddef>

#include "tests/fuzz/c_api_world.h"

namespace weft::fuzz {
namespace {

constexpr int64_t kQueries = 4, kQoHeads = 4, kKvHeads = 2, kDim = 16;

class AttentionCall {
 public:
  explicit AttentionCall(Input& in) : in_(in) {
    make_config();
    make_batch();
    make_args();
    break_something();
  }

  void run() {
    weft_attention_t attention = nullptr;
    weft_attention_plan_t plan = nullptr;
    const weft_target* target = read_target(in_, target_);
    checked(weft_attention_create(in_.byte() == 255 ? nullptr : &config_.value, target,
                                  world_.allocator(), &attention));
    size_t bytes = 0;
    checked(weft_attention_workspace_bytes(attention, &bytes));
    read_text([&](char* buffer, size_t capacity, size_t* length) {
      return weft_attention_explain(attention, buffer, capacity, length);
    });
    const weft_tensor* memory = workspace_ != nullptr ? &workspace_->t : nullptr;
    checked(weft_attention_create_plan(attention, memory, &plan));
    for (int i = 0; i < 2; ++i) step(attention, plan);
    checked(weft_attention_plan_destroy(plan));
    checked(weft_attention_destroy(attention));
  }

 private:
  void make_config() {
    weft_attention_config& c = config_.value;
    const int32_t types[] = {WEFT_DTYPE_F32, WEFT_DTYPE_BF16, WEFT_DTYPE_F16};
    c.dtype_q = types[in_.byte() % 3];
    c.dtype_kv = in_.chance() ? types[in_.byte() % 3] : in_.small(WEFT_DTYPE_E4M3, WEFT_DTYPE_E5M2);
    c.num_qo_heads = kQoHeads;
    c.num_kv_heads = kKvHeads;
    c.head_dim_qk = kDim;
    c.page_size = in_.chance() ? 4 : 0;
    c.kv_layout = in_.byte() % 2;
    c.mask = in_.byte() % 4;
    c.schedule = in_.byte() % 2;
    c.checked = 1;
    c.max_batch_size = 3;
    c.max_nnz_qo = kQueries + in_.small(0, 3);
    if (in_.chance()) {
      form_.value.mode = in_.small(0, 2);
      form_.value.llama31 = in_.byte() % 2;
      c.rope = &form_.value;
    }
  }

  void make_batch() {
    weft_attention_batch& b = batch_.value;
    const bool paged = config_.value.page_size > 0;
    b.qo_indptr = &world_.ints({0, 3, 4})->t;
    b.kv_indptr = paged ? &world_.ints({0, 2, 3})->t : &world_.ints({0, 5, 9})->t;
    if (paged) b.kv_indices = &world_.ints({3, 0, 1})->t;
    if (paged) b.last_page_len = &world_.ints({2, 4})->t;
  }

  Tensor* cache() {
    const weft_attention_config& c = config_.value;
    const bool nhd = c.kv_layout == WEFT_KV_LAYOUT_NHD;
    if (c.page_size == 0) {
      return nhd ? world_.tensor(c.dtype_kv, {9, kKvHeads, kDim})
                 : world_.tensor(c.dtype_kv, {kKvHeads, 9, kDim});
    }
    return nhd ? world_.tensor(c.dtype_kv, {4, 4, kKvHeads, kDim})
               : world_.tensor(c.dtype_kv, {4, kKvHeads, 4, kDim});
  }

  const weft_tensor* floats(int64_t n) {
    return in_.chance() ? &world_.tensor(WEFT_DTYPE_F32, {n})->t : nullptr;
  }

  void make_args() {
    const weft_attention_config& c = config_.value;
    weft_attention_args& a = args_.value;
    a.q = &world_.tensor(c.dtype_q, {kQueries, kQoHeads, kDim})->t;
    a.k = &cache()->t;
    a.v = &cache()->t;
    a.o = &world_.tensor(c.dtype_q, {kQueries, kQoHeads, kDim}, 64)->t;
    if (in_.chance()) a.lse = &world_.tensor(WEFT_DTYPE_F32, {kQueries, kQoHeads})->t;
    a.k_scales = floats(kKvHeads);
    a.v_scales = floats(kKvHeads);
    a.sink = floats(kQoHeads);
    a.alibi_slopes = floats(kQoHeads);
    a.window_left = in_.small(-1, 8);
    a.logits_soft_cap = in_.chance() ? 3.0f : 0.0f;
    if (in_.chance()) a.sm_scale = &sm_scale_;
    if (c.mask >= WEFT_MASK_CUSTOM) {
      a.custom_mask = &world_.tensor(WEFT_DTYPE_U8, {8})->t;
      a.mask_indptr = &world_.ints({0, 4, 8})->t;
    }
    if (in_.byte() < 8) workspace_ = world_.tensor(WEFT_DTYPE_U8, {1 << 12});
  }

  void break_something() {
    for (int n = in_.small(-2, 4); n > 0; --n) {
      const uint8_t what = in_.byte();
      if (what < 16) {
        config_.mutate(in_, offsetof(weft_attention_config, rope));
      } else if (what < 32) {
        form_.mutate(in_, sizeof(weft_rope_form));
      } else if (what < 40) {
        batch_.mutate(in_, offsetof(weft_attention_batch, qo_indptr));
      } else if (what < 72) {
        args_.mutate(in_, offsetof(weft_attention_args, sm_scale));
      } else if (what < 80) {
        drop_tensor();
      } else {
        world_.mutate_tensor(in_, true);
      }
    }
    if (in_.byte() < 16) world_.executor().num_threads = static_cast<int32_t>(in_.edgy());
    world_.settle();
  }

  void drop_tensor() {
    const weft_tensor** const slots[] = {&batch_.value.qo_indptr,  &batch_.value.kv_indptr,
                                         &batch_.value.kv_indices, &args_.value.q,
                                         &args_.value.k,           &args_.value.v,
                                         &args_.value.o,           &args_.value.custom_mask,
                                         &args_.value.mask_indptr, &batch_.value.last_page_len};
    *slots[in_.byte() % 10] = nullptr;
  }

  /// Unchecked page ids are the caller's word: only a checked config may run here.
  bool is_checked() const {
    constexpr size_t kEnd = offsetof(weft_attention_config, checked) + sizeof(int32_t);
    return config_.value.struct_size >= kEnd && config_.value.checked == 1;
  }

  void step(weft_attention_t attention, weft_attention_plan_t plan) {
    const weft_executor* executor = in_.byte() < 240 ? &world_.executor() : nullptr;
    const weft_status planned =
        checked(weft_attention_plan(attention, &batch_.value, plan, executor));
    if (is_checked()) {
      checked_run(world_,
                  [&] { return weft_attention_run(attention, plan, &args_.value, executor); });
    }
    if (planned != WEFT_STATUS_OK) return;
    weft_attention_plan_info info;
    weft_attention_plan_info_init(&info, sizeof(info));
    require(weft_attention_plan_get_info(plan, &info) == WEFT_STATUS_OK, "info of a plan");
    require(info.num_items >= 0 && info.balance >= 1.0 - 1e-9, "sane info");
    read_text([&](char* buffer, size_t capacity, size_t* length) {
      return weft_attention_plan_explain_json(plan, buffer, capacity, length);
    });
    read_text([&](char* buffer, size_t capacity, size_t* length) {
      return weft_attention_plan_explain(plan, buffer, capacity, length);
    });
  }

  Input& in_;
  World world_;
  Roomy<weft_attention_config> config_{weft_attention_config_init};
  Roomy<weft_attention_batch> batch_{weft_attention_batch_init};
  Roomy<weft_attention_args> args_{weft_attention_args_init};
  Roomy<weft_rope_form> form_{weft_rope_form_init};
  Roomy<weft_target> target_{weft_target_init};
  Tensor* workspace_ = nullptr;
  float sm_scale_ = 0.25f;
};

}  // namespace
}  // namespace weft::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weft::fuzz::Input in(data, size);
  weft::fuzz::AttentionCall(in).run();
  return 0;
}
