# SPDX-License-Identifier: Apache-2.0
# Block-sparse attention as paged attention: a block row is a request, a block column a page.
"""Attention over a block-sparse (BSR) mask."""
from __future__ import annotations

import torch

import weft
from weft.flashinfer._common import not_there, per_head, refuse
from weft.flashinfer._prefill_plan import PrefillPlan


def convert_bsr_mask_layout(mask: torch.Tensor, indptr: torch.Tensor) -> torch.Tensor:
    """Bits [blocks, R, C], block after block, as [R, blocks of the row * C] row after row."""
    blocks, r, c = mask.shape
    at = torch.arange(blocks, device=mask.device)
    ends = indptr[1:].to(mask.device, torch.int64).contiguous()
    row = torch.searchsorted(ends, at, right=True)
    start = indptr.to(mask.device, torch.int64)[row]
    width = (ends[row] - start) * c
    place = ((start * r * c + (at - start) * c)[:, None, None]
             + width[:, None, None] * torch.arange(r, device=mask.device)[:, None]
             + torch.arange(c, device=mask.device))
    out = torch.empty(mask.numel(), dtype=mask.dtype, device=mask.device)
    out[place.reshape(-1)] = mask.reshape(-1)
    return out


class BlockSparseAttentionWrapper:
    """Queries [M, heads, dim] in blocks of R over keys [N, heads, dim] in blocks of C."""

    def __init__(self, float_workspace_buffer, backend="auto"):
        self.device = float_workspace_buffer.device
        self._planned = PrefillPlan(self.device)

    def reset_workspace_buffer(self, float_workspace_buffer, *int_workspace_buffers):
        """weft keeps its plans in memory of its own."""

    def plan(self, indptr, indices, M, N, R, C, num_qo_heads, num_kv_heads, head_dim, mask=None,
             packed_mask=None, causal=False, pos_encoding_mode="NONE", use_fp16_qk_reduction=False,
             logits_soft_cap=None, sm_scale=None, rope_scale=None, rope_theta=None,
             q_data_type="float16", kv_data_type=None, o_data_type="float16", non_blocking=True,
             block_mask=None):
        """`indptr` [M / R + 1] and `indices` of blocks, as in scipy's BSR. `o_data_type` is that
        of q when o is made here."""
        refuse(block_mask=block_mask, causal=causal)
        if M % R or N % C:
            raise ValueError(f"M, N: expected multiples of R = {R} and C = {C}, got {M} and {N}")
        planned, device = self._planned, self._planned.device
        kv_indptr = planned.to_device("indptr", indptr)
        qo_indptr = torch.arange(M // R + 1, dtype=torch.int32, device=device) * R
        last = torch.full((M // R,), C, dtype=torch.int32, device=device)
        if mask is not None:
            mask = convert_bsr_mask_layout(mask.to(device), indptr)
        self._shape = (M, N, C, num_kv_heads, head_dim)
        planned.configure(
            qo_indptr=qo_indptr,
            batch=weft.AttentionBatch(qo_indptr, kv_indptr, planned.to_device("indices", indices),
                                      last),
            kv_lens=(kv_indptr[1:] - kv_indptr[:-1]) * C, num_qo_heads=num_qo_heads,
            num_kv_heads=num_kv_heads, head_dim_qk=head_dim, head_dim_vo=None, page_size=C,
            kv_layout="NHD", causal=False, sm_scale=sm_scale, window_left=-1,
            logits_soft_cap=logits_soft_cap, pos_encoding_mode=pos_encoding_mode,
            rope_scale=rope_scale, rope_theta=rope_theta, q_data_type=q_data_type,
            kv_data_type=kv_data_type, custom_mask=mask, packed_custom_mask=packed_mask, nnz_qo=M)

    begin_forward = plan

    def run(self, q, k, v, scale_q=None, scale_k=None, scale_v=None, out=None, lse=None,
            return_lse=False, enable_pdl=None):
        """o [M, num_qo_heads, head_dim], with base-2 lse when asked."""
        _, n, c, heads, dim = self._shape
        pages = [x.view(n // c, c, heads, x.shape[-1]) for x in (k, v)]
        scales = [per_head(s, heads) if torch.is_tensor(s) else s for s in (scale_k, scale_v)]
        return self._planned.attend(q, tuple(pages), q_scale=scale_q, k_scale=scales[0],
                                    v_scale=scales[1], out=out, lse=lse, return_lse=return_lse)

    forward = run

    def run_return_lse(self, *args, **kwargs):
        return self.run(*args, return_lse=True, **kwargs)

    def end_forward(self):
        """Deprecated: nothing to do."""


globals().update(not_there("sparse", "VariableBlockSparseAttentionWrapper",
                           "attention over blocks of varying size"))
