// SPDX-License-Identifier: Apache-2.0
// See convert.h.
#include "tests/capi/convert.h"

namespace weft::capi_test {

const weft_tensor* Tensors::add(const TensorView& view) {
  if (!view.given()) return nullptr;
  Entry& e = entries_.emplace_back();
  e.shape = view.shape;
  e.strides = view.strides;
  e.tensor.data = view.data;
  e.tensor.device.device_type =
      view.device.type == DeviceType::cuda ? WEFT_DEVICE_CUDA : WEFT_DEVICE_CPU;
  e.tensor.device.device_id = view.device.index;
  e.tensor.ndim = view.ndim;
  e.tensor.dtype = weft_dtype_to_dlpack(static_cast<int32_t>(view.dtype));
  e.tensor.shape = e.shape.data();
  e.tensor.strides = e.strides.data();
  e.tensor.byte_offset = 0;
  return &e.tensor;
}

weft_target to_c(const Target& target) {
  weft_target c;
  weft_target_init(&c, sizeof(c));
  c.device_type = target.device == DeviceType::cuda ? WEFT_DEVICE_CUDA : WEFT_DEVICE_CPU;
  c.device_index = target.device_index;
  c.isa = static_cast<int32_t>(target.isa);
  c.fast_bf16 = target.fast_bf16;
  c.num_threads = target.num_threads;
  c.arch = target.arch;
  c.num_sms = target.num_sms;
  c.smem_per_sm = target.smem_per_sm;
  c.num_workers = target.num_workers;
  c.l2_bytes = target.l2_bytes;
  return c;
}

weft_rope_form to_c(const Rope& rope) {
  weft_rope_form c;
  weft_rope_form_init(&c, sizeof(c));
  c.mode = static_cast<int32_t>(rope.mode);
  c.dim = rope.dim;
  c.theta = rope.theta;
  c.scale = rope.scale;
  c.llama31 = rope.llama31;
  c.low_freq_factor = rope.low_freq_factor;
  c.high_freq_factor = rope.high_freq_factor;
  c.old_context_len = rope.old_context_len;
  return c;
}

weft_attention_config to_c(const AttentionConfig& config, weft_rope_form& form) {
  form = to_c(config.rope);
  weft_attention_config c;
  weft_attention_config_init(&c, sizeof(c));
  c.dtype_q = static_cast<int32_t>(config.dtype_q);
  c.dtype_kv = static_cast<int32_t>(config.dtype_kv);
  c.dtype_o = static_cast<int32_t>(config.dtype_o);
  c.num_qo_heads = config.num_qo_heads;
  c.num_kv_heads = config.num_kv_heads;
  c.head_dim_qk = config.head_dim_qk;
  c.head_dim_vo = config.head_dim_vo;
  c.page_size = config.page_size;
  c.kv_layout = static_cast<int32_t>(config.kv_layout);
  c.mask = static_cast<int32_t>(config.mask);
  c.schedule = static_cast<int32_t>(config.schedule);
  c.split_kv = config.split_kv;
  c.window_left = config.window_left;
  c.checked = config.checked;
  c.max_batch_size = config.max_batch_size;
  c.max_nnz_qo = config.max_nnz_qo;
  c.rope = &form;
  return c;
}

weft_attention_batch to_c(const AttentionBatch& batch, Tensors& tensors) {
  weft_attention_batch c;
  weft_attention_batch_init(&c, sizeof(c));
  c.qo_indptr = tensors.add(batch.qo_indptr);
  c.kv_indptr = tensors.add(batch.kv_indptr);
  c.kv_indices = tensors.add(batch.kv_indices);
  c.last_page_len = tensors.add(batch.last_page_len);
  return c;
}

weft_attention_args to_c(const AttentionArgs& args, Tensors& tensors) {
  weft_attention_args c;
  weft_attention_args_init(&c, sizeof(c));
  c.window_left = args.window_left;
  c.logits_soft_cap = args.logits_soft_cap;
  c.k_scale = args.k_scale;
  c.v_scale = args.v_scale;
  c.lse_base2 = args.lse_base2;
  c.sm_scale = args.sm_scale ? &*args.sm_scale : nullptr;
  c.q = tensors.add(args.q);
  c.k = tensors.add(args.k);
  c.v = tensors.add(args.v);
  c.o = tensors.add(args.o);
  c.lse = tensors.add(args.lse);
  c.k_scales = tensors.add(args.k_scales);
  c.v_scales = tensors.add(args.v_scales);
  c.sink = tensors.add(args.sink);
  c.alibi_slopes = tensors.add(args.alibi_slopes);
  c.custom_mask = tensors.add(args.custom_mask);
  c.mask_indptr = tensors.add(args.mask_indptr);
  return c;
}

weft_append_config to_c(const AppendConfig& config, weft_rope_form& form) {
  form = to_c(config.rope);
  weft_append_config c;
  weft_append_config_init(&c, sizeof(c));
  c.dtype = static_cast<int32_t>(config.dtype);
  c.dtype_kv = static_cast<int32_t>(config.dtype_kv);
  c.num_kv_heads = config.num_kv_heads;
  c.num_qo_heads = config.num_qo_heads;
  c.head_dim_qk = config.head_dim_qk;
  c.head_dim_vo = config.head_dim_vo;
  c.page_size = config.page_size;
  c.kv_layout = static_cast<int32_t>(config.kv_layout);
  c.checked = config.checked;
  c.rope = &form;
  c.qk_norm = config.qk_norm;
  c.norm_eps = config.norm_eps;
  c.norm_weight_offset = config.norm_weight_offset;
  c.dtype_q_out = static_cast<int32_t>(config.dtype_q_out);
  return c;
}

weft_append_args to_c(const AppendArgs& args, Tensors& tensors) {
  weft_append_args c;
  weft_append_args_init(&c, sizeof(c));
  c.k_scale = args.k_scale;
  c.v_scale = args.v_scale;
  c.k = tensors.add(args.k);
  c.v = tensors.add(args.v);
  c.batch_indices = tensors.add(args.batch_indices);
  c.positions = tensors.add(args.positions);
  c.kv_indptr = tensors.add(args.kv_indptr);
  c.kv_indices = tensors.add(args.kv_indices);
  c.k_cache = tensors.add(args.k_cache);
  c.v_cache = tensors.add(args.v_cache);
  c.k_scales = tensors.add(args.k_scales);
  c.v_scales = tensors.add(args.v_scales);
  c.q = tensors.add(args.q);
  c.q_out = tensors.add(args.q_out);
  c.rope_positions = tensors.add(args.rope_positions);
  c.cos_sin_cache = tensors.add(args.cos_sin_cache);
  c.k_weight = tensors.add(args.k_weight);
  c.q_weight = tensors.add(args.q_weight);
  c.q_scale = args.q_scale;
  return c;
}

weft_packbits_args to_c(const PackBitsArgs& args, Tensors& tensors) {
  weft_packbits_args c;
  weft_packbits_args_init(&c, sizeof(c));
  c.x = tensors.add(args.x);
  c.indptr = tensors.add(args.indptr);
  c.out_indptr = tensors.add(args.out_indptr);
  c.out = tensors.add(args.out);
  return c;
}

weft_norm_config to_c(const NormConfig& config) {
  weft_norm_config c;
  weft_norm_config_init(&c, sizeof(c));
  c.dtype = static_cast<int32_t>(config.dtype);
  c.dtype_out = static_cast<int32_t>(config.dtype_out);
  c.dtype_weight = static_cast<int32_t>(config.dtype_weight);
  c.hidden = config.hidden;
  c.num_heads = config.num_heads;
  c.kind = static_cast<int32_t>(config.kind);
  c.residual = config.residual;
  c.eps = config.eps;
  c.weight_offset = config.weight_offset;
  return c;
}

weft_norm_args to_c(const NormArgs& args, Tensors& tensors) {
  weft_norm_args c;
  weft_norm_args_init(&c, sizeof(c));
  c.scale = args.scale;
  c.x = tensors.add(args.x);
  c.weight = tensors.add(args.weight);
  c.bias = tensors.add(args.bias);
  c.residual = tensors.add(args.residual);
  c.out = tensors.add(args.out);
  c.scales = tensors.add(args.scales);
  return c;
}

weft_activation_config to_c(const ActivationConfig& config) {
  weft_activation_config c;
  weft_activation_config_init(&c, sizeof(c));
  c.dtype = static_cast<int32_t>(config.dtype);
  c.dtype_out = static_cast<int32_t>(config.dtype_out);
  c.kind = static_cast<int32_t>(config.kind);
  c.hidden = config.hidden;
  return c;
}

weft_activation_args to_c(const ActivationArgs& args, Tensors& tensors) {
  weft_activation_args c;
  weft_activation_args_init(&c, sizeof(c));
  c.scale = args.scale;
  c.x = tensors.add(args.x);
  c.out = tensors.add(args.out);
  c.scales = tensors.add(args.scales);
  return c;
}

weft_merge_config to_c(const MergeConfig& config) {
  weft_merge_config c;
  weft_merge_config_init(&c, sizeof(c));
  c.dtype = static_cast<int32_t>(config.dtype);
  c.dtype_o = static_cast<int32_t>(config.dtype_o);
  c.num_heads = config.num_heads;
  c.head_dim = config.head_dim;
  c.lse_base2 = config.lse_base2;
  return c;
}

weft_merge_args to_c(const MergeArgs& args, Tensors& tensors) {
  weft_merge_args c;
  weft_merge_args_init(&c, sizeof(c));
  c.o_in = tensors.add(args.o_in);
  c.lse_in = tensors.add(args.lse_in);
  c.o = tensors.add(args.o);
  c.lse = tensors.add(args.lse);
  return c;
}

weft_merge_pair_args to_c(const MergePairArgs& args, Tensors& tensors) {
  weft_merge_pair_args c;
  weft_merge_pair_args_init(&c, sizeof(c));
  c.o_a = tensors.add(args.o_a);
  c.lse_a = tensors.add(args.lse_a);
  c.o_b = tensors.add(args.o_b);
  c.lse_b = tensors.add(args.lse_b);
  c.o = tensors.add(args.o);
  c.lse = tensors.add(args.lse);
  c.mask = tensors.add(args.mask);
  return c;
}

weft_rope_config to_c(const RopeConfig& config, weft_rope_form& form) {
  form = to_c(config.rope);
  weft_rope_config c;
  weft_rope_config_init(&c, sizeof(c));
  c.dtype = static_cast<int32_t>(config.dtype);
  c.num_qo_heads = config.num_qo_heads;
  c.num_kv_heads = config.num_kv_heads;
  c.head_dim = config.head_dim;
  c.checked = config.checked;
  c.rope = &form;
  return c;
}

weft_rope_args to_c(const RopeArgs& args, Tensors& tensors) {
  weft_rope_args c;
  weft_rope_args_init(&c, sizeof(c));
  c.q = tensors.add(args.q);
  c.k = tensors.add(args.k);
  c.q_out = tensors.add(args.q_out);
  c.k_out = tensors.add(args.k_out);
  c.positions = tensors.add(args.positions);
  c.indptr = tensors.add(args.indptr);
  c.offsets = tensors.add(args.offsets);
  c.cos_sin_cache = tensors.add(args.cos_sin_cache);
  return c;
}

}  // namespace weft::capi_test
