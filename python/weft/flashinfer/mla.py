# SPDX-License-Identifier: Apache-2.0
# MLA over a compressed cache: keys are (ckv, kpe), values are ckv.
"""Multi-head latent attention over pages."""
from __future__ import annotations

import torch

import weft
from weft.flashinfer._block_tables import attend_latent
from weft.flashinfer._common import LN2, last_page_lens, missing, refuse
from weft.flashinfer._prefill_plan import PrefillPlan


def joined_cache(ckv: torch.Tensor, kpe: torch.Tensor) -> torch.Tensor:
    """One tensor [pages, page_size, 1, ckv + kpe]: the caller's own when kpe follows ckv in its
    memory, as engines lay it out; else a copy of both."""
    beside = (ckv.data_ptr() + ckv.shape[-1] * ckv.element_size() == kpe.data_ptr()
              and ckv.stride() == kpe.stride() and ckv.shape[:-1] == kpe.shape[:-1])
    if beside and ckv.stride(1) >= ckv.shape[-1] + kpe.shape[-1]:
        size = (*ckv.shape[:-1], ckv.shape[-1] + kpe.shape[-1])
        return ckv.as_strided(size, ckv.stride()).unsqueeze(2)
    return torch.cat([ckv, kpe], dim=-1).unsqueeze(2)


class BatchMLAPagedAttentionWrapper:
    """plan() once a step, run() once a layer."""

    def __init__(self, float_workspace_buffer, use_cuda_graph=False, qo_indptr=None,
                 kv_indptr=None, kv_indices=None, kv_len_arr=None, backend="auto"):
        self.device = float_workspace_buffer.device
        self._use_cuda_graph, self._backend = use_cuda_graph, backend
        self._buffers = {"qo_indptr": qo_indptr, "kv_indptr": kv_indptr, "kv_indices": kv_indices}
        self._last: torch.Tensor | None = None
        self._planned = PrefillPlan(self.device, use_cuda_graph)

    def plan(self, qo_indptr, kv_indptr, kv_indices, kv_len_arr, num_heads, head_dim_ckv,
             head_dim_kpe, page_size, causal, sm_scale, q_data_type, kv_data_type,
             use_profiler=False):
        """`kv_len_arr` int32 [batch_size]: KV tokens of each request; kv_indptr may be longer than
        the batch, as buffers are."""
        refuse(use_profiler=use_profiler)
        self._plan(qo_indptr, kv_indptr, kv_indices, kv_len_arr, num_heads, head_dim_ckv,
                   head_dim_kpe, page_size, causal, sm_scale, q_data_type, kv_data_type, -1, None)

    def _hold(self, name, array):
        buffer = self._buffers.get(name)
        if not self._use_cuda_graph or buffer is None:
            return self._planned.to_device(name, array)
        buffer[:len(array)].copy_(array, non_blocking=True)
        return buffer if name == "kv_indices" else buffer[:len(array)]

    def _plan(self, qo_indptr, kv_indptr, kv_indices, kv_len_arr, num_heads, head_dim_ckv,
              head_dim_kpe, page_size, causal, sm_scale, q_data_type, kv_data_type, window_left,
              logits_soft_cap):
        last = last_page_lens(self._planned.to_device("kv_len_arr", kv_len_arr), page_size)
        if self._use_cuda_graph and self._last is not None:
            self._last.copy_(last)
        else:
            self._last = last
        batch = weft.AttentionBatch(self._hold("qo_indptr", qo_indptr),
                                    self._hold("kv_indptr", kv_indptr[:len(qo_indptr)]),
                                    self._hold("kv_indices", kv_indices), self._last)
        self._planned.configure(
            qo_indptr=qo_indptr, batch=batch, kv_lens=None, num_qo_heads=num_heads, num_kv_heads=1,
            head_dim_qk=head_dim_ckv + head_dim_kpe, head_dim_vo=head_dim_ckv,
            page_size=page_size, kv_layout="NHD", causal=causal, sm_scale=sm_scale,
            window_left=window_left, logits_soft_cap=logits_soft_cap, q_data_type=q_data_type,
            kv_data_type=kv_data_type)

    def run(self, q_nope, q_pe, ckv_cache, kpe_cache, out=None, lse=None, return_lse=False,
            profiler_buffer=None, kv_len=None, page_table=None, return_lse_base_on_e=False,
            o_scale=None, *, ckv_scale=None, ckv_scale_arr=None, kpe_scale=None):
        """q_nope [nnz, num_heads, head_dim_ckv], q_pe [nnz, num_heads, head_dim_kpe], ckv_cache
        [pages, page_size, head_dim_ckv], kpe_cache alike; o like q_nope."""
        refuse(profiler_buffer=profiler_buffer, kv_len=kv_len, page_table=page_table,
               ckv_scale_arr=ckv_scale_arr)
        if kpe_scale is not None and kpe_scale != (1.0 if ckv_scale is None else ckv_scale):
            raise missing("a kpe_scale other than ckv_scale")
        v_scale = ckv_scale
        if o_scale is not None:
            v_scale = (1.0 if ckv_scale is None else ckv_scale) / o_scale
        got = self._run(q_nope, q_pe, ckv_cache, kpe_cache, out, lse, return_lse,
                        k_scale=ckv_scale, v_scale=v_scale)
        if return_lse and return_lse_base_on_e:
            got[1].mul_(LN2)
        return got

    def _run(self, q_nope, q_pe, ckv_cache, kpe_cache, out, lse, return_lse, **scales):
        cache = joined_cache(ckv_cache, kpe_cache)
        return self._planned.attend(torch.cat([q_nope, q_pe], dim=-1),
                                    (cache, cache[..., :ckv_cache.shape[-1]]), out=out, lse=lse,
                                    return_lse=return_lse, **scales)

    def run_return_lse(self, *args, **kwargs):
        return self.run(*args, return_lse=True, **kwargs)


def trtllm_batch_decode_with_kv_cache_mla(
        query, kv_cache, workspace_buffer, qk_nope_head_dim, kv_lora_rank, qk_rope_head_dim,
        block_tables, seq_lens, max_seq_len, sparse_mla_top_k=0, out=None, bmm1_scale=1.0,
        bmm2_scale=1.0, sinks=None, skip_softmax_threshold_scale_factor=None, enable_pdl=None,
        backend="auto", is_var_seq=True, uses_shared_paged_kv_idx=True, lse=None, return_lse=False,
        cute_dsl_impl="auto", kv_scale_format="auto", cum_seq_lens_q=None, max_q_len=None,
        multi_ctas_kv_counter_buffer=None):
    """Decode from padded block tables: query [batch_size, q_len, heads, rank + rope], kv_cache
    [pages, page_size, rank + rope]; o [batch_size, q_len, heads, rank]."""
    refuse(sparse_mla_top_k=sparse_mla_top_k or None,
           kv_scale_format=None if kv_scale_format == "auto" else kv_scale_format)
    return attend_latent(query, kv_cache, kv_lora_rank, block_tables, seq_lens, out,
                         cum_seq_lens_q, lse, logits_scale=bmm1_scale, out_scale=bmm2_scale,
                         sinks=sinks, return_lse=return_lse, shared_index=uses_shared_paged_kv_idx)


def xqa_batch_decode_with_kv_cache_mla(
        query, kv_cache, workspace_buffer, qk_nope_head_dim, kv_lora_rank, qk_rope_head_dim,
        block_tables, seq_lens, max_seq_len, out=None, bmm1_scale=1.0, bmm2_scale=1.0, sinks=None,
        enable_pdl=None):
    """The same from the other entry."""
    return attend_latent(query, kv_cache, kv_lora_rank, block_tables, seq_lens, out,
                         logits_scale=bmm1_scale, out_scale=bmm2_scale, sinks=sinks)
