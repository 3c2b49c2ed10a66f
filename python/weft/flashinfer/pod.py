# SPDX-License-Identifier: Apache-2.0
# POD of the de-facto API: prefill and decode of one step. weft mixes any lengths in one plan; these
# wrappers keep two inputs and two outputs, and so are two plans.
"""Prefill beside decode."""
from __future__ import annotations

from weft.flashinfer._common import refuse
from weft.flashinfer.decode import BatchDecodeWithPagedKVCacheWrapper
from weft.flashinfer.prefill import (BatchPrefillWithPagedKVCacheWrapper,
                                     single_prefill_with_kv_cache)


class PODWithPagedKVCacheWrapper:
    """One prefill over plain k and v beside a batch of decodes over pages."""

    def __init__(self, float_workspace_buffer, kv_layout="NHD", use_cuda_graph=False,
                 paged_kv_indptr_buffer=None, paged_kv_indices_buffer=None,
                 paged_kv_last_page_len_buffer=None, jit_args=None):
        self._decode = BatchDecodeWithPagedKVCacheWrapper(
            float_workspace_buffer, kv_layout, use_cuda_graph, False, paged_kv_indptr_buffer,
            paged_kv_indices_buffer, paged_kv_last_page_len_buffer, "auto", jit_args)
        self._kv_layout = kv_layout

    def plan(self, indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim, page_size,
             pos_encoding_mode="NONE", window_left=-1, q_data_type="float16", kv_data_type=None,
             data_type=None, sm_scale=None, rope_scale=None, rope_theta=None, non_blocking=True):
        self._decode.plan(indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim,
                          page_size, pos_encoding_mode=pos_encoding_mode, window_left=window_left,
                          q_data_type=q_data_type, kv_data_type=kv_data_type, data_type=data_type,
                          sm_scale=sm_scale, rope_scale=rope_scale, rope_theta=rope_theta,
                          non_blocking=non_blocking)

    begin_forward = plan

    def run(self, q_p, k_p, v_p, q_d, paged_kv_cache_d, custom_mask_p=None,
            packed_custom_mask_p=None, causal_p=False, kv_layout_p="NHD",
            pos_encoding_mode_p="NONE", sm_scale_p=None, window_left_p=-1, rope_scale_p=None,
            rope_theta_p=None, return_lse_p=False, custom_mask_d=None, packed_custom_mask_d=None,
            causal_d=False, kv_layout_d="NHD", pos_encoding_mode_d="NONE", sm_scale_d=None,
            window_left_d=-1, rope_scale_d=None, rope_theta_d=None, q_scale=None, k_scale=None,
            v_scale=None, return_lse_d=False, use_fp16_qk_reduction=False, enable_pdl=None, *args):
        """(o of the prefill, o of the decodes). The decodes' mask is that of their positions."""
        refuse(custom_mask_d=custom_mask_d, packed_custom_mask_d=packed_custom_mask_d)
        o_p = single_prefill_with_kv_cache(
            q_p, k_p, v_p, custom_mask=custom_mask_p, packed_custom_mask=packed_custom_mask_p,
            causal=causal_p, kv_layout=kv_layout_p, pos_encoding_mode=pos_encoding_mode_p,
            sm_scale=sm_scale_p, window_left=window_left_p, rope_scale=rope_scale_p,
            rope_theta=rope_theta_p)
        planned = self._decode._sm_scale
        self._decode._sm_scale = planned if sm_scale_d is None else sm_scale_d
        try:
            o_d = self._decode.run(q_d, paged_kv_cache_d, q_scale=q_scale, k_scale=k_scale,
                                   v_scale=v_scale,
                                   window_left=None if window_left_d < 0 else window_left_d)
        finally:
            self._decode._sm_scale = planned
        return o_p, o_d

    def end_forward(self):
        """Deprecated: nothing to do."""


class BatchPODWithPagedKVCacheWrapper:
    """A batch of prefills beside a batch of decodes, both over pages."""

    def __init__(self, float_workspace_buffer, kv_layout="NHD"):
        self._parts = [BatchPrefillWithPagedKVCacheWrapper(float_workspace_buffer, kv_layout)
                       for _ in range(2)]

    def plan(self, qo_indptr_p, kv_indptr_p, kv_indices_p, last_page_len_p, qo_indptr_d,
             kv_indptr_d, kv_indices_d, last_page_len_d, num_qo_heads, num_kv_heads, head_dim,
             page_size, pos_encoding_mode="NONE", window_left=-1, q_data_type="float16",
             kv_data_type=None, data_type=None, sm_scale=None, rope_scale=None, rope_theta=None,
             non_blocking=True):
        if data_type is not None:
            q_data_type, kv_data_type = data_type, kv_data_type or data_type
        self._options = dict(
            pos_encoding_mode=pos_encoding_mode, window_left=window_left, q_data_type=q_data_type,
            kv_data_type=kv_data_type, sm_scale=sm_scale, rope_scale=rope_scale,
            rope_theta=rope_theta, non_blocking=non_blocking)
        heads = (num_qo_heads, num_kv_heads, head_dim, page_size)
        self._prefill = (qo_indptr_p, kv_indptr_p, kv_indices_p, last_page_len_p, *heads)
        self._parts[0].plan(*self._prefill, **self._options)
        self._parts[1].plan(qo_indptr_d, kv_indptr_d, kv_indices_d, last_page_len_d, *heads,
                            causal=True, **self._options)

    begin_forward = plan

    def run(self, q_p, paged_kv_cache_p, q_d, paged_kv_cache_d, custom_mask_p=None,
            packed_custom_mask_p=None, causal_p=False, q_scale=None, k_scale=None, v_scale=None,
            return_lse=False, use_fp16_qk_reduction=False, enable_pdl=None):
        """(o of the prefills, o of the decodes), each with its lse when asked."""
        if causal_p or custom_mask_p is not None or packed_custom_mask_p is not None:
            self._parts[0].plan(*self._prefill, causal=causal_p, custom_mask=custom_mask_p,
                                packed_custom_mask=packed_custom_mask_p, **self._options)
        scales = dict(q_scale=q_scale, k_scale=k_scale, v_scale=v_scale, return_lse=return_lse)
        return (self._parts[0].run(q_p, paged_kv_cache_p, **scales),
                self._parts[1].run(q_d, paged_kv_cache_d, **scales))

    def end_forward(self):
        """Deprecated: nothing to do."""
