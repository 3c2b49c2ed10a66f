# SPDX-License-Identifier: Apache-2.0
# Rotary embedding of the de-facto API: by (indptr, offsets), by position ids, by a cos/sin cache.
"""Rotary position embedding; the functions without _inplace return new tensors."""
from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

import weft
from weft.flashinfer import _quantize
from weft.flashinfer._common import layout_word, missing, operator


def _rotate(q: torch.Tensor, k: torch.Tensor, form: weft.RopeForm, outputs: tuple[Any, Any],
            **where: Any) -> tuple[torch.Tensor, torch.Tensor]:
    made = operator(weft.Rope, weft.RopeConfig, q.device, dtype=q.dtype, num_qo_heads=q.shape[1],
                    num_kv_heads=k.shape[1], head_dim=q.shape[2], rope=form)
    return made.run(q, k, q_out=outputs[0], k_out=outputs[1], **where)


@lru_cache(maxsize=256)
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
    form = _cache_form(cos_sin_cache, is_neox)
    heads = [x.view(x.shape[0], -1, head_size) for x in (query, key, *outputs)]
    _rotate(heads[0], heads[1], form, (heads[2], heads[3]), positions=positions,
            cos_sin_cache=cos_sin_cache)


def _heads(x):
    """MLA's keys [n, dim] have no dimension of heads."""
    return x.unsqueeze(1) if x is not None and x.ndim == 2 else x


def _out(given, like, dtype):
    return torch.empty_like(like, dtype=dtype) if given is None else given


def _cache_form(cos_sin_cache, is_neox):
    if cos_sin_cache.dtype != torch.float32:
        raise ValueError(f"cos_sin_cache: expected float32, got {cos_sin_cache.dtype}")
    return _form(not is_neox, cos_sin_cache.shape[1], None, 1.0, 1e4)


def rope_quantize_fp8(q_rope, k_rope, q_nope, k_nope, cos_sin_cache, pos_ids, is_neox=True,
                      quantize_dtype=None, quant_scale_q=1.0, quant_scale_kv=1.0, q_rope_out=None,
                      k_rope_out=None, q_nope_out=None, k_nope_out=None, enable_pdl=False,
                      backend="cuda"):
    """(q_rope, k_rope, q_nope, k_nope) in float8: the first two turned by the cache at pos_ids, all
    times their quant_scale. q [n, num_qo_heads, dim], k [n, num_kv_heads, dim], or [n, dim] with
    MLA; q_nope and k_nope may be None."""
    form = _cache_form(cos_sin_cache, is_neox)
    outputs = (q_rope_out, k_rope_out, q_nope_out, k_nope_out)
    dtype = _quantize.fp8_dtype(quantize_dtype, outputs)
    q_nope = q_rope[..., :0] if q_nope is None else q_nope
    k_nope = k_rope[..., :0] if k_nope is None else k_nope
    outputs = tuple(_out(out, like, dtype) for out, like in zip(
        outputs, (q_rope, k_rope, q_nope, k_nope)))
    places = _quantize.own_places(q_rope.shape[0], q_rope.device)
    angles = {"rope_positions": pos_ids, "cos_sin_cache": cos_sin_cache}
    _quantize.rotate(q_rope, q_nope, outputs[0], outputs[2], quant_scale_q, form, places, **angles)
    _quantize.rotate(*map(_heads, (k_rope, k_nope, outputs[1], outputs[3])), quant_scale_kv, form,
                     places, **angles)
    return outputs


def mla_rope_quantize_fp8(q_rope, k_rope, q_nope, k_nope, cos_sin_cache, pos_ids, is_neox=True,
                          quantize_dtype=None, quant_scale_q=1.0, quant_scale_kv=1.0,
                          q_rope_out=None, k_rope_out=None, q_nope_out=None, k_nope_out=None,
                          enable_pdl=False):
    """rope_quantize_fp8 with keys [n, dim]."""
    return rope_quantize_fp8(q_rope, k_rope, q_nope, k_nope, cos_sin_cache, pos_ids, is_neox,
                             quantize_dtype, quant_scale_q, quant_scale_kv, q_rope_out, k_rope_out,
                             q_nope_out, k_nope_out, enable_pdl)


def rope_quantize_fp8_append_paged_kv_cache(
        q_rope, k_rope, q_nope, k_nope, v, cos_sin_cache, pos_ids, paged_kv_cache, kv_indices,
        kv_indptr, batch_indices, positions, is_neox=True, quantize_dtype=None, quant_scale_q=1.0,
        quant_scale_kv=1.0, page_size=16, kv_layout="NHD", q_rope_out=None, q_nope_out=None,
        enable_pdl=False):
    """(q_rope, q_nope) in float8, and keys and values to their pages: (k_cache, v_cache) whose keys
    are [k_rope, k_nope], or MLA's (ckv_cache, kpe_cache), where v is None."""
    form = _cache_form(cos_sin_cache, is_neox)
    dtype = _quantize.fp8_dtype(quantize_dtype, (q_rope_out, q_nope_out))
    caches = _caches(k_rope, k_nope, v, paged_kv_cache, dtype)
    layout = "nhd" if k_rope.ndim == 2 else layout_word(kv_layout)
    found = caches[0][1].shape[1 if layout == "nhd" else 2]
    if found != page_size:
        raise ValueError(f"page_size: expected {found}, that of paged_kv_cache, got {page_size}")
    q_nope = q_rope[..., :0] if q_nope is None else q_nope
    out = _out(q_rope_out, q_rope, dtype), _out(q_nope_out, q_nope, dtype)
    angles = {"rope_positions": pos_ids, "cos_sin_cache": cos_sin_cache}
    _quantize.rotate(q_rope, q_nope, *out, quant_scale_q, form,
                     _quantize.own_places(q_rope.shape[0], q_rope.device), **angles)
    where = {"batch_indices": batch_indices, "positions": positions, "kv_indptr": kv_indptr,
             "kv_indices": kv_indices}
    rows = [x for x, _ in caches]
    if k_rope.device.type == "cpu" and bool((batch_indices < 0).any()):  # padding is left out
        real = batch_indices >= 0
        rows, angles["rope_positions"] = [x[real] for x in rows], pos_ids[real]
        where.update(batch_indices=batch_indices[real], positions=positions[real])
    targets = [cache for _, cache in caches]
    _quantize.append(*rows[:2], tuple(targets[:2]), quant_scale_kv, form, where, layout, **angles)
    if len(rows) == 4:
        _quantize.append(*rows[2:], tuple(targets[2:]), quant_scale_kv, None, where, layout)
    return out


def _caches(k_rope, k_nope, v, paged_kv_cache, dtype):
    """(rows, their part of the cache): the rotated first, then the other keys and the values, two
    an append; keys that are not rotated go as two halves."""
    first, second = paged_kv_cache
    if first.dtype != dtype or second.dtype != dtype:
        raise ValueError(f"paged_kv_cache: expected {dtype}, got {first.dtype} and {second.dtype}")
    if k_rope.ndim == 2:
        if v is not None:
            raise ValueError("v: expected None with MLA's keys, got a tensor")
        return [(_heads(k_rope), second.unsqueeze(2)), (_heads(k_nope), first.unsqueeze(2))]
    if v is None:
        raise ValueError("v: expected a tensor with keys of heads, got None")
    rope, nope = k_rope.shape[2], 0 if k_nope is None else k_nope.shape[2]
    made = [(k_rope, first[..., :rope]), (v, second)]
    if nope == 1:
        raise missing("k_nope of one element")
    if nope:
        half = nope // 2
        made += [(k_nope[..., :half], first[..., rope:rope + half]),
                 (k_nope[..., half:], first[..., rope + half:])]
    return made
