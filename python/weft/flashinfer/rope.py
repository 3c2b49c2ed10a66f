# SPDX-License-Identifier: Apache-2.0
# Rotary embedding of the de-facto API: by (indptr, offsets), by position ids, by a cos/sin cache.
"""Rotary position embedding; the functions without _inplace return new tensors."""
from __future__ import annotations

from typing import Any

import torch

import weft
from weft.flashinfer._common import device_word, not_there, operator, word


def _rotate(q: torch.Tensor, k: torch.Tensor, form: weft.RopeForm, outputs: tuple[Any, Any],
            **where: Any) -> tuple[torch.Tensor, torch.Tensor]:
    config = weft.RopeConfig(dtype=word("q", q.dtype), num_qo_heads=q.shape[1],
                             num_kv_heads=k.shape[1], head_dim=q.shape[2], rope=form)
    made = operator(weft.Rope, device_word(q.device), config)
    return made.run(q, k, q_out=outputs[0], k_out=outputs[1], **where)


def _form(interleave, rotary_dim, head_dim, rope_scale, rope_theta, llama31=None):
    extra = {} if llama31 is None else {
        "llama31": True, "low_freq_factor": float(llama31[0]),
        "high_freq_factor": float(llama31[1]), "old_context_len": int(llama31[2])}
    return weft.RopeForm("interleaved" if interleave else "neox", dim=rotary_dim or head_dim,
                         scale=float(rope_scale), theta=float(rope_theta), **extra)


def _offsets(q, indptr, offsets):
    return {"indptr": indptr.to(torch.int32), "offsets": offsets.to(torch.int32)}


def apply_rope(q, k, indptr, offsets, rotary_dim=None, interleave=False, rope_scale=1,
               rope_theta=1e4):
    """q [nnz, num_qo_heads, head_dim], k [nnz, num_kv_heads, head_dim]: token t of request r at
    offsets[r] + t - indptr[r]."""
    form = _form(interleave, rotary_dim, q.shape[-1], rope_scale, rope_theta)
    return _rotate(q, k, form, (None, None), **_offsets(q, indptr, offsets))


def apply_rope_inplace(q, k, indptr, offsets, rotary_dim=None, interleave=False, rope_scale=1,
                       rope_theta=1e4):
    """The same into q and k."""
    form = _form(interleave, rotary_dim, q.shape[-1], rope_scale, rope_theta)
    _rotate(q, k, form, (q, k), **_offsets(q, indptr, offsets))


def apply_rope_pos_ids(q, k, pos_ids, rotary_dim=None, interleave=False, rope_scale=1,
                       rope_theta=1e4):
    """Token t at pos_ids[t]."""
    form = _form(interleave, rotary_dim, q.shape[-1], rope_scale, rope_theta)
    return _rotate(q, k, form, (None, None), positions=pos_ids)


def apply_rope_pos_ids_inplace(q, k, pos_ids, rotary_dim=None, interleave=False, rope_scale=1,
                               rope_theta=1e4):
    """The same into q and k."""
    form = _form(interleave, rotary_dim, q.shape[-1], rope_scale, rope_theta)
    _rotate(q, k, form, (q, k), positions=pos_ids)


def apply_llama31_rope(q, k, indptr, offsets, rotary_dim=None, interleave=False, rope_scale=8,
                       rope_theta=5e5, low_freq_factor=1, high_freq_factor=4,
                       old_context_len=8192):
    """apply_rope with the frequencies of Llama 3.1."""
    form = _form(interleave, rotary_dim, q.shape[-1], rope_scale, rope_theta,
                 (low_freq_factor, high_freq_factor, old_context_len))
    return _rotate(q, k, form, (None, None), **_offsets(q, indptr, offsets))


def apply_llama31_rope_inplace(q, k, indptr, offsets, rotary_dim=None, interleave=False,
                               rope_scale=8, rope_theta=5e5, low_freq_factor=1,
                               high_freq_factor=4, old_context_len=8192):
    """The same into q and k."""
    form = _form(interleave, rotary_dim, q.shape[-1], rope_scale, rope_theta,
                 (low_freq_factor, high_freq_factor, old_context_len))
    _rotate(q, k, form, (q, k), **_offsets(q, indptr, offsets))


def apply_llama31_rope_pos_ids(q, k, pos_ids, rotary_dim=None, interleave=False, rope_scale=8,
                               rope_theta=5e5, low_freq_factor=1, high_freq_factor=4,
                               old_context_len=8192):
    """apply_rope_pos_ids with the frequencies of Llama 3.1."""
    form = _form(interleave, rotary_dim, q.shape[-1], rope_scale, rope_theta,
                 (low_freq_factor, high_freq_factor, old_context_len))
    return _rotate(q, k, form, (None, None), positions=pos_ids)


def apply_llama31_rope_pos_ids_inplace(q, k, pos_ids, rotary_dim=None, interleave=False,
                                       rope_scale=8, rope_theta=5e5, low_freq_factor=1,
                                       high_freq_factor=4, old_context_len=8192):
    """The same into q and k."""
    form = _form(interleave, rotary_dim, q.shape[-1], rope_scale, rope_theta,
                 (low_freq_factor, high_freq_factor, old_context_len))
    _rotate(q, k, form, (q, k), positions=pos_ids)


def apply_rope_with_cos_sin_cache(positions, query, key, head_size, cos_sin_cache, is_neox=True):
    """query [nnz, num_qo_heads * head_size], key alike; cache f32 [max_position, rotary_dim], cos
    in the first half, sin in the second."""
    out = torch.empty_like(query), torch.empty_like(key)
    _with_cache(positions, query, key, head_size, cos_sin_cache, is_neox, out)
    return out


def apply_rope_with_cos_sin_cache_inplace(positions, query, key, head_size, cos_sin_cache,
                                          is_neox=True):
    """The same into query and key."""
    _with_cache(positions, query, key, head_size, cos_sin_cache, is_neox, (query, key))


def _with_cache(positions, query, key, head_size, cos_sin_cache, is_neox, outputs):
    if cos_sin_cache.dtype != torch.float32:
        raise ValueError(f"cos_sin_cache: expected float32, got {cos_sin_cache.dtype}")
    heads = [x.view(x.shape[0], -1, head_size) for x in (query, key, *outputs)]
    form = weft.RopeForm("neox" if is_neox else "interleaved", dim=cos_sin_cache.shape[1])
    _rotate(heads[0], heads[1], form, (heads[2], heads[3]), positions=positions,
            cos_sin_cache=cos_sin_cache)


globals().update(not_there("rope", "rope_quantize_fp8 mla_rope_quantize_fp8 "
                           "rope_quantize_fp8_append_paged_kv_cache", "rope with FP8 outputs"))
