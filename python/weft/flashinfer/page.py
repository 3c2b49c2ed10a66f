# SPDX-License-Identifier: Apache-2.0
# Pages: lengths of requests, places of new tokens, and writing them.
"""Appending to a paged KV cache."""
from __future__ import annotations

import torch

import weft
from weft.flashinfer._common import layout_word, not_there, operator


def get_seq_lens(kv_indptr, kv_last_page_len, page_size):
    """KV tokens of each request: int32 [batch_size]."""
    pages = kv_indptr[1:] - kv_indptr[:-1]
    return (torch.clamp(pages - 1, min=0) * page_size
            + torch.where(pages > 0, kv_last_page_len, 0)).to(torch.int32)


def get_batch_indices_positions(append_indptr, seq_lens, nnz, batch_indices=None, positions=None):
    """Request and position of each of `nnz` new tokens that end their requests' KV. Tokens beyond
    append_indptr[-1] get -1 and 0."""
    device = append_indptr.device
    at = torch.arange(nnz, dtype=torch.int32, device=device)
    ends = append_indptr[1:].contiguous()
    request = torch.searchsorted(ends, at, right=True, out_int32=True)
    inside = request < ends.shape[0]
    safe = torch.where(inside, request, 0).long()
    if ends.shape[0] == 0:
        request, place = torch.full_like(at, -1), torch.zeros_like(at)
    else:
        place = torch.where(inside, seq_lens.to(device)[safe] - (ends[safe] - at), 0)
        request = torch.where(inside, request, -1)
    batch_indices = request.to(torch.int32) if batch_indices is None else _fill(batch_indices,
                                                                               request)
    positions = place.to(torch.int32) if positions is None else _fill(positions, place)
    return batch_indices, positions


def _fill(out, values):
    out[:values.shape[0]].copy_(values)
    return out


def _append(k, v, cache, batch_indices, positions, kv_indices, kv_indptr, kv_layout, page_size):
    k_cache = cache[0] if isinstance(cache, (tuple, list)) else cache
    made = operator(weft.Append, weft.AppendConfig, k.device, dtype=k.dtype,
                    dtype_kv=k_cache.dtype, num_kv_heads=k.shape[1], head_dim_qk=k.shape[2],
                    head_dim_vo=v.shape[2], page_size=page_size,
                    kv_layout=layout_word(kv_layout))
    if k.device.type == "cpu" and bool((batch_indices < 0).any()):  # padding is left out
        real = batch_indices >= 0
        k, v, batch_indices, positions = k[real], v[real], batch_indices[real], positions[real]
    made.run(k, v, cache, batch_indices=batch_indices, positions=positions, kv_indptr=kv_indptr,
             kv_indices=kv_indices)


def append_paged_kv_cache(append_key, append_value, batch_indices, positions, paged_kv_cache,
                          kv_indices, kv_indptr, kv_last_page_len, kv_layout="NHD"):
    """Writes append_key, append_value [nnz, num_kv_heads, head_dim] into the pages."""
    joined = not isinstance(paged_kv_cache, (tuple, list))
    shape = paged_kv_cache.shape[1:] if joined else paged_kv_cache[0].shape
    _append(append_key, append_value, paged_kv_cache, batch_indices, positions, kv_indices,
            kv_indptr, kv_layout, shape[1 if kv_layout == "NHD" else 2])


def append_paged_mla_kv_cache(append_ckv, append_kpe, batch_indices, positions, ckv_cache,
                              kpe_cache, kv_indices, kv_indptr, kv_last_page_len):
    """Writes append_ckv [nnz, head_dim_ckv] and append_kpe [nnz, head_dim_kpe] into the pages."""
    _append(append_ckv.unsqueeze(1), append_kpe.unsqueeze(1),
            (ckv_cache.unsqueeze(2), kpe_cache.unsqueeze(2)), batch_indices, positions, kv_indices,
            kv_indptr, "NHD", ckv_cache.shape[1])


globals().update(not_there("page", "nvfp4_quantize_append_paged_kv_cache", "NVFP4 caches"))
