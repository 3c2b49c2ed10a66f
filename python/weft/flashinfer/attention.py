# SPDX-License-Identifier: Apache-2.0
# BatchAttention (any mixture of prefill and decode) and the wrapper with attention sinks.
"""One batch of mixed requests; attention sinks."""
from __future__ import annotations

import torch

import weft
from weft.flashinfer._common import last_page_lens, refuse
from weft.flashinfer._prefill_plan import PrefillPlan
from weft.flashinfer.prefill import BatchPrefillWithPagedKVCacheWrapper


class BatchAttention:
    """Paged attention of a batch that mixes prefill and decode."""

    def __init__(self, kv_layout="NHD", device="cuda"):
        self._kv_layout, self.device = kv_layout, torch.device(device)
        self._planned = PrefillPlan(self.device)

    def plan(self, qo_indptr, kv_indptr, kv_indices, kv_len_arr, num_qo_heads, num_kv_heads,
             head_dim_qk, head_dim_vo, page_size, causal=False, sm_scale=None,
             logits_soft_cap=None, q_data_type=torch.bfloat16, kv_data_type=torch.bfloat16,
             use_profiler=False):
        """`kv_len_arr` int32 [batch_size]: KV tokens of each request."""
        refuse(use_profiler=use_profiler)
        planned = self._planned
        last = last_page_lens(planned.to_device("kv_len_arr", kv_len_arr), page_size)
        batch = weft.AttentionBatch(planned.to_device("qo_indptr", qo_indptr),
                                    planned.to_device("kv_indptr", kv_indptr),
                                    planned.to_device("kv_indices", kv_indices), last)
        planned.configure(
            qo_indptr=qo_indptr, batch=batch, kv_lens=None, num_qo_heads=num_qo_heads,
            num_kv_heads=num_kv_heads, head_dim_qk=head_dim_qk, head_dim_vo=head_dim_vo,
            page_size=page_size, kv_layout=self._kv_layout, causal=causal, sm_scale=sm_scale,
            window_left=-1, logits_soft_cap=logits_soft_cap, q_data_type=q_data_type,
            kv_data_type=kv_data_type)

    def run(self, q, kv_cache, out=None, lse=None, k_scale=None, v_scale=None, logits_soft_cap=0.0,
            profiler_buffer=None, kv_cache_sf=None):
        """(o, base-2 lse). A soft cap given here acts instead of the planned one."""
        refuse(profiler_buffer=profiler_buffer, kv_cache_sf=kv_cache_sf)
        changes = {"logits_soft_cap": logits_soft_cap} if (logits_soft_cap or 0) > 0 else {}
        return self._planned.attend(q, kv_cache, k_scale=k_scale, v_scale=v_scale, out=out,
                                    lse=lse, return_lse=True, **changes)


class BatchAttentionWithAttentionSinkWrapper(BatchPrefillWithPagedKVCacheWrapper):
    """Paged prefill whose run takes the sinks: run(q, kv_cache, sink, sm_scale)."""

    def __init__(self, float_workspace_buffer, kv_layout="NHD", use_cuda_graph=False,
                 qo_indptr_buf=None, paged_kv_indptr_buf=None, paged_kv_indices_buf=None,
                 paged_kv_last_page_len_buf=None, custom_mask_buf=None, mask_indptr_buf=None,
                 backend="auto", pos_encoding_mode="NONE", use_fp16_qk_reduction=False,
                 q_data_type=torch.bfloat16, kv_data_type=torch.bfloat16, head_dim_qk=128,
                 head_dim_vo=128, window_left=-1):
        super().__init__(float_workspace_buffer, kv_layout, use_cuda_graph, qo_indptr_buf,
                         paged_kv_indptr_buf, paged_kv_indices_buf, paged_kv_last_page_len_buf,
                         custom_mask_buf, mask_indptr_buf, backend)
        self._sink_window = window_left

    def plan(self, *args, **kwargs):
        """The window is the wrapper's where plan names none."""
        if "window_left" not in kwargs and len(args) < 16:
            kwargs["window_left"] = self._sink_window
        super().plan(*args, **kwargs)

    begin_forward = plan

    def run(self, q, paged_kv_cache, *args, sinks=None, **options):
        """args: sink f32 [num_qo_heads], then sm_scale."""
        if len(args) > 2:
            raise TypeError(f"run: expected sink and sm_scale by position, got {len(args)}")
        if args:
            sinks = args[0]
        if len(args) == 2 and args[1] is not None:
            self._sm_scale = float(args[1])
        return super().run(q, paged_kv_cache, sinks=sinks, **options)
