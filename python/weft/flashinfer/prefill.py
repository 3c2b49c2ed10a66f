# SPDX-License-Identifier: Apache-2.0
# Prefill of the de-facto API: single, paged and ragged.
"""Single and batch prefill (and append, and mixed batches)."""
from __future__ import annotations

from typing import Any

import torch

import weft
from weft._planned import fixed_indptr
from weft.flashinfer._block_tables import attend, two_caches
from weft.flashinfer._common import missing, not_there, refuse
from weft.flashinfer._prefill_plan import PrefillPlan, item_mask, plan_for_one_call
from weft.flashinfer.decode import _scales_of, _sink_of
from weft.flashinfer.jit import sink_variant
from weft.flashinfer.page import get_seq_lens


def single(q, k, v, *, causal, kv_layout, pos_encoding_mode, sm_scale, window_left,
           logits_soft_cap, rope_scale, rope_theta, return_lse, q_scale=None, k_scale=None,
           v_scale=None, o_dtype=None, custom_mask=None, packed_custom_mask=None):
    """One request as a ragged batch of one."""
    planned = plan_for_one_call(q.device, "single", q.dtype, k.dtype, q.shape[1:], q.shape[0] > 8)
    kv_len = k.shape[0 if kv_layout == "NHD" else 1]
    ends = [fixed_indptr(1, n, planned.device) for n in (q.shape[0], kv_len)]
    planned.configure(
        qo_indptr=ends[0], batch=weft.AttentionBatch(*ends), kv_lens=ends[1][1:],
        num_qo_heads=q.shape[1], num_kv_heads=k.shape[1 if kv_layout == "NHD" else 0],
        head_dim_qk=q.shape[2], head_dim_vo=v.shape[2], page_size=0, kv_layout=kv_layout,
        causal=causal, sm_scale=sm_scale, window_left=window_left,
        logits_soft_cap=logits_soft_cap, pos_encoding_mode=pos_encoding_mode,
        rope_scale=rope_scale, rope_theta=rope_theta, q_data_type=q.dtype, kv_data_type=k.dtype,
        o_data_type=o_dtype, custom_mask=None if custom_mask is None else custom_mask.reshape(-1),
        packed_custom_mask=packed_custom_mask, nnz_qo=q.shape[0])
    return planned.attend(q, (k, v), q_scale=q_scale, k_scale=k_scale, v_scale=v_scale,
                          return_lse=return_lse)


def single_prefill_with_kv_cache(
        q, k, v, scale_q=None, scale_k=None, scale_v=None, o_dtype=None, custom_mask=None,
        packed_custom_mask=None, causal=False, kv_layout="NHD", pos_encoding_mode="NONE",
        use_fp16_qk_reduction=False, sm_scale=None, window_left=-1, logits_soft_cap=None,
        rope_scale=None, rope_theta=None, backend="auto", return_lse=False, kv_cache_sf=None,
        k_scale=None, v_scale=None):
    """q [qo_len, num_qo_heads, head_dim] over k, v [kv_len, num_kv_heads, head_dim] (NHD)."""
    refuse(kv_cache_sf=kv_cache_sf)
    for name, pair in (("k_scale", (scale_k, k_scale)), ("v_scale", (scale_v, v_scale))):
        if None not in pair:
            raise TypeError(f"{name}: expected it once, got scale_{name[0]} and {name}")
    return single(q, k, v, causal=causal, kv_layout=kv_layout, pos_encoding_mode=pos_encoding_mode,
                  sm_scale=sm_scale, window_left=window_left, logits_soft_cap=logits_soft_cap,
                  rope_scale=rope_scale, rope_theta=rope_theta, return_lse=return_lse,
                  q_scale=scale_q, k_scale=scale_k if k_scale is None else k_scale,
                  v_scale=scale_v if v_scale is None else v_scale, o_dtype=o_dtype,
                  custom_mask=custom_mask, packed_custom_mask=packed_custom_mask)


def single_prefill_with_kv_cache_return_lse(*args: Any, **kwargs: Any) -> Any:
    """single_prefill_with_kv_cache with return_lse."""
    return single_prefill_with_kv_cache(*args, **{**kwargs, "return_lse": True})


class _BatchPrefill:
    """What the two batch wrappers share."""

    def _open(self, float_workspace_buffer, kv_layout, use_cuda_graph, jit_args, jit_kwargs,
              custom_mask_buf, mask_indptr_buf, buffers):
        self._sink_variant = sink_variant(jit_args)
        if not self._sink_variant:  # a window among its jit_kwargs is that of plan()
            refuse(jit_kwargs=jit_kwargs)
        self._kv_layout, self._use_cuda_graph = kv_layout, use_cuda_graph
        self._float_workspace_buffer = float_workspace_buffer
        self.device = float_workspace_buffer.device
        self._planned = PrefillPlan(self.device, use_cuda_graph)
        self._custom_mask_buf, self._mask_indptr_buf = custom_mask_buf, mask_indptr_buf
        self._buffers = dict(buffers)
        if use_cuda_graph:
            for name, buffer in buffers.items():
                if not torch.is_tensor(buffer):
                    raise ValueError(f"{name}: expected a tensor in CUDA graph mode, got {buffer}")
            self._fixed_batch_size = len(next(iter(buffers.values()))) - 1
            if (custom_mask_buf is None) != (mask_indptr_buf is None):
                raise ValueError("custom_mask_buf and mask_indptr_buf: expected both or neither")
        else:
            self._fixed_batch_size = 0

    @property
    def is_cuda_graph_enabled(self):
        return self._use_cuda_graph

    def reset_workspace_buffer(self, float_workspace_buffer, int_workspace_buffer=None):
        """The workspace may change; weft keeps its plans in memory of its own."""
        self._float_workspace_buffer = float_workspace_buffer

    def _hold(self, non_blocking, **arrays):
        """Index arrays where kernels read them: in the graph's buffers, or on the device."""
        held = {}
        for name, array in arrays.items():
            if not self._use_cuda_graph:
                held[name] = self._planned.to_device(name, array, non_blocking)
                continue
            buffer = self._buffers[name]
            if array.dtype != torch.int32:
                raise ValueError(f"{name}: expected int32, got {array.dtype}")
            exact = "indices" not in name
            if len(array) > len(buffer) or (exact and len(array) != len(buffer)):
                raise ValueError(f"{name}: expected {len(buffer)} elements, the size of the CUDA "
                                 f"graph's buffer, got {len(array)}")
            buffer[:len(array)].copy_(array, non_blocking=non_blocking)
            held[name] = buffer
        return held

    def _masks_at_fixed_addresses(self):
        """In graph mode the bits of a mask go to the buffers that were given for them."""
        values = self._planned.values
        if not self._use_cuda_graph or "custom_mask" not in values:
            return
        for name, buffer in (("custom_mask", self._custom_mask_buf),
                             ("mask_indptr", self._mask_indptr_buf)):
            if buffer is None:
                raise ValueError(f"{name}_buf: expected a buffer to plan a mask in CUDA graph "
                                 "mode, got None")
            n = min(len(buffer), len(values[name]))
            buffer[:n].copy_(values[name][:n])
            values[name] = buffer

    def _attend(self, q, kv, args, q_scale, k_scale, v_scale, out, lse, return_lse, sinks=None,
                window_left=None):
        self._planned.check_planned()
        sm_scale = self._sm_scale
        if self._sink_variant:
            sinks, sm_scale = _sink_of(args, sinks)
        elif args:
            q_scale, k_scale, v_scale = _scales_of(args, q_scale, k_scale, v_scale)
        return self._planned.attend(
            q, kv, q_scale=q_scale, k_scale=k_scale, v_scale=v_scale, out=out, lse=lse,
            return_lse=return_lse, sinks=sinks, sm_scale=sm_scale,
            window_left=self._window_left if window_left is None else window_left,
            logits_soft_cap=max(0.0, self._logits_soft_cap))

    def run_return_lse(self, *args, **kwargs):
        """run() with return_lse."""
        return self.run(*args, return_lse=True, **kwargs)

    def _keep(self, causal, sm_scale, window_left, logits_soft_cap, pos_encoding_mode, rope_scale,
              rope_theta):
        self._causal, self._sm_scale, self._window_left = causal, sm_scale, window_left
        self._logits_soft_cap = float(logits_soft_cap or 0.0)
        self._pos_encoding_mode = pos_encoding_mode
        self._rope_scale, self._rope_theta = rope_scale, rope_theta

    def _forward(self, causal, pos_encoding_mode, window_left, logits_soft_cap, sm_scale,
                 rope_scale, rope_theta):
        """The deprecated verbs give at run what plan() fixes: it must be what was planned."""
        wrong = [("causal", causal, self._causal)] if causal != self._causal else []
        if pos_encoding_mode not in ("NONE", self._pos_encoding_mode):
            wrong.append(("pos_encoding_mode", pos_encoding_mode, self._pos_encoding_mode))
        wrong += [(n, v, getattr(self, f"_{n}")) for n, v in (("rope_scale", rope_scale),
                                                              ("rope_theta", rope_theta))
                  if v is not None and v != getattr(self, f"_{n}")]
        masked = "custom_mask" in self._planned.values
        if wrong and not (masked and wrong[0][0] == "causal"):
            self._replan(causal, pos_encoding_mode, rope_scale, rope_theta)
        self._window_left, self._sm_scale = window_left, sm_scale
        self._logits_soft_cap = float(logits_soft_cap or 0.0)

    def _replan(self, causal, pos_encoding_mode, rope_scale, rope_theta):
        args, options = self._planned_with
        self.plan(*args, **{**options, "causal": causal, "pos_encoding_mode": pos_encoding_mode,
                            "rope_scale": rope_scale, "rope_theta": rope_theta})

    def end_forward(self):
        """Deprecated: nothing to do."""


class BatchPrefillWithPagedKVCacheWrapper(_BatchPrefill):
    """plan() once a step, run() once a layer, over pages."""

    def __init__(self, float_workspace_buffer, kv_layout="NHD", use_cuda_graph=False,
                 qo_indptr_buf=None, paged_kv_indptr_buf=None, paged_kv_indices_buf=None,
                 paged_kv_last_page_len_buf=None, custom_mask_buf=None, mask_indptr_buf=None,
                 backend="auto", jit_args=None, jit_kwargs=None):
        self._backend = backend
        self._open(float_workspace_buffer, kv_layout, use_cuda_graph, jit_args, jit_kwargs,
                   custom_mask_buf, mask_indptr_buf, {
                       "qo_indptr": qo_indptr_buf, "paged_kv_indptr": paged_kv_indptr_buf,
                       "paged_kv_indices": paged_kv_indices_buf,
                       "paged_kv_last_page_len": paged_kv_last_page_len_buf})

    def plan(self, qo_indptr, paged_kv_indptr, paged_kv_indices, paged_kv_last_page_len,
             num_qo_heads, num_kv_heads, head_dim_qk, page_size, head_dim_vo=None,
             custom_mask=None, packed_custom_mask=None, causal=False, pos_encoding_mode="NONE",
             use_fp16_qk_reduction=False, sm_scale=None, window_left=-1, logits_soft_cap=None,
             rope_scale=None, rope_theta=None, q_data_type="float16", kv_data_type=None,
             o_data_type=None, non_blocking=True, prefix_len_ptr=None, token_pos_in_items_ptr=None,
             token_pos_in_items_len=0, max_item_len_ptr=None, seq_lens=None, seq_lens_q=None,
             block_tables=None, max_token_per_sequence=None, max_sequence_kv=None,
             fixed_split_size=None, disable_split_kv=False):
        """Plans a batch from host or device index arrays; waits for no device, unless items are
        scored (prefix_len_ptr, token_pos_in_items_ptr). Products are always accumulated in f32,
        also with use_fp16_qk_reduction."""
        options = dict(head_dim_vo=head_dim_vo, custom_mask=custom_mask,
                       packed_custom_mask=packed_custom_mask, causal=causal,
                       pos_encoding_mode=pos_encoding_mode, sm_scale=sm_scale,
                       window_left=window_left, logits_soft_cap=logits_soft_cap,
                       rope_scale=rope_scale, rope_theta=rope_theta, q_data_type=q_data_type,
                       kv_data_type=kv_data_type, o_data_type=o_data_type,
                       fixed_split_size=fixed_split_size, disable_split_kv=disable_split_kv)
        self._planned_with = ((qo_indptr, paged_kv_indptr, paged_kv_indices,
                               paged_kv_last_page_len, num_qo_heads, num_kv_heads, head_dim_qk,
                               page_size), options)
        held = self._hold(non_blocking, qo_indptr=qo_indptr, paged_kv_indptr=paged_kv_indptr,
                          paged_kv_indices=paged_kv_indices,
                          paged_kv_last_page_len=paged_kv_last_page_len)
        batch = weft.AttentionBatch(*held.values())
        self._qo_indptr_buf, self._paged_kv_indptr_buf = batch.qo_indptr, batch.kv_indptr
        self._paged_kv_indices_buf = batch.kv_indices
        self._paged_kv_last_page_len_buf = batch.last_page_len
        masked = custom_mask is not None or packed_custom_mask is not None
        kv_lens = (get_seq_lens(batch.kv_indptr, batch.last_page_len, page_size)
                   if masked or prefix_len_ptr is not None else None)
        if prefix_len_ptr is not None:
            if masked or window_left >= 0 or token_pos_in_items_ptr is None:
                raise missing("prefix_len_ptr with a mask, with a window, or without "
                              "token_pos_in_items_ptr")
            options["custom_mask"] = item_mask(
                batch.qo_indptr, kv_lens, prefix_len_ptr.reshape(-1), token_pos_in_items_ptr,
                int(token_pos_in_items_len)
                or token_pos_in_items_ptr.numel() // prefix_len_ptr.numel())
        self._planned.configure(
            qo_indptr=qo_indptr, batch=batch, kv_lens=kv_lens, num_qo_heads=num_qo_heads,
            num_kv_heads=num_kv_heads, head_dim_qk=head_dim_qk, page_size=page_size,
            kv_layout=self._kv_layout, **options)
        self._masks_at_fixed_addresses()
        self._keep(causal, sm_scale, window_left, logits_soft_cap, pos_encoding_mode, rope_scale,
                   rope_theta)

    begin_forward = plan

    def workspace_size(
            self, qo_indptr, paged_kv_indptr, paged_kv_indices, paged_kv_last_page_len,
            num_qo_heads, num_kv_heads, head_dim_qk, page_size, head_dim_vo=None, custom_mask=None,
            packed_custom_mask=None, causal=False, pos_encoding_mode="NONE",
            use_fp16_qk_reduction=False, sm_scale=None, window_left=-1, logits_soft_cap=None,
            rope_scale=None, rope_theta=None, q_data_type="float16", kv_data_type=None,
            o_data_type=None, prefix_len_ptr=None, token_pos_in_items_ptr=None,
            token_pos_in_items_len=0, max_item_len_ptr=None, seq_lens=None, seq_lens_q=None,
            block_tables=None, max_token_per_sequence=None, max_sequence_kv=None,
            fixed_split_size=None, disable_split_kv=False):
        """Bytes of the workspaces that a plan needs: none, weft brings its own memory."""
        return 0, 0

    def run(self, q, paged_kv_cache, *args, q_scale=None, k_scale=None, v_scale=None, out=None,
            lse=None, return_lse=False, enable_pdl=None, window_left=None, sinks=None,
            kv_cache_sf=None, skip_softmax_threshold_scale_factor=None, use_fp16_softmax=None,
            uses_spcompress=None):
        """o [nnz_qo, num_qo_heads, head_dim_vo], with base-2 lse when asked."""
        refuse(kv_cache_sf=kv_cache_sf, use_fp16_softmax=use_fp16_softmax,
               uses_spcompress=uses_spcompress)
        return self._attend(q, paged_kv_cache, args, q_scale, k_scale, v_scale, out, lse,
                            return_lse, sinks, window_left)

    def forward(self, q, paged_kv_cache, causal=False, pos_encoding_mode="NONE",
                use_fp16_qk_reduction=False, k_scale=None, v_scale=None, window_left=-1,
                logits_soft_cap=None, sm_scale=None, rope_scale=None, rope_theta=None):
        """Deprecated: run()."""
        self._forward(causal, pos_encoding_mode, window_left, logits_soft_cap, sm_scale, rope_scale,
                      rope_theta)
        return self.run(q, paged_kv_cache, k_scale=k_scale, v_scale=v_scale)

    def forward_return_lse(self, q, paged_kv_cache, causal=False, pos_encoding_mode="NONE",
                           use_fp16_qk_reduction=False, k_scale=None, v_scale=None, window_left=-1,
                           logits_soft_cap=None, sm_scale=None, rope_scale=None, rope_theta=None):
        """Deprecated: run_return_lse()."""
        self._forward(causal, pos_encoding_mode, window_left, logits_soft_cap, sm_scale, rope_scale,
                      rope_theta)
        return self.run(q, paged_kv_cache, k_scale=k_scale, v_scale=v_scale, return_lse=True)


class BatchPrefillWithRaggedKVCacheWrapper(_BatchPrefill):
    """plan() once a step, run() once a layer, over k and v without pages."""

    def __init__(self, float_workspace_buffer, kv_layout="NHD", use_cuda_graph=False,
                 qo_indptr_buf=None, kv_indptr_buf=None, custom_mask_buf=None,
                 mask_indptr_buf=None, backend="auto", jit_args=None, jit_kwargs=None):
        self._backend = backend
        self._open(float_workspace_buffer, kv_layout, use_cuda_graph, jit_args, jit_kwargs,
                   custom_mask_buf, mask_indptr_buf,
                   {"qo_indptr": qo_indptr_buf, "kv_indptr": kv_indptr_buf})

    def plan(self, qo_indptr, kv_indptr, num_qo_heads, num_kv_heads, head_dim_qk, head_dim_vo=None,
             custom_mask=None, packed_custom_mask=None, causal=False, pos_encoding_mode="NONE",
             use_fp16_qk_reduction=False, window_left=-1, logits_soft_cap=None, sm_scale=None,
             rope_scale=None, rope_theta=None, q_data_type="float16", kv_data_type=None,
             o_data_type=None, non_blocking=True, prefix_len_ptr=None, token_pos_in_items_ptr=None,
             token_pos_in_items_len=0, max_item_len_ptr=None, fixed_split_size=None,
             disable_split_kv=False, seq_lens=None, seq_lens_q=None, max_token_per_sequence=None,
             max_sequence_kv=None, v_indptr=None, o_indptr=None):
        """Plans a batch from host or device index arrays; waits for no device."""
        refuse(prefix_len_ptr=prefix_len_ptr, token_pos_in_items_ptr=token_pos_in_items_ptr,
               max_item_len_ptr=max_item_len_ptr, v_indptr=v_indptr, o_indptr=o_indptr)
        options = dict(head_dim_vo=head_dim_vo, custom_mask=custom_mask,
                       packed_custom_mask=packed_custom_mask, causal=causal,
                       pos_encoding_mode=pos_encoding_mode, sm_scale=sm_scale,
                       window_left=window_left, logits_soft_cap=logits_soft_cap,
                       rope_scale=rope_scale, rope_theta=rope_theta, q_data_type=q_data_type,
                       kv_data_type=kv_data_type, o_data_type=o_data_type,
                       fixed_split_size=fixed_split_size, disable_split_kv=disable_split_kv)
        self._planned_with = ((qo_indptr, kv_indptr, num_qo_heads, num_kv_heads, head_dim_qk),
                              options)
        held = self._hold(non_blocking, qo_indptr=qo_indptr, kv_indptr=kv_indptr)
        batch = weft.AttentionBatch(*held.values())
        self._qo_indptr_buf, self._kv_indptr_buf = batch.qo_indptr, batch.kv_indptr
        self._planned.configure(
            qo_indptr=qo_indptr, batch=batch, kv_lens=batch.kv_indptr[1:] - batch.kv_indptr[:-1],
            num_qo_heads=num_qo_heads, num_kv_heads=num_kv_heads, head_dim_qk=head_dim_qk,
            page_size=0, kv_layout=self._kv_layout, **options)
        self._masks_at_fixed_addresses()
        self._keep(causal, sm_scale, window_left, logits_soft_cap, pos_encoding_mode, rope_scale,
                   rope_theta)

    begin_forward = plan

    def run(self, q, k, v, *args, q_scale=None, k_scale=None, v_scale=None, o_scale=None, out=None,
            lse=None, return_lse=False, enable_pdl=None, kv_cache_sf=None):
        """o [nnz_qo, num_qo_heads, head_dim_vo], with base-2 lse when asked."""
        refuse(kv_cache_sf=kv_cache_sf)
        if o_scale is not None:
            v_scale = (1.0 if v_scale is None else v_scale) / o_scale
        return self._attend(q, (k, v), args, q_scale, k_scale, v_scale, out, lse, return_lse)

    def forward(self, q, k, v, causal=False, pos_encoding_mode="NONE", use_fp16_qk_reduction=False,
                window_left=-1, logits_soft_cap=None, sm_scale=None, rope_scale=None,
                rope_theta=None):
        """Deprecated: run()."""
        self._forward(causal, pos_encoding_mode, window_left, logits_soft_cap, sm_scale, rope_scale,
                      rope_theta)
        return self.run(q, k, v)

    def forward_return_lse(self, q, k, v, causal=False, pos_encoding_mode="NONE",
                           use_fp16_qk_reduction=False, window_left=-1, logits_soft_cap=None,
                           sm_scale=None, rope_scale=None, rope_theta=None):
        """Deprecated: run_return_lse()."""
        self._forward(causal, pos_encoding_mode, window_left, logits_soft_cap, sm_scale, rope_scale,
                      rope_theta)
        return self.run(q, k, v, return_lse=True)


def trtllm_batch_context_with_kv_cache(
        query, kv_cache, workspace_buffer, block_tables, seq_lens, max_q_len, max_kv_len,
        bmm1_scale, bmm2_scale, batch_size, cum_seq_lens_q, cum_seq_lens_kv, window_left=-1,
        out=None, out_dtype=None, o_sf_scale=None, o_sf_vec_size=None, kv_layout="HND",
        enable_pdl=None, sinks=None, kv_cache_sf=None, skip_softmax_threshold_scale_factor=None,
        uses_shared_paged_kv_idx=True, causal=True, lse=None, return_lse=False):
    """Prefill from padded block tables; bmm1_scale is the logits' scale, bmm2_scale that of the
    output."""
    refuse(o_sf_scale=o_sf_scale, o_sf_vec_size=o_sf_vec_size, kv_cache_sf=kv_cache_sf)
    return attend(query, two_caches(kv_cache), block_tables, seq_lens, kv_layout=kv_layout,
                  logits_scale=bmm1_scale, out_scale=bmm2_scale, qo_indptr=cum_seq_lens_q,
                  causal=causal, window_left=window_left, shared_index=uses_shared_paged_kv_idx,
                  out=out, out_dtype=out_dtype, sinks=sinks, lse=lse, return_lse=return_lse)


def _ragged(q, k, v, qo_indptr, kv_indptr, *, logits_scale, out_scale, causal, window_left=-1,
            soft_cap=None, sinks=None, out=None, out_dtype=None, lse=None, return_lse=False):
    """Plan and run of a ragged batch in one."""
    planned = plan_for_one_call(q.device, "ragged", q.dtype, k.dtype, q.shape[1:], v.shape[2])
    ends = [planned.to_device(name, x.to(torch.int32)) for name, x in (
        ("cum_seq_lens_q", qo_indptr), ("cum_seq_lens_kv", kv_indptr))]
    planned.configure(
        qo_indptr=ends[0], batch=weft.AttentionBatch(*ends), kv_lens=None, num_qo_heads=q.shape[1],
        num_kv_heads=k.shape[1], head_dim_qk=q.shape[2], head_dim_vo=v.shape[2], page_size=0,
        kv_layout="NHD", causal=causal, sm_scale=1.0, window_left=window_left,
        logits_soft_cap=soft_cap, q_data_type=q.dtype, kv_data_type=k.dtype,
        o_data_type=out_dtype or (None if out is None else out.dtype), nnz_qo=q.shape[0])
    return planned.attend(q, (k, v), k_scale=logits_scale, v_scale=out_scale, out=out, lse=lse,
                          return_lse=return_lse, sinks=sinks)


def trtllm_ragged_attention_deepseek(
        query, key, value, workspace_buffer, seq_lens, max_q_len, max_kv_len, bmm1_scale,
        bmm2_scale, o_sf_scale, batch_size, window_left, cum_seq_lens_q, cum_seq_lens_kv,
        enable_pdl, is_causal, return_lse, attention_sinks=None,
        skip_softmax_threshold_scale_factor=None, out=None, lse=None):
    """Ragged prefill; values may have fewer elements a head than keys. o_sf_scale is of outputs in
    4 bits, which there are none of: -1 or None."""
    refuse(o_sf_scale=None if o_sf_scale in (None, -1, 1.0) else o_sf_scale)
    return _ragged(query, key, value, cum_seq_lens_q, cum_seq_lens_kv, logits_scale=bmm1_scale,
                   out_scale=bmm2_scale, causal=is_causal, window_left=window_left,
                   sinks=attention_sinks, out=out, lse=lse, return_lse=return_lse)


_FMHA_MASKS = ("padding", "causal", "sliding_window")


def trtllm_fmha_v2_prefill(
        qkv, input_layout, workspace_buffer, seq_lens, max_q_len, max_kv_len, bmm1_scale,
        bmm2_scale, batch_size, cum_seq_lens_q, cum_seq_lens_kv, block_tables=None, out=None,
        out_dtype=None, sinks=None, pos_encoding_mode=None, logits_soft_cap_scale=None,
        mask_mode="causal", window_left=-1, chunked_attention_size=0, save_softmax_stats=False,
        skip_softmax_threshold_scale_factor=0):
    """Prefill from one packed tensor, q and joined kv, q, k and v, or q and pages (NHD or HND)."""
    refuse(chunked_attention_size=chunked_attention_size or None,
           save_softmax_stats=save_softmax_stats,
           pos_encoding_mode=None if pos_encoding_mode == "NONE" else pos_encoding_mode)
    if str(mask_mode).lower() not in _FMHA_MASKS:
        raise missing(f"mask_mode = {mask_mode!r}")
    shared = dict(logits_scale=bmm1_scale, out_scale=bmm2_scale,
                  causal=str(mask_mode).lower() != "padding", window_left=window_left,
                  soft_cap=logits_soft_cap_scale, sinks=sinks, out=out, out_dtype=out_dtype)
    layout = input_layout.upper()
    if layout in ("Q_PAGED_KV_NHD", "Q_PAGED_KV_HND"):
        return attend(qkv[0], two_caches(qkv[1]), block_tables, seq_lens, kv_layout=layout[-3:],
                      qo_indptr=cum_seq_lens_q, **shared)
    parts = {"PACKED_QKV": lambda: qkv.unbind(1), "SEPARATE_Q_K_V": lambda: qkv,
             "CONTIGUOUS_Q_KV": lambda: (qkv[0], *qkv[1].unbind(1))}
    if layout not in parts:
        raise ValueError(f"input_layout: expected one of {', '.join(parts)}, Q_PAGED_KV_NHD or "
                         f"Q_PAGED_KV_HND, got {input_layout}")
    return _ragged(*parts[layout](), cum_seq_lens_q, cum_seq_lens_kv, **shared)


globals().update(not_there(
    "prefill", "single_prefill_with_kv_cache_with_jit_module fmha_varlen fmha_v2_prefill_deepseek "
    "cudnn_batch_prefill_with_kv_cache", "attention with custom variants or another's layouts"))
