# SPDX-License-Identifier: Apache-2.0
# Merging of attention states, and shared prefixes as levels merged.
"""merge_state and the cascade wrappers; every lse is base 2."""
from __future__ import annotations

import torch

import weft
from weft.flashinfer._common import operator
from weft.flashinfer.decode import BatchDecodeWithPagedKVCacheWrapper
from weft.flashinfer.prefill import (BatchPrefillWithPagedKVCacheWrapper,
                                     single_prefill_with_kv_cache)


def _merge(v: torch.Tensor) -> weft.Merge:
    return operator(weft.Merge, weft.MergeConfig, v.device, dtype=v.dtype, num_heads=v.shape[-2],
                    head_dim=v.shape[-1], lse_base2=True)


def _f32(s: torch.Tensor) -> torch.Tensor:
    return s if s.dtype == torch.float32 else s.to(torch.float32)


def merge_state(v_a, s_a, v_b, s_b):
    """(v, s) of the union: v [n, num_heads, head_dim], s f32 [n, num_heads]."""
    return _merge(v_a).run_pair(v_a, _f32(s_a), v_b, _f32(s_b))


def merge_state_in_place(v, s, v_other, s_other, mask=None):
    """The same into v and s; rows whose `mask` is False stay."""
    if s.dtype != torch.float32:
        raise ValueError(f"s: expected float32 to write to, got {s.dtype}")
    given = None if mask is None else mask.to(torch.uint8)
    _merge(v).run_pair(v, s, v_other, _f32(s_other), out=v, lse=s, mask=given)


def merge_states(v, s):
    """v [n, num_states, num_heads, head_dim], s [n, num_states, num_heads] -> (v, s)."""
    return _merge(v).run(v, _f32(s))


class MultiLevelCascadeAttentionWrapper:
    """Levels of a prefix tree, each a paged prefill over its own grouping of the queries; causal
    acts on the last level, where the queries' own tokens are."""

    def __init__(self, num_levels, float_workspace_buffer, kv_layout="NHD", use_cuda_graph=False,
                 qo_indptr_buf_arr=None, paged_kv_indptr_buf_arr=None,
                 paged_kv_indices_buf_arr=None, paged_kv_last_page_len_buf_arr=None):
        self._use_cuda_graph = use_cuda_graph
        arrays = (qo_indptr_buf_arr, paged_kv_indptr_buf_arr, paged_kv_indices_buf_arr,
                  paged_kv_last_page_len_buf_arr)
        self._batch_prefill_wrappers = [
            BatchPrefillWithPagedKVCacheWrapper(
                float_workspace_buffer, kv_layout, use_cuda_graph,
                *(None if array is None else array[i] for array in arrays))
            for i in range(num_levels)]
        self._num_levels, self._kv_layout = num_levels, kv_layout

    @property
    def is_cuda_graph_enabled(self):
        return self._use_cuda_graph

    def reset_workspace_buffer(self, float_workspace_buffer, int_workspace_buffers=None):
        for wrapper in self._batch_prefill_wrappers:
            wrapper.reset_workspace_buffer(float_workspace_buffer)

    def plan(self, qo_indptr_arr, paged_kv_indptr_arr, paged_kv_indices_arr, paged_kv_last_page_len,
             num_qo_heads, num_kv_heads, head_dim, page_size, causal=False,
             pos_encoding_mode="NONE", use_fp16_qk_reduction=False, sm_scale=None, window_left=-1,
             logits_soft_cap=None, rope_scale=None, rope_theta=None, q_data_type="float16",
             kv_data_type=None):
        levels = zip(self._batch_prefill_wrappers, qo_indptr_arr, paged_kv_indptr_arr,
                     paged_kv_indices_arr, paged_kv_last_page_len, strict=True)
        for i, (wrapper, *arrays) in enumerate(levels):
            wrapper.plan(*arrays, num_qo_heads, num_kv_heads, head_dim, page_size,
                         causal=causal and i == self._num_levels - 1,
                         pos_encoding_mode=pos_encoding_mode, sm_scale=sm_scale,
                         window_left=window_left, logits_soft_cap=logits_soft_cap,
                         rope_scale=rope_scale, rope_theta=rope_theta, q_data_type=q_data_type,
                         kv_data_type=kv_data_type)

    begin_forward = plan

    def run(self, q, paged_kv_cache):
        """o [nnz_qo, num_qo_heads, head_dim]."""
        *shared, last = self._batch_prefill_wrappers
        out, lse = last.run(q, paged_kv_cache, return_lse=True)
        for wrapper in shared:
            merge_state_in_place(out, lse, *wrapper.run(q, paged_kv_cache, return_lse=True))
        return out

    forward = run

    def end_forward(self):
        """Deprecated: nothing to do."""


class BatchDecodeWithSharedPrefixPagedKVCacheWrapper:
    """Decode whose requests share one prefix, given as plain k and v."""

    def __init__(self, float_workspace_buffer, kv_layout="NHD"):
        self._batch_decode_wrapper = BatchDecodeWithPagedKVCacheWrapper(float_workspace_buffer,
                                                                        kv_layout)
        self._kv_layout = kv_layout

    def reset_workspace_buffer(self, float_workspace_buffer, int_workspace_buffer=None):
        self._batch_decode_wrapper.reset_workspace_buffer(float_workspace_buffer)

    def begin_forward(self, unique_kv_indptr, unique_kv_indices, unique_kv_last_page_len,
                      num_qo_heads, num_kv_heads, head_dim, page_size, data_type="float16"):
        self._batch_decode_wrapper.plan(unique_kv_indptr, unique_kv_indices,
                                        unique_kv_last_page_len, num_qo_heads, num_kv_heads,
                                        head_dim, page_size, q_data_type=data_type)

    plan = begin_forward

    def forward(self, q, k_shared, v_shared, unique_kv_cache):
        shared = single_prefill_with_kv_cache(q, k_shared, v_shared, causal=False,
                                              kv_layout=self._kv_layout, return_lse=True)
        out, lse = self._batch_decode_wrapper.run(q, unique_kv_cache, return_lse=True)
        merge_state_in_place(out, lse, *shared)
        return out

    run = forward

    def end_forward(self):
        """Deprecated: nothing to do."""


class BatchPrefillWithSharedPrefixPagedKVCacheWrapper:
    """Prefill whose requests share one prefix, given as plain k and v."""

    def __init__(self, float_workspace_buffer, kv_layout="NHD"):
        self._batch_prefill_wrapper = BatchPrefillWithPagedKVCacheWrapper(float_workspace_buffer,
                                                                          kv_layout)
        self._kv_layout = kv_layout

    def reset_workspace_buffer(self, float_workspace_buffer, int_workspace_buffer=None):
        self._batch_prefill_wrapper.reset_workspace_buffer(float_workspace_buffer)

    def begin_forward(self, qo_indptr, paged_kv_indptr, paged_kv_indices, paged_kv_last_page_len,
                      num_qo_heads, num_kv_heads, head_dim, page_size):
        self._arguments = (qo_indptr, paged_kv_indptr, paged_kv_indices, paged_kv_last_page_len,
                           num_qo_heads, num_kv_heads, head_dim, page_size)

    plan = begin_forward

    def forward(self, q, k_shared, v_shared, unique_kv_cache, causal=False,
                use_fp16_qk_reduction=False, sm_scale=None, rope_scale=None, rope_theta=None):
        """Dtype and mask are known here alone, so the batch is planned here."""
        k = unique_kv_cache[0] if isinstance(unique_kv_cache, (tuple, list)) else unique_kv_cache
        self._batch_prefill_wrapper.plan(*self._arguments, causal=causal, sm_scale=sm_scale,
                                         q_data_type=q.dtype, kv_data_type=k.dtype)
        shared = single_prefill_with_kv_cache(q, k_shared, v_shared, causal=False,
                                              kv_layout=self._kv_layout, sm_scale=sm_scale,
                                              return_lse=True)
        out, lse = self._batch_prefill_wrapper.run(q, unique_kv_cache, return_lse=True)
        merge_state_in_place(out, lse, *shared)
        return out

    run = forward

    def end_forward(self):
        """Deprecated: nothing to do."""
