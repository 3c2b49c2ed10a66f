# SPDX-License-Identifier: Apache-2.0
# Attention of transformers' continuous batching. Full-attention layers read the cache where it
# lies, as pages of one token; sliding-window layers, whose new keys may overwrite old ones that
# are still needed, go through the cache's own gather. One plan a forward and layer group.
from __future__ import annotations

import weakref
from typing import Any

import torch

import weft
from weft._planned import PlanHolder, limits
from weft._struct import dtype_name
from weft.integrations.transformers import refuse, run_values

# Of each cache: the plans of its layer groups.
_plans: "weakref.WeakKeyDictionary[Any, dict[Any, _Group]]" = weakref.WeakKeyDictionary()


class _Group:
    """The plan of one group of layers, made anew by the first of them that comes in a forward: they
    come in ascending order. Its memory stays where it is, for graphs that have captured it; they
    plan again in each replay, so all of one size share it."""

    def __init__(self, device: torch.device) -> None:
        self.holder = PlanHolder(device)
        self.last_layer = 1 << 30


def _group(cache: Any, key: tuple[Any, ...], qo_indptr: torch.Tensor, q: torch.Tensor) -> _Group:
    groups = _plans.setdefault(cache, {})
    key = (*key, *limits(len(qo_indptr) - 1, q.shape[0]))
    held = groups.get(key)
    if held is None:
        held = groups[key] = _Group(q.device)
    return held


def attention(module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
              attention_mask: Any, dropout: float = 0.0, scaling: float | None = None,
              sliding_window: int | None = None, softcap: float | None = None, s_aux: Any = None,
              **kwargs: Any) -> tuple[torch.Tensor, None]:
    """query [1, heads, tokens, dim], key and value [1, kv_heads, tokens, dim] of all requests, with
    the arguments that continuous batching passes; the result is [1, tokens, heads, dim]."""
    cache = kwargs.get("cache")
    if cache is None:
        raise ValueError("cache: expected the paged cache of continuous batching, got none; use "
                         'attn_implementation="weft" for a dense forward')
    refuse(dropout=dropout, attention_mask=attention_mask, block_table=kwargs.get("block_table"))
    layer = module.layer_idx
    group, in_group = cache.layer_index_to_group_indices[layer]
    read = kwargs["read_index"][group]
    window = cache.sliding_windows[layer]  # 1 of a layer without
    layer_type = "full_attention" if window == 1 else "sliding_attention"
    paged = layer_type == "full_attention" and read.numel() > 0
    if paged:
        k, v = _write(cache, in_group, kwargs["write_index"][group], key, value)
    else:
        k, v = cache.update(key_states=key, value_states=value, layer_idx=layer,
                            read_index=kwargs["read_index"], write_index=kwargs["write_index"])
    q = query.transpose(1, 2).squeeze(0)
    held = _group(cache, (group, paged, read.data_ptr()), kwargs["cu_seq_lens_q"], q)
    if layer <= held.last_layer:
        _plan(held.holder, kwargs, layer_type, read if paged else None, q, k, v)
    held.last_layer = layer
    values = run_values(module, scaling, None if window == 1 else window, softcap, s_aux,
                        q.shape[2])
    o, _ = held.holder.attention.run(held.holder.current, q, (k, v), return_lse=False, **values)
    return o.unsqueeze(0), None


def _write(cache: Any, in_group: int, write_index: torch.Tensor, key: torch.Tensor,
           value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """New keys and values into the cache; the cache as pages of one token."""
    out = []
    for states, held in ((key, cache.key_cache[in_group]), (value, cache.value_cache[in_group])):
        held.index_copy_(0, write_index, states.transpose(1, 2).squeeze(0))
        out.append(held.unsqueeze(1))
    return out[0], out[1]


def _plan(holder: PlanHolder, kwargs: dict[str, Any], layer_type: str, read: Any, q: torch.Tensor,
          k: torch.Tensor, v: torch.Tensor) -> None:
    kv_indptr = kwargs["cu_seq_lens_k"]
    if isinstance(kv_indptr, dict):
        kv_indptr = kv_indptr[layer_type]
    qo_indptr = kwargs["cu_seq_lens_q"]
    pages: dict[str, Any] = {}
    if read is not None:
        pages = {"kv_indices": read.to(torch.int32),
                 "last_page_len": torch.ones(len(kv_indptr) - 1, dtype=torch.int32,
                                             device=q.device)}
    batch = weft.AttentionBatch(qo_indptr.to(torch.int32), kv_indptr.to(torch.int32), **pages)
    holder.plan(q.shape[0], batch, dtype_q=dtype_name("query", q.dtype),
                dtype_kv=dtype_name("key", k.dtype), num_qo_heads=q.shape[1],
                num_kv_heads=k.shape[-2], head_dim_qk=q.shape[2], head_dim_vo=v.shape[-1],
                page_size=1 if read is not None else 0, mask="causal")
