# SPDX-License-Identifier: Apache-2.0
# Attention from padded block tables [batch_size, max_pages], planned and run in one call, as the
# entries of other kernels' names want it. Called by decode.py, prefill.py, mla.py, xqa.py.
from __future__ import annotations

from typing import Any

import torch

import weft
from weft._planned import fixed_indptr, indptr_of
from weft.flashinfer._common import missing
from weft.flashinfer._prefill_plan import plan_for_one_call


def pages_of_tables(block_tables: torch.Tensor, seq_lens: torch.Tensor,
                    page_size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """indptr, indices and last_page_len of padded block tables, without waiting for a device."""
    n, width = block_tables.shape
    lens = seq_lens.to(torch.int64).to(block_tables.device)
    pages = (lens + page_size - 1) // page_size
    indptr = indptr_of(pages, torch.int64)
    at = torch.arange(width, device=block_tables.device)
    place = torch.where(at < pages[:, None], indptr[:-1, None] + at, n * width)
    indices = torch.zeros(n * width + 1, dtype=torch.int32, device=block_tables.device)
    indices.scatter_(0, place.reshape(-1), block_tables.to(torch.int32).reshape(-1))
    last = torch.where(lens > 0, (lens - 1) % page_size + 1, 0).to(torch.int32)
    return indptr.to(torch.int32), indices[:n * width], last


def two_caches(kv_cache: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """k and v of a pair, of [pages, 2, ...], or of [pages, 1, ...], where they are one."""
    if isinstance(kv_cache, (tuple, list)):
        return kv_cache[0], kv_cache[1]
    return kv_cache[:, 0], kv_cache[:, -1]


def qo_indptr_of(query: torch.Tensor, batch_size: int, given: Any) -> torch.Tensor:
    """Queries of each request: given, or the same number of each."""
    if given is not None:
        return given.to(torch.int32)
    step = query.shape[0] // max(1, batch_size)
    if step * batch_size != query.shape[0]:
        raise ValueError(f"query: expected a multiple of {batch_size} rows, got {query.shape[0]}")
    return fixed_indptr(batch_size, step, query.device)


def tree_of(mask: torch.Tensor, rows: int) -> torch.Tensor:
    """bool [batch_size, q_len, q_len] of the bits [batch_size, q_len, words], lowest first, that
    say which of a request's queries each of them sees."""
    n, q_len = mask.shape[:2]
    if mask.ndim != 3 or n * q_len != rows or mask.shape[2] * 8 * mask.element_size() < q_len:
        raise ValueError(f"mask: expected bits [batch_size, q_len, words] of {rows} queries, got "
                         f"{mask.dtype} {list(mask.shape)}")
    octets = mask.contiguous().view(torch.uint8)[..., None]
    bits = octets >> torch.arange(8, dtype=torch.uint8, device=mask.device) & 1
    return bits.reshape(n, q_len, -1)[..., :q_len].bool()


def attend(query: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor], block_tables: torch.Tensor,
           seq_lens: torch.Tensor, *, kv_layout: str, logits_scale: Any, out_scale: Any,
           qo_indptr: Any = None, causal: bool = True, window_left: int = -1, soft_cap: Any = None,
           shared_index: bool = True, out: Any = None, out_dtype: Any = None, sinks: Any = None,
           lse: Any = None, return_lse: bool = False, mask: Any = None) -> Any:
    """query [nnz_qo, num_qo_heads, dim] over pages; logits times logits_scale (all of it), the
    output times out_scale, each a number or a tensor of one. `mask` as tree_of takes it."""
    if not shared_index:
        raise missing("uses_shared_paged_kv_idx = False")
    if mask is not None and qo_indptr is not None:
        raise missing("a mask of queries together with cumulative lengths")
    tree = None if mask is None else tree_of(mask, query.shape[0])
    k, v = kv
    page_axis = 2 if kv_layout == "HND" else 1
    page_size, heads = k.shape[page_axis], k.shape[3 - page_axis]
    planned = plan_for_one_call(query.device, "tables", query.dtype, k.dtype, query.shape[1:],
                                v.shape[3], query.shape[0] > 8 * block_tables.shape[0])
    indptr, indices, last = (planned.to_device(name, x) for name, x in zip(
        ("indptr", "block_tables", "last_page_len"),
        pages_of_tables(block_tables, seq_lens, page_size)))
    qo = planned.to_device("cum_seq_lens_q",
                           qo_indptr_of(query, block_tables.shape[0], qo_indptr))
    planned.configure(
        qo_indptr=qo, batch=weft.AttentionBatch(qo, indptr, indices, last), kv_lens=None,
        num_qo_heads=query.shape[1], num_kv_heads=heads, head_dim_qk=query.shape[2],
        head_dim_vo=v.shape[3], page_size=page_size, kv_layout=kv_layout, causal=causal,
        sm_scale=1.0, window_left=window_left, logits_soft_cap=soft_cap, q_data_type=query.dtype,
        kv_data_type=k.dtype, o_data_type=out_dtype or (None if out is None else out.dtype),
        nnz_qo=query.shape[0], tree=tree)
    return planned.attend(query, (k, v), k_scale=logits_scale, v_scale=out_scale, out=out, lse=lse,
                          return_lse=return_lse, sinks=sinks)


def attend_latent(query: torch.Tensor, kv_cache: torch.Tensor, rank: int,
                  block_tables: torch.Tensor, seq_lens: torch.Tensor, out: Any = None,
                  qo_indptr: Any = None, lse: Any = None, **values: Any) -> Any:
    """MLA: query [batch_size, q_len, heads, rank + rope] (or without q_len), kv_cache [pages,
    page_size, rank + rope]; o has `rank` elements a head."""
    cache = kv_cache.squeeze(1) if kv_cache.ndim == 4 else kv_cache
    shape = (*query.shape[:-1], rank)
    rows = query.reshape(-1, *query.shape[-2:])
    flat = None if out is None else out.view(rows.shape[0], rows.shape[1], rank)
    got = attend(rows, (cache.unsqueeze(2), cache[..., :rank].unsqueeze(2)), block_tables, seq_lens,
                 kv_layout="NHD", out=flat, lse=lse, qo_indptr=qo_indptr, **values)
    o, s = got if isinstance(got, tuple) else (got, None)
    o = o.view(shape) if out is None else out
    return o if s is None else (o, s)
