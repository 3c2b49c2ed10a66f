# SPDX-License-Identifier: Apache-2.0
# Block-sparse attention as paged attention: a block row is a request, a block column a page.
"""Attention over a block-sparse (BSR) mask."""
from __future__ import annotations

import torch

import weft
from weft._planned import fixed_indptr, indptr_of
from weft.flashinfer._common import missing, per_head, refuse
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


def _causal_blocks(indptr, indices, m, n, r, c):
    """Bits [blocks, R, C] of the causal mask over [M, N]."""
    at = torch.arange(indices.shape[0], device=indices.device)
    row = torch.searchsorted(indptr[1:].to(torch.int64).contiguous(), at, right=True)
    i = row[:, None] * r + torch.arange(r, device=indices.device)
    j = indices[:, None] * c + torch.arange(c, device=indices.device)
    return j[:, None, :] <= i[:, :, None] + n - m


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
        of q when o is made here. Causal is that of the whole matrix, bottom right, and gives way to
        a mask."""
        refuse(block_mask=block_mask)
        if M % R or N % C:
            raise ValueError(f"M, N: expected multiples of R = {R} and C = {C}, got {M} and {N}")
        planned, device = self._planned, self._planned.device
        kv_indptr = planned.to_device("indptr", indptr)
        qo_indptr = fixed_indptr(M // R, R, device)
        last = torch.full((M // R,), C, dtype=torch.int32, device=device)
        if causal and mask is None and packed_mask is None:
            mask = _causal_blocks(kv_indptr, indices.to(device), M, N, R, C)
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


def _chosen_tokens(block_mask_map, block_row_sz, block_col_sz):
    """Of each head and block row (a request): its queries, and the tokens that its blocks hold, as
    places in k of all heads. Sizes come from the device, which is waited for."""
    device = block_mask_map.device
    rows, columns = (x.to(device, torch.int64) for x in (block_row_sz, block_col_sz))
    heads, num_rows, _ = block_mask_map.shape
    qo_len, kv_len = int(rows[0].sum()), int(columns[0].sum())
    if bool((rows.sum(1) != qo_len).any()) or bool((columns.sum(1) != kv_len).any()):
        raise ValueError("block_row_sz, block_col_sz: expected the same sum of each head, got "
                         f"{rows.sum(1).tolist()} and {columns.sum(1).tolist()}")
    seen = torch.stack([of_head.to(torch.bool).repeat_interleave(sizes, 1, output_size=kv_len)
                        for of_head, sizes in zip(block_mask_map, columns)])
    at = seen.nonzero()
    indices = (at[:, 0] * kv_len + at[:, 2]).to(torch.int32)
    counts = seen.sum(2).reshape(heads * num_rows)
    return rows.reshape(-1), counts, indices, seen, qo_len, kv_len


def _causal_bits(seen, rows, qo_len, kv_len):
    """What causal leaves of the chosen tokens, query by query and head by head."""
    heads, num_rows, _ = seen.shape
    of_query = torch.arange(heads * num_rows, device=seen.device).repeat_interleave(rows)
    each = seen.reshape(heads * num_rows, kv_len)[of_query]
    i = torch.arange(heads * qo_len, device=seen.device)[:, None] % qo_len
    j = torch.arange(kv_len, device=seen.device)
    return (j <= i + kv_len - qo_len)[each]


class VariableBlockSparseAttentionWrapper:
    """Queries [num_qo_heads, qo_len, dim] over keys [num_kv_heads, kv_len, dim] under a block mask
    of each KV head, whose rows and columns have sizes of their own. A head's block row is a
    request over pages of one token."""

    def __init__(self, float_workspace_buffer, backend="auto"):
        self.device = float_workspace_buffer.device
        self._planned = PrefillPlan(self.device)

    def reset_workspace_buffer(self, float_workspace_buffer, *int_workspace_buffers):
        """weft keeps its plans in memory of its own."""

    def plan(self, block_mask_map, block_row_sz, block_col_sz, num_qo_heads, num_kv_heads, head_dim,
             causal=False, pos_encoding_mode="NONE", use_fp16_qk_reduction=False,
             logits_soft_cap=None, sm_scale=None, rope_scale=None, rope_theta=None,
             non_blocking=True, q_data_type="float16", kv_data_type=None):
        """block_mask_map bool [num_kv_heads, rows, columns], block_row_sz [num_kv_heads, rows],
        block_col_sz [num_kv_heads, columns]. Waits for the device: the sizes lie there. Causal is
        that of the whole matrix, bottom right."""
        if pos_encoding_mode == "ALIBI":
            raise missing("ALIBI over blocks of varying size")
        if block_mask_map.shape[0] != num_kv_heads:
            raise ValueError(f"block_mask_map: expected {num_kv_heads} heads, got "
                             f"{block_mask_map.shape[0]}")
        planned = self._planned
        rows, counts, indices, seen, qo_len, kv_len = _chosen_tokens(
            block_mask_map.to(planned.device), block_row_sz, block_col_sz)
        qo_indptr = indptr_of(rows)
        mask = _causal_bits(seen, rows, qo_len, kv_len) if causal else None
        self._shape = (num_qo_heads, num_kv_heads, qo_len, kv_len)
        planned.configure(
            qo_indptr=qo_indptr,
            batch=weft.AttentionBatch(qo_indptr, indptr_of(counts), indices,
                                      (counts > 0).to(torch.int32)),
            kv_lens=counts, num_qo_heads=num_qo_heads // num_kv_heads, num_kv_heads=1,
            head_dim_qk=head_dim, head_dim_vo=None, page_size=1, kv_layout="NHD", causal=False,
            sm_scale=sm_scale, window_left=-1, logits_soft_cap=logits_soft_cap,
            pos_encoding_mode=pos_encoding_mode, rope_scale=rope_scale, rope_theta=rope_theta,
            q_data_type=q_data_type, kv_data_type=kv_data_type, custom_mask=mask,
            nnz_qo=num_kv_heads * qo_len)

    begin_forward = plan

    def run(self, q, k, v, out=None, lse=None, return_lse=False, enable_pdl=None):
        """o [num_qo_heads, qo_len, dim], with base-2 lse [num_qo_heads, qo_len] when asked."""
        heads, kv_heads, qo_len, kv_len = self._shape
        group = heads // kv_heads
        rows = q.view(kv_heads, group, qo_len, -1).transpose(1, 2).reshape(
            kv_heads * qo_len, group, q.shape[2])
        pages = tuple(x.reshape(kv_heads * kv_len, 1, 1, x.shape[2]) for x in (k, v))
        o, s = self._planned.attend(rows, pages, return_lse=True)
        o = o.view(kv_heads, qo_len, group, -1).transpose(1, 2).reshape(heads, qo_len, -1)
        s = s.view(kv_heads, qo_len, group).transpose(1, 2).reshape(heads, qo_len)
        o = o if out is None else out.copy_(o)
        s = s if lse is None else lse.copy_(s)
        return (o, s) if return_lse else o

    forward = run

    def run_return_lse(self, *args, **kwargs):
        return self.run(*args, return_lse=True, **kwargs)

    def end_forward(self):
        """Deprecated: nothing to do."""
