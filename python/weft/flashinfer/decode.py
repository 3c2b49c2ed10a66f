# SPDX-License-Identifier: Apache-2.0
# Decode of the de-facto API: one query token a request (or q_len_per_req), paged KV.
"""Batch and single decode."""
from __future__ import annotations

import warnings
from typing import Any

import torch

import weft
from weft._planned import fixed_indptr
from weft.flashinfer._block_tables import attend, two_caches
from weft.flashinfer._common import FP8, missing, not_there, refuse, torch_dtype
from weft.flashinfer._prefill_plan import PrefillPlan
from weft.flashinfer.jit import sink_variant
from weft.flashinfer.mla import (BatchMLAPagedAttentionWrapper,  # callers ask for them here too
                                 trtllm_batch_decode_with_kv_cache_mla,
                                 xqa_batch_decode_with_kv_cache_mla)
from weft.flashinfer.page import get_seq_lens

# Positional order of plan before its options became keywords.
_OLD_ORDER = ("pos_encoding_mode", "window_left", "logits_soft_cap", "q_data_type", "kv_data_type",
              "o_data_type", "data_type", "sm_scale", "rope_scale", "rope_theta", "non_blocking",
              "block_tables", "seq_lens", "fixed_split_size", "disable_split_kv")


def single_decode_with_kv_cache(
        q, k, v, kv_layout="NHD", pos_encoding_mode="NONE", use_tensor_cores=False, q_scale=None,
        k_scale=None, v_scale=None, window_left=-1, logits_soft_cap=None, sm_scale=None,
        rope_scale=None, rope_theta=None, return_lse=False):
    """One query [num_qo_heads, head_dim] over k, v [kv_len, num_kv_heads, head_dim] (NHD)."""
    from weft.flashinfer.prefill import single
    got = single(q.unsqueeze(0), k, v, causal=False, kv_layout=kv_layout,
                 pos_encoding_mode=pos_encoding_mode, sm_scale=sm_scale, window_left=window_left,
                 logits_soft_cap=logits_soft_cap, rope_scale=rope_scale, rope_theta=rope_theta,
                 return_lse=return_lse, q_scale=q_scale, k_scale=k_scale, v_scale=v_scale)
    return (got[0].squeeze(0), got[1].squeeze(0)) if return_lse else got.squeeze(0)


class BatchDecodeWithPagedKVCacheWrapper:
    """plan() once a step, run() once a layer, over pages."""

    def __init__(self, float_workspace_buffer, kv_layout="NHD", use_cuda_graph=False,
                 use_tensor_cores=False, paged_kv_indptr_buffer=None,
                 paged_kv_indices_buffer=None, paged_kv_last_page_len_buffer=None, backend="auto",
                 jit_args=None):
        self._sink_variant = sink_variant(jit_args)
        self._kv_layout = kv_layout
        self._float_workspace_buffer = float_workspace_buffer
        self.device = float_workspace_buffer.device
        self._use_cuda_graph, self._use_tensor_cores = use_cuda_graph, use_tensor_cores
        self._backend, self._planned_with = backend, None
        self._paged_kv_indptr_buf = paged_kv_indptr_buffer
        self._paged_kv_indices_buf = paged_kv_indices_buffer
        self._paged_kv_last_page_len_buf = paged_kv_last_page_len_buffer
        self._planned = PrefillPlan(self.device, use_cuda_graph)
        if use_cuda_graph:
            for name, buffer in (("paged_kv_indptr_buffer", paged_kv_indptr_buffer),
                                 ("paged_kv_indices_buffer", paged_kv_indices_buffer),
                                 ("paged_kv_last_page_len_buffer", paged_kv_last_page_len_buffer)):
                if not torch.is_tensor(buffer):
                    raise ValueError(f"{name}: expected a tensor in CUDA graph mode, got {buffer}")
            self._fixed_batch_size = len(paged_kv_last_page_len_buffer)
        else:
            self._fixed_batch_size = 0

    @property
    def use_tensor_cores(self):
        return self._use_tensor_cores

    @property
    def is_cuda_graph_enabled(self):
        return self._use_cuda_graph

    def reset_workspace_buffer(self, float_workspace_buffer, int_workspace_buffer=None):
        """The workspace may change; weft keeps its plans in memory of its own."""
        self._float_workspace_buffer = float_workspace_buffer

    def plan(self, indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim, page_size,
             *deprecated_positional_args, **kwargs):
        """Plans a batch from host or device index arrays; waits for no device."""
        if deprecated_positional_args:
            warnings.warn("positional options of plan are deprecated: give them by keyword",
                          DeprecationWarning, stacklevel=2)
            if len(deprecated_positional_args) > len(_OLD_ORDER):
                raise TypeError("plan: expected at most "
                                f"{7 + len(_OLD_ORDER)} positional arguments")
            for name, value in zip(_OLD_ORDER, deprecated_positional_args):
                if name in kwargs:
                    raise TypeError(f"plan: got {name} by position and by keyword")
                kwargs[name] = value
        self._plan_impl(indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim,
                        page_size, **kwargs)
        self._planned_with = ((indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim,
                               page_size), kwargs)

    def _plan_impl(self, indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim,
                   page_size, *, pos_encoding_mode="NONE", window_left=-1, window_right=0,
                   logits_soft_cap=None, q_data_type="float16", kv_data_type=None,
                   o_data_type=None, data_type=None, sm_scale=None, rope_scale=None,
                   rope_theta=None, non_blocking=True, block_tables=None, seq_lens=None,
                   fixed_split_size=None, disable_split_kv=False, q_len_per_req=1,
                   k_data_type=None, v_data_type=None):
        if k_data_type is not None or v_data_type is not None:
            kv_data_type = _one_dtype(k_data_type, v_data_type, kv_data_type or q_data_type)
        if window_right not in (0, None):
            raise missing(f"window_right = {window_right}")
        if data_type is not None:
            kv_data_type = data_type if kv_data_type is None else kv_data_type
            if q_data_type is None or (isinstance(q_data_type, str) and q_data_type == "float16"
                                       and torch_dtype(data_type) not in FP8):
                q_data_type = data_type  # the default, where the old word says another
        self._hold(indptr, indices, last_page_len, non_blocking)
        batch_size, planned = last_page_len.shape[0], self._planned
        step = int(q_len_per_req or 1)
        qo_indptr = self._qo_indptr(batch_size, step, planned.device)
        batch = weft.AttentionBatch(qo_indptr, self._paged_kv_indptr_buf[:batch_size + 1],
                                    self._paged_kv_indices_buf,
                                    self._paged_kv_last_page_len_buf[:batch_size])
        planned.configure(
            qo_indptr=qo_indptr, batch=batch, kv_lens=None, num_qo_heads=num_qo_heads,
            num_kv_heads=num_kv_heads, head_dim_qk=head_dim, head_dim_vo=None,
            page_size=page_size, kv_layout=self._kv_layout, causal=True, sm_scale=sm_scale,
            window_left=window_left, logits_soft_cap=logits_soft_cap,
            pos_encoding_mode=pos_encoding_mode, rope_scale=rope_scale, rope_theta=rope_theta,
            q_data_type=q_data_type or "float16", kv_data_type=kv_data_type,
            o_data_type=o_data_type, fixed_split_size=fixed_split_size,
            disable_split_kv=disable_split_kv, nnz_qo=batch_size * step)
        self._batch_size, self._num_qo_heads, self._num_kv_heads = (batch_size, num_qo_heads,
                                                                    num_kv_heads)
        self._pos_encoding_mode, self._sm_scale = pos_encoding_mode, sm_scale
        self._window_left, self._logits_soft_cap = window_left, float(logits_soft_cap or 0.0)
        self._rope_scale, self._rope_theta, self._page_size = rope_scale, rope_theta, page_size
        self._q_len_per_req = step

    def _qo_indptr(self, batch_size, step, device):
        """In graph mode one array, kept at its address."""
        held = getattr(self, "_qo_indptr_buf", None)
        made = fixed_indptr(batch_size, step, device)
        if self._use_cuda_graph and held is not None:
            held.copy_(made)
            return held
        self._qo_indptr_buf = made
        return made

    def _hold(self, indptr, indices, last_page_len, non_blocking):
        if not self._use_cuda_graph:
            planned = self._planned
            self._paged_kv_indptr_buf = planned.to_device("indptr", indptr, non_blocking)
            self._paged_kv_indices_buf = planned.to_device("indices", indices, non_blocking)
            self._paged_kv_last_page_len_buf = planned.to_device("last_page_len", last_page_len,
                                                                 non_blocking)
            return
        if len(last_page_len) != self._fixed_batch_size:
            raise ValueError(f"plan: expected the batch size {self._fixed_batch_size} of the CUDA "
                             f"graph's buffers, got {len(last_page_len)}")
        if len(indices) > len(self._paged_kv_indices_buf):
            raise ValueError(f"indices: expected at most {len(self._paged_kv_indices_buf)}, the "
                             f"size of the buffer, got {len(indices)}")
        self._paged_kv_indptr_buf.copy_(indptr, non_blocking=non_blocking)
        self._paged_kv_last_page_len_buf.copy_(last_page_len, non_blocking=non_blocking)
        self._paged_kv_indices_buf[:len(indices)].copy_(indices, non_blocking=non_blocking)

    begin_forward = plan

    def run(self, q, paged_kv_cache, *args, q_scale=None, k_scale=None, v_scale=None, out=None,
            lse=None, return_lse=False, enable_pdl=None, window_left=None, sinks=None,
            q_len_per_req=None, skip_softmax_threshold_scale_factor=None, kv_cache_sf=None):
        """o [batch_size * q_len, num_qo_heads, head_dim], with base-2 lse when asked."""
        refuse(kv_cache_sf=kv_cache_sf)
        self._planned.check_planned()
        sm_scale = self._sm_scale
        if self._sink_variant:
            sinks, sm_scale = _sink_of(args, sinks)
        elif args:
            q_scale, k_scale, v_scale = _scales_of(args, q_scale, k_scale, v_scale)
        step = getattr(self, "_q_len_per_req", 1)
        if q_len_per_req not in (None, 1, step):
            step = self._plan_rows(q_len_per_req, step)
        rows = getattr(self, "_batch_size", 0) * step
        if q.shape[0] != rows:
            raise ValueError(f"q: expected {rows} rows as planned, q_len_per_req = {step} of each "
                             f"request, got {q.shape[0]}")
        return self._planned.attend(
            q, paged_kv_cache, q_scale=q_scale, k_scale=k_scale, v_scale=v_scale, out=out, lse=lse,
            return_lse=return_lse, sinks=sinks, sm_scale=sm_scale,
            window_left=self._window_left if window_left is None else window_left,
            logits_soft_cap=max(0.0, self._logits_soft_cap))

    def _plan_rows(self, q_len, step):
        """Plans again for another number of queries a request, where run() alone names it."""
        if self._use_cuda_graph or self._planned_with is None:
            raise ValueError(f"q_len_per_req: expected {step}, as planned, got {q_len}")
        args, options = self._planned_with
        self._plan_impl(*args, **{**options, "q_len_per_req": q_len})
        return int(q_len)

    def run_return_lse(self, *args, **kwargs):
        """run() with return_lse."""
        return self.run(*args, return_lse=True, **kwargs)

    def forward(self, q, paged_kv_cache, pos_encoding_mode="NONE", q_scale=None, k_scale=None,
                v_scale=None, window_left=-1, logits_soft_cap=None, sm_scale=None, rope_scale=None,
                rope_theta=None):
        """Deprecated: run()."""
        return self.run(*self._forward(q, paged_kv_cache, pos_encoding_mode, window_left,
                                       logits_soft_cap, sm_scale, rope_scale, rope_theta),
                        q_scale=q_scale, k_scale=k_scale, v_scale=v_scale)

    def forward_return_lse(self, q, paged_kv_cache, pos_encoding_mode="NONE", q_scale=None,
                           k_scale=None, v_scale=None, window_left=-1, logits_soft_cap=None,
                           sm_scale=None, rope_scale=None, rope_theta=None):
        """Deprecated: run_return_lse()."""
        return self.run(*self._forward(q, paged_kv_cache, pos_encoding_mode, window_left,
                                       logits_soft_cap, sm_scale, rope_scale, rope_theta),
                        q_scale=q_scale, k_scale=k_scale, v_scale=v_scale, return_lse=True)

    def _forward(self, q, paged_kv_cache, pos_encoding_mode, window_left, logits_soft_cap,
                 sm_scale, rope_scale, rope_theta):
        if pos_encoding_mode not in ("NONE", self._pos_encoding_mode):
            raise ValueError(f"pos_encoding_mode: expected {self._pos_encoding_mode}, as planned, "
                             f"got {pos_encoding_mode}")
        for name, value in (("rope_scale", rope_scale), ("rope_theta", rope_theta)):
            if value is not None and value != getattr(self, f"_{name}"):
                raise ValueError(f"{name}: expected {getattr(self, f'_{name}')}, as planned, "
                                 f"got {value}")
        self._window_left, self._sm_scale = window_left, sm_scale
        self._logits_soft_cap = float(logits_soft_cap or 0.0)
        return q, paged_kv_cache

    def end_forward(self):
        """Deprecated: nothing to do."""

    def workspace_size(self, indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim,
                       page_size, pos_encoding_mode="NONE", window_left=-1, logits_soft_cap=None,
                       q_data_type="float16", kv_data_type=None, o_data_type=None, data_type=None,
                       sm_scale=None, rope_scale=None, rope_theta=None, block_tables=None,
                       seq_lens=None, fixed_split_size=None, disable_split_kv=False,
                       q_len_per_req=1):
        """Bytes of the workspaces that a plan needs: none, weft brings its own memory."""
        return 0, 0


def _one_dtype(k_data_type, v_data_type, default):
    """The dtype of keys and of values, each named or the default."""
    k, v = (torch_dtype(default if x is None else x) for x in (k_data_type, v_data_type))
    if k != v:
        raise missing(f"asymmetric k_data_type = {k}, v_data_type = {v}")
    return k


def _scales_of(args, q_scale, k_scale, v_scale):
    """Positional FP8 scales: (k, v) or (q, k, v)."""
    if len(args) not in (2, 3):
        raise missing(f"{len(args)} positional arguments of a custom variant")
    given = (None, *args) if len(args) == 2 else args
    if any(x is not None for x in (q_scale, k_scale, v_scale)):
        raise TypeError("run: expected scales by position or by keyword, got both")
    return given


def _sink_of(args, sinks):
    """Positional arguments of the sink's variant: (sink, sm_scale)."""
    if len(args) != 2 or sinks is not None:
        raise TypeError(f"run: expected sink and sm_scale by position, got {len(args)} arguments"
                        f"{'' if sinks is None else ' and sinks'}")
    return args[0], float(args[1])


class CUDAGraphBatchDecodeWithPagedKVCacheWrapper(BatchDecodeWithPagedKVCacheWrapper):
    """The batch wrapper in CUDA graph mode, with its buffers."""

    def __init__(self, workspace_buffer, indptr_buffer, indices_buffer, last_page_len_buffer,
                 kv_layout="NHD", use_tensor_cores=False):
        super().__init__(workspace_buffer, kv_layout, use_cuda_graph=True,
                         use_tensor_cores=use_tensor_cores, paged_kv_indptr_buffer=indptr_buffer,
                         paged_kv_indices_buffer=indices_buffer,
                         paged_kv_last_page_len_buffer=last_page_len_buffer)


def fast_decode_plan(
        self, indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim, page_size,
        pos_encoding_mode="NONE", window_left=-1, logits_soft_cap=None, q_data_type=None,
        kv_data_type=None, data_type=None, sm_scale=None, rope_scale=None, rope_theta=None,
        non_blocking=True, fixed_split_size=None, disable_split_kv=False, q_len_per_req=1,
        global_override_indptr_cpu=None):
    """plan() of a wrapper, as a function: weft's plan is as fast from any array."""
    self._plan_impl(indptr, indices, last_page_len, num_qo_heads, num_kv_heads, head_dim,
                    page_size, pos_encoding_mode=pos_encoding_mode, window_left=window_left,
                    logits_soft_cap=logits_soft_cap, q_data_type=q_data_type or "float16",
                    kv_data_type=kv_data_type, data_type=data_type, sm_scale=sm_scale,
                    rope_scale=rope_scale, rope_theta=rope_theta, non_blocking=non_blocking,
                    fixed_split_size=fixed_split_size, disable_split_kv=disable_split_kv,
                    q_len_per_req=q_len_per_req)


def trtllm_batch_decode_with_kv_cache(
        query, kv_cache, workspace_buffer, block_tables, seq_lens, max_seq_len, bmm1_scale=1.0,
        bmm2_scale=1.0, window_left=-1, out=None, out_dtype=None, o_sf_scale=None,
        o_sf_vec_size=None, sinks=None, kv_layout="HND", enable_pdl=None, backend="auto",
        q_len_per_req=1, o_scale=1.0, mask=None, max_q_len=None, cum_seq_lens_q=None,
        skip_softmax_threshold_scale_factor=None, kv_cache_sf=None, uses_shared_paged_kv_idx=True,
        lse=None, return_lse=False, bmm1_scale_log2=None, multi_ctas_kv_counter_buffer=None,
        enable_block_sparse_attention=False, bf16q_fp8kv_transform_mode=None):
    """Decode from padded block tables [batch_size, max_pages]: q_len_per_req queries of each
    request, or as many as cum_seq_lens_q says. bmm1_scale is the logits' scale, bmm2_scale that of
    the output, with 1 / o_scale in it already. `mask` [batch_size, q_len_per_req, words]: bits of
    the request's queries that each sees, else those before it and itself."""
    refuse(o_sf_scale=o_sf_scale, o_sf_vec_size=o_sf_vec_size, kv_cache_sf=kv_cache_sf,
           bmm1_scale_log2=bmm1_scale_log2,
           enable_block_sparse_attention=enable_block_sparse_attention,
           bf16q_fp8kv_transform_mode=bf16q_fp8kv_transform_mode)
    rows = block_tables.shape[0] * (q_len_per_req or 1)
    if cum_seq_lens_q is None and query.shape[0] != rows:
        raise ValueError(f"query: expected {rows} rows, q_len_per_req = {q_len_per_req} of each "
                         f"request, got {query.shape[0]}")
    return attend(query, two_caches(kv_cache), block_tables, seq_lens, kv_layout=kv_layout,
                  logits_scale=bmm1_scale, out_scale=bmm2_scale,
                  qo_indptr=cum_seq_lens_q, window_left=window_left, mask=mask,
                  shared_index=uses_shared_paged_kv_idx, out=out, out_dtype=out_dtype, sinks=sinks,
                  lse=lse, return_lse=return_lse)


def xqa_batch_decode_with_kv_cache(
        query, kv_cache, workspace_buffer, block_tables, seq_lens, max_seq_len, bmm1_scale=1.0,
        bmm2_scale=1.0, window_left=-1, out=None, sinks=None, kv_layout="NHD", enable_pdl=None,
        q_len_per_req=1, o_scale=1.0, mask=None, kv_cache_sf=None, q_cu_seq_lens=None):
    """The same from the other entry, NHD by default."""
    return trtllm_batch_decode_with_kv_cache(
        query, kv_cache, workspace_buffer, block_tables, seq_lens, max_seq_len, bmm1_scale,
        bmm2_scale, window_left, out, sinks=sinks, kv_layout=kv_layout, enable_pdl=enable_pdl,
        q_len_per_req=q_len_per_req, o_scale=o_scale, mask=mask, kv_cache_sf=kv_cache_sf,
        cum_seq_lens_q=q_cu_seq_lens)


class BatchDecodeMlaWithPagedKVCacheWrapper:
    """MLA decode from an indptr of pages and last_page_len."""

    def __init__(self, float_workspace_buffer, use_cuda_graph=False, use_tensor_cores=False,
                 paged_kv_indptr_buffer=None, paged_kv_indices_buffer=None,
                 paged_kv_last_page_len_buffer=None):
        self.device = float_workspace_buffer.device
        self._inner = BatchMLAPagedAttentionWrapper(
            float_workspace_buffer, use_cuda_graph, None, paged_kv_indptr_buffer,
            paged_kv_indices_buffer, None)

    def plan(self, indptr, indices, last_page_len, num_qo_heads, head_dim_compressed_kv, page_size,
             sm_scale, window_left=-1, logits_soft_cap=None, data_type="float16", q_data_type=None,
             rope_scale=None, rope_theta=None):
        """`rope_scale` and `rope_theta` turn nothing here: q_pe and the cache come turned."""
        kv_lens = get_seq_lens(indptr, last_page_len, page_size)
        self._inner._plan(
            fixed_indptr(last_page_len.shape[0], 1, indptr.device), indptr, indices, kv_lens,
            num_qo_heads, head_dim_compressed_kv, 64, page_size, True, sm_scale,
            q_data_type or data_type, data_type, window_left, logits_soft_cap)

    def run(self, q_nope, q_pe, paged_ckv_cache, paged_kpe_cache, q_scale=None, k_scale=None,
            v_scale=None, out=None, lse=None, return_lse=False, enable_pdl=False):
        return self._inner._run(q_nope, q_pe, paged_ckv_cache, paged_kpe_cache, out, lse,
                                return_lse, q_scale=q_scale, k_scale=k_scale, v_scale=v_scale)

    def run_return_lse(self, *args, **kwargs):
        return self.run(*args, return_lse=True, **kwargs)


globals().update(not_there(
    "decode", "single_decode_with_kv_cache_with_jit_module cudnn_batch_decode_with_kv_cache",
    "attention with custom variants, or cuDNN's layouts"))
