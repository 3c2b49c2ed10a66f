// SPDX-License-Identifier: Apache-2.0
// The layout of every struct of the C ABI on 64-bit machines, written down: a change of it breaks
// programs already compiled, so it must fail here first. New fields go to the end, with a new row.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "weft/c_activation.h"
#include "weft/c_api.h"
#include "weft/c_cuda.h"
#include "weft/c_logprobs.h"
#include "weft/c_norm.h"
#include "weft/c_packbits.h"
#include "weft/c_sampling.h"

namespace {

static_assert(sizeof(void*) == 8 && sizeof(int) == 4 && sizeof(weft_status) == 4);

struct Field {
  const char* name;
  size_t offset;
  size_t size;
  size_t expected_offset;
};

struct Struct {
  const char* name;
  size_t size;
  size_t expected_size;
  std::vector<Field> fields;
};

#define FIELD(T, field, at) \
  { #field, offsetof(T, field), sizeof(T::field), at }
#define STRUCT(T, bytes) #T, sizeof(T), bytes

const std::vector<Struct>& values_structs() {
  static const std::vector<Struct> table = {
      {STRUCT(weft_device, 8),
       {FIELD(weft_device, device_type, 0), FIELD(weft_device, device_id, 4)}},
      {STRUCT(weft_data_type, 4),
       {FIELD(weft_data_type, code, 0), FIELD(weft_data_type, bits, 1),
        FIELD(weft_data_type, lanes, 2)}},
      {STRUCT(weft_tensor, 48),
       {FIELD(weft_tensor, data, 0), FIELD(weft_tensor, device, 8), FIELD(weft_tensor, ndim, 16),
        FIELD(weft_tensor, dtype, 20), FIELD(weft_tensor, shape, 24),
        FIELD(weft_tensor, strides, 32), FIELD(weft_tensor, byte_offset, 40)}},
      {STRUCT(weft_target, 48),
       {FIELD(weft_target, struct_size, 0), FIELD(weft_target, device_type, 4),
        FIELD(weft_target, device_index, 8), FIELD(weft_target, isa, 12),
        FIELD(weft_target, fast_bf16, 16), FIELD(weft_target, num_threads, 20),
        FIELD(weft_target, arch, 24), FIELD(weft_target, num_sms, 28),
        FIELD(weft_target, smem_per_sm, 32), FIELD(weft_target, num_workers, 36),
        FIELD(weft_target, l2_bytes, 40)}},
      {STRUCT(weft_executor, 32),
       {FIELD(weft_executor, struct_size, 0), FIELD(weft_executor, num_threads, 4),
        FIELD(weft_executor, stream, 8), FIELD(weft_executor, parallel_context, 16),
        FIELD(weft_executor, parallel_for, 24)}},
      {STRUCT(weft_allocator, 32),
       {FIELD(weft_allocator, struct_size, 0), FIELD(weft_allocator, reserved, 4),
        FIELD(weft_allocator, context, 8), FIELD(weft_allocator, allocate, 16),
        FIELD(weft_allocator, deallocate, 24)}},
      {STRUCT(weft_rope_form, 36),
       {FIELD(weft_rope_form, struct_size, 0), FIELD(weft_rope_form, mode, 4),
        FIELD(weft_rope_form, dim, 8), FIELD(weft_rope_form, theta, 12),
        FIELD(weft_rope_form, scale, 16), FIELD(weft_rope_form, llama31, 20),
        FIELD(weft_rope_form, low_freq_factor, 24), FIELD(weft_rope_form, high_freq_factor, 28),
        FIELD(weft_rope_form, old_context_len, 32)}},
  };
  return table;
}

const std::vector<Struct>& attention_structs() {
  static const std::vector<Struct> table = {
      {STRUCT(weft_attention_config, 80),
       {FIELD(weft_attention_config, struct_size, 0), FIELD(weft_attention_config, dtype_q, 4),
        FIELD(weft_attention_config, dtype_kv, 8), FIELD(weft_attention_config, dtype_o, 12),
        FIELD(weft_attention_config, num_qo_heads, 16),
        FIELD(weft_attention_config, num_kv_heads, 20),
        FIELD(weft_attention_config, head_dim_qk, 24),
        FIELD(weft_attention_config, head_dim_vo, 28), FIELD(weft_attention_config, page_size, 32),
        FIELD(weft_attention_config, kv_layout, 36), FIELD(weft_attention_config, mask, 40),
        FIELD(weft_attention_config, schedule, 44), FIELD(weft_attention_config, split_kv, 48),
        FIELD(weft_attention_config, window_left, 52), FIELD(weft_attention_config, checked, 56),
        FIELD(weft_attention_config, max_batch_size, 60),
        FIELD(weft_attention_config, max_nnz_qo, 64), FIELD(weft_attention_config, reserved, 68),
        FIELD(weft_attention_config, rope, 72)}},
      {STRUCT(weft_attention_batch, 40),
       {FIELD(weft_attention_batch, struct_size, 0), FIELD(weft_attention_batch, reserved, 4),
        FIELD(weft_attention_batch, qo_indptr, 8), FIELD(weft_attention_batch, kv_indptr, 16),
        FIELD(weft_attention_batch, kv_indices, 24),
        FIELD(weft_attention_batch, last_page_len, 32)}},
      {STRUCT(weft_attention_args, 120),
       {FIELD(weft_attention_args, struct_size, 0), FIELD(weft_attention_args, window_left, 4),
        FIELD(weft_attention_args, logits_soft_cap, 8), FIELD(weft_attention_args, k_scale, 12),
        FIELD(weft_attention_args, v_scale, 16), FIELD(weft_attention_args, lse_base2, 20),
        FIELD(weft_attention_args, sm_scale, 24), FIELD(weft_attention_args, q, 32),
        FIELD(weft_attention_args, k, 40), FIELD(weft_attention_args, v, 48),
        FIELD(weft_attention_args, o, 56), FIELD(weft_attention_args, lse, 64),
        FIELD(weft_attention_args, k_scales, 72), FIELD(weft_attention_args, v_scales, 80),
        FIELD(weft_attention_args, sink, 88), FIELD(weft_attention_args, alibi_slopes, 96),
        FIELD(weft_attention_args, custom_mask, 104),
        FIELD(weft_attention_args, mask_indptr, 112)}},
      {STRUCT(weft_attention_plan_info, 32),
       {FIELD(weft_attention_plan_info, struct_size, 0),
        FIELD(weft_attention_plan_info, batch_size, 4),
        FIELD(weft_attention_plan_info, num_items, 8),
        FIELD(weft_attention_plan_info, num_merges, 12),
        FIELD(weft_attention_plan_info, num_workers, 16),
        FIELD(weft_attention_plan_info, reserved, 20),
        FIELD(weft_attention_plan_info, balance, 24)}},
  };
  return table;
}

const std::vector<Struct>& others_structs() {
  static const std::vector<Struct> table = {
      {STRUCT(weft_append_config, 64),
       {FIELD(weft_append_config, struct_size, 0), FIELD(weft_append_config, dtype, 4),
        FIELD(weft_append_config, dtype_kv, 8), FIELD(weft_append_config, num_kv_heads, 12),
        FIELD(weft_append_config, num_qo_heads, 16), FIELD(weft_append_config, head_dim_qk, 20),
        FIELD(weft_append_config, head_dim_vo, 24), FIELD(weft_append_config, page_size, 28),
        FIELD(weft_append_config, kv_layout, 32), FIELD(weft_append_config, checked, 36),
        FIELD(weft_append_config, rope, 40), FIELD(weft_append_config, qk_norm, 48),
        FIELD(weft_append_config, norm_eps, 52), FIELD(weft_append_config, norm_weight_offset, 56),
        FIELD(weft_append_config, dtype_q_out, 60)}},
      {STRUCT(weft_append_args, 152),
       {FIELD(weft_append_args, struct_size, 0),
        FIELD(weft_append_args, reserved, 4),
        FIELD(weft_append_args, k_scale, 8),
        FIELD(weft_append_args, v_scale, 12),
        FIELD(weft_append_args, k, 16),
        FIELD(weft_append_args, v, 24),
        FIELD(weft_append_args, batch_indices, 32),
        FIELD(weft_append_args, positions, 40),
        FIELD(weft_append_args, kv_indptr, 48),
        FIELD(weft_append_args, kv_indices, 56),
        FIELD(weft_append_args, k_cache, 64),
        FIELD(weft_append_args, v_cache, 72),
        FIELD(weft_append_args, k_scales, 80),
        FIELD(weft_append_args, v_scales, 88),
        FIELD(weft_append_args, q, 96),
        FIELD(weft_append_args, q_out, 104),
        FIELD(weft_append_args, rope_positions, 112),
        FIELD(weft_append_args, cos_sin_cache, 120),
        FIELD(weft_append_args, k_weight, 128),
        FIELD(weft_append_args, q_weight, 136),
        FIELD(weft_append_args, q_scale, 144),
        FIELD(weft_append_args, reserved_1, 148)}},
      {STRUCT(weft_logprobs_config, 20),
       {FIELD(weft_logprobs_config, struct_size, 0), FIELD(weft_logprobs_config, dtype, 4),
        FIELD(weft_logprobs_config, vocab_size, 8), FIELD(weft_logprobs_config, num, 12),
        FIELD(weft_logprobs_config, checked, 16)}},
      {STRUCT(weft_logprobs_args, 128),
       {FIELD(weft_logprobs_args, struct_size, 0), FIELD(weft_logprobs_args, reserved, 4),
        FIELD(weft_logprobs_args, input, 8), FIELD(weft_logprobs_args, indices, 16),
        FIELD(weft_logprobs_args, temperature, 24),
        FIELD(weft_logprobs_args, repetition_penalty, 32),
        FIELD(weft_logprobs_args, frequency_penalty, 40),
        FIELD(weft_logprobs_args, presence_penalty, 48), FIELD(weft_logprobs_args, prompt_mask, 56),
        FIELD(weft_logprobs_args, output_counts, 64), FIELD(weft_logprobs_args, bias, 72),
        FIELD(weft_logprobs_args, allowed, 80), FIELD(weft_logprobs_args, token, 88),
        FIELD(weft_logprobs_args, top_tokens, 96), FIELD(weft_logprobs_args, top_logprobs, 104),
        FIELD(weft_logprobs_args, token_logprob, 112), FIELD(weft_logprobs_args, status, 120)}},
      {STRUCT(weft_packbits_config, 8),
       {FIELD(weft_packbits_config, struct_size, 0), FIELD(weft_packbits_config, order, 4)}},
      {STRUCT(weft_packbits_args, 40),
       {FIELD(weft_packbits_args, struct_size, 0), FIELD(weft_packbits_args, reserved, 4),
        FIELD(weft_packbits_args, x, 8), FIELD(weft_packbits_args, indptr, 16),
        FIELD(weft_packbits_args, out_indptr, 24), FIELD(weft_packbits_args, out, 32)}},
      {STRUCT(weft_norm_config, 40),
       {FIELD(weft_norm_config, struct_size, 0), FIELD(weft_norm_config, dtype, 4),
        FIELD(weft_norm_config, dtype_out, 8), FIELD(weft_norm_config, dtype_weight, 12),
        FIELD(weft_norm_config, hidden, 16), FIELD(weft_norm_config, num_heads, 20),
        FIELD(weft_norm_config, kind, 24), FIELD(weft_norm_config, residual, 28),
        FIELD(weft_norm_config, eps, 32), FIELD(weft_norm_config, weight_offset, 36)}},
      {STRUCT(weft_norm_args, 56),
       {FIELD(weft_norm_args, struct_size, 0), FIELD(weft_norm_args, scale, 4),
        FIELD(weft_norm_args, x, 8), FIELD(weft_norm_args, weight, 16),
        FIELD(weft_norm_args, bias, 24), FIELD(weft_norm_args, residual, 32),
        FIELD(weft_norm_args, out, 40), FIELD(weft_norm_args, scales, 48)}},
      {STRUCT(weft_activation_config, 20),
       {FIELD(weft_activation_config, struct_size, 0), FIELD(weft_activation_config, dtype, 4),
        FIELD(weft_activation_config, dtype_out, 8), FIELD(weft_activation_config, kind, 12),
        FIELD(weft_activation_config, hidden, 16)}},
      {STRUCT(weft_activation_args, 32),
       {FIELD(weft_activation_args, struct_size, 0), FIELD(weft_activation_args, scale, 4),
        FIELD(weft_activation_args, x, 8), FIELD(weft_activation_args, out, 16),
        FIELD(weft_activation_args, scales, 24)}},
      {STRUCT(weft_merge_config, 24),
       {FIELD(weft_merge_config, struct_size, 0), FIELD(weft_merge_config, dtype, 4),
        FIELD(weft_merge_config, dtype_o, 8), FIELD(weft_merge_config, num_heads, 12),
        FIELD(weft_merge_config, head_dim, 16), FIELD(weft_merge_config, lse_base2, 20)}},
      {STRUCT(weft_merge_args, 40),
       {FIELD(weft_merge_args, struct_size, 0), FIELD(weft_merge_args, reserved, 4),
        FIELD(weft_merge_args, o_in, 8), FIELD(weft_merge_args, lse_in, 16),
        FIELD(weft_merge_args, o, 24), FIELD(weft_merge_args, lse, 32)}},
      {STRUCT(weft_merge_pair_args, 64),
       {FIELD(weft_merge_pair_args, struct_size, 0), FIELD(weft_merge_pair_args, reserved, 4),
        FIELD(weft_merge_pair_args, o_a, 8), FIELD(weft_merge_pair_args, lse_a, 16),
        FIELD(weft_merge_pair_args, o_b, 24), FIELD(weft_merge_pair_args, lse_b, 32),
        FIELD(weft_merge_pair_args, o, 40), FIELD(weft_merge_pair_args, lse, 48),
        FIELD(weft_merge_pair_args, mask, 56)}},
      {STRUCT(weft_rope_config, 32),
       {FIELD(weft_rope_config, struct_size, 0), FIELD(weft_rope_config, dtype, 4),
        FIELD(weft_rope_config, num_qo_heads, 8), FIELD(weft_rope_config, num_kv_heads, 12),
        FIELD(weft_rope_config, head_dim, 16), FIELD(weft_rope_config, checked, 20),
        FIELD(weft_rope_config, rope, 24)}},
      {STRUCT(weft_rope_args, 72),
       {FIELD(weft_rope_args, struct_size, 0), FIELD(weft_rope_args, reserved, 4),
        FIELD(weft_rope_args, q, 8), FIELD(weft_rope_args, k, 16), FIELD(weft_rope_args, q_out, 24),
        FIELD(weft_rope_args, k_out, 32), FIELD(weft_rope_args, positions, 40),
        FIELD(weft_rope_args, indptr, 48), FIELD(weft_rope_args, offsets, 56),
        FIELD(weft_rope_args, cos_sin_cache, 64)}},
      {STRUCT(weft_sampling_config, 24),
       {FIELD(weft_sampling_config, struct_size, 0), FIELD(weft_sampling_config, dtype, 4),
        FIELD(weft_sampling_config, vocab_size, 8), FIELD(weft_sampling_config, input, 12),
        FIELD(weft_sampling_config, order, 16), FIELD(weft_sampling_config, checked, 20)}},
      {STRUCT(weft_sampling_args, 152),
       {FIELD(weft_sampling_args, struct_size, 0),
        FIELD(weft_sampling_args, reserved, 4),
        FIELD(weft_sampling_args, input, 8),
        FIELD(weft_sampling_args, indices, 16),
        FIELD(weft_sampling_args, seed, 24),
        FIELD(weft_sampling_args, offset, 32),
        FIELD(weft_sampling_args, temperature, 40),
        FIELD(weft_sampling_args, top_k, 48),
        FIELD(weft_sampling_args, top_p, 56),
        FIELD(weft_sampling_args, min_p, 64),
        FIELD(weft_sampling_args, repetition_penalty, 72),
        FIELD(weft_sampling_args, frequency_penalty, 80),
        FIELD(weft_sampling_args, presence_penalty, 88),
        FIELD(weft_sampling_args, prompt_mask, 96),
        FIELD(weft_sampling_args, output_counts, 104),
        FIELD(weft_sampling_args, bias, 112),
        FIELD(weft_sampling_args, allowed, 120),
        FIELD(weft_sampling_args, token, 128),
        FIELD(weft_sampling_args, logprob, 136),
        FIELD(weft_sampling_args, status, 144)}},
      {STRUCT(weft_filter_args, 72),
       {FIELD(weft_filter_args, struct_size, 0), FIELD(weft_filter_args, reserved, 4),
        FIELD(weft_filter_args, input, 8), FIELD(weft_filter_args, temperature, 16),
        FIELD(weft_filter_args, top_k, 24), FIELD(weft_filter_args, top_p, 32),
        FIELD(weft_filter_args, min_p, 40), FIELD(weft_filter_args, probs, 48),
        FIELD(weft_filter_args, masked, 56), FIELD(weft_filter_args, status, 64)}},
      {STRUCT(weft_topk_config, 28),
       {FIELD(weft_topk_config, struct_size, 0), FIELD(weft_topk_config, dtype, 4),
        FIELD(weft_topk_config, max_len, 8), FIELD(weft_topk_config, k, 12),
        FIELD(weft_topk_config, sorted, 16), FIELD(weft_topk_config, page_size, 20),
        FIELD(weft_topk_config, checked, 24)}},
      {STRUCT(weft_topk_args, 72),
       {FIELD(weft_topk_args, struct_size, 0), FIELD(weft_topk_args, reserved, 4),
        FIELD(weft_topk_args, input, 8), FIELD(weft_topk_args, lengths, 16),
        FIELD(weft_topk_args, row_starts, 24), FIELD(weft_topk_args, page_table, 32),
        FIELD(weft_topk_args, row_to_batch, 40), FIELD(weft_topk_args, offsets, 48),
        FIELD(weft_topk_args, indices, 56), FIELD(weft_topk_args, values, 64)}},
      {STRUCT(weft_verify_config, 20),
       {FIELD(weft_verify_config, struct_size, 0), FIELD(weft_verify_config, dtype, 4),
        FIELD(weft_verify_config, vocab_size, 8), FIELD(weft_verify_config, num_draft, 12),
        FIELD(weft_verify_config, tree, 16)}},
      {STRUCT(weft_verify_args, 96),
       {FIELD(weft_verify_args, struct_size, 0), FIELD(weft_verify_args, reserved, 4),
        FIELD(weft_verify_args, draft_probs, 8), FIELD(weft_verify_args, target_probs, 16),
        FIELD(weft_verify_args, draft_tokens, 24), FIELD(weft_verify_args, first_child, 32),
        FIELD(weft_verify_args, next_sibling, 40), FIELD(weft_verify_args, seed, 48),
        FIELD(weft_verify_args, offset, 56), FIELD(weft_verify_args, tokens, 64),
        FIELD(weft_verify_args, accepted, 72), FIELD(weft_verify_args, emitted, 80),
        FIELD(weft_verify_args, status, 88)}},
      {STRUCT(weft_cuda_options, 40),
       {FIELD(weft_cuda_options, struct_size, 0), FIELD(weft_cuda_options, reserved, 4),
        FIELD(weft_cuda_options, cache_dir, 8), FIELD(weft_cuda_options, bundles, 16),
        FIELD(weft_cuda_options, nvrtc, 24), FIELD(weft_cuda_options, num_bundles, 32),
        FIELD(weft_cuda_options, num_nvrtc, 36)}},
  };
  return table;
}

void check(const std::vector<Struct>& table) {
  for (const Struct& s : table) {
    SCOPED_TRACE(s.name);
    EXPECT_EQ(s.size, s.expected_size);
    size_t end = 0;
    for (const Field& f : s.fields) {
      EXPECT_EQ(f.offset, f.expected_offset) << f.name;
      EXPECT_EQ(f.offset, end) << "padding before " << f.name;
      end = f.offset + f.size;
    }
    EXPECT_EQ(end, s.size) << "padding at the end";
  }
}

TEST(Layout, Values) { check(values_structs()); }
TEST(Layout, Attention) { check(attention_structs()); }
TEST(Layout, OtherOperatorsAndBackends) { check(others_structs()); }

struct EnumRow {
  const char* name;
  int value;
  int expected;
};

#define VALUE(name, expected) \
  { #name, name, expected }

TEST(Layout, EnumValues) {
  const EnumRow rows[] = {
      VALUE(WEFT_STATUS_OK, 0),
      VALUE(WEFT_STATUS_INVALID_ARGUMENT, 1),
      VALUE(WEFT_STATUS_UNSUPPORTED, 2),
      VALUE(WEFT_STATUS_OUT_OF_LIMITS, 3),
      VALUE(WEFT_STATUS_OUT_OF_MEMORY, 4),
      VALUE(WEFT_STATUS_DEVICE, 5),
      VALUE(WEFT_STATUS_INTERNAL, 6),
      VALUE(WEFT_DTYPE_NONE, 0),
      VALUE(WEFT_DTYPE_F32, 1),
      VALUE(WEFT_DTYPE_F16, 2),
      VALUE(WEFT_DTYPE_BF16, 3),
      VALUE(WEFT_DTYPE_E4M3, 4),
      VALUE(WEFT_DTYPE_E5M2, 5),
      VALUE(WEFT_DTYPE_I32, 6),
      VALUE(WEFT_DTYPE_I64, 7),
      VALUE(WEFT_DTYPE_U8, 8),
      VALUE(WEFT_DEVICE_CPU, 1),
      VALUE(WEFT_DEVICE_CUDA, 2),
      VALUE(WEFT_DEVICE_CUDA_HOST, 3),
      VALUE(WEFT_ISA_SCALAR, 0),
      VALUE(WEFT_ISA_AVX2, 1),
      VALUE(WEFT_ISA_AVX512, 2),
      VALUE(WEFT_ISA_AVX512_BF16, 3),
      VALUE(WEFT_ISA_AMX_BF16, 4),
      VALUE(WEFT_KV_LAYOUT_NHD, 0),
      VALUE(WEFT_KV_LAYOUT_HND, 1),
      VALUE(WEFT_MASK_NONE, 0),
      VALUE(WEFT_MASK_CAUSAL, 1),
      VALUE(WEFT_MASK_CUSTOM, 2),
      VALUE(WEFT_MASK_TREE, 3),
      VALUE(WEFT_SCHEDULE_DETERMINISTIC, 0),
      VALUE(WEFT_SCHEDULE_BATCH_INVARIANT, 1),
      VALUE(WEFT_ROPE_NONE, 0),
      VALUE(WEFT_ROPE_NEOX, 1),
      VALUE(WEFT_ROPE_INTERLEAVED, 2),
  };
  for (const EnumRow& row : rows) EXPECT_EQ(row.value, row.expected) << row.name;
  EXPECT_EQ(WEFT_ABI_VERSION, 1);
}

}  // namespace
