# SPDX-License-Identifier: Apache-2.0
# What paged and ragged prefill share: the arguments of plan in weft's words, custom masks as bits,
# and the run-time values. Called by prefill.py, attention.py, mla.py, pod.py, sparse.py.
from __future__ import annotations

import threading
from typing import Any

import torch

import weft
from weft._planned import fixed_indptr, indptr_of
from weft.flashinfer._common import (FP8, Planned, alibi_slopes, default_scale, float8_of,
                                     host_last, in_a_graph, layout_word, missing, q_word, rope_form,
                                     scale_values, sinks_value, split_config, torch_dtype, word)
from weft.flashinfer.quantization import pack_segments


def mask_bits(qo_indptr: torch.Tensor, kv_lens: Any, custom_mask: Any,
              packed_custom_mask: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Bits [qo_len, kv_len] of each request, each from a byte of its own on; and those bytes."""
    counts = (qo_indptr[1:] - qo_indptr[:-1]).to(torch.int64) * kv_lens.to(torch.int64)
    if packed_custom_mask is not None:
        return packed_custom_mask.contiguous(), indptr_of((counts + 7) // 8)
    size = custom_mask.numel() // 8 + counts.shape[0] + 1  # the exact count is the device's
    return pack_segments(custom_mask, indptr_of(counts, torch.int64), "little", size)


def tree_bits(tree: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Bits of bool [batch_size, q_len, q_len], each request's from a byte of its own on."""
    n, each = tree.shape[0], tree.shape[1] * tree.shape[2]
    return pack_segments(tree, fixed_indptr(n, each, tree.device), "little", n * ((each + 7) // 8))


def item_mask(qo_indptr: torch.Tensor, kv_lens: torch.Tensor, prefix_lens: torch.Tensor,
              positions: torch.Tensor, width: int) -> torch.Tensor:
    """The flat mask of multi-item scoring: behind the prefix a query sees the prefix and, of its
    own item, what is before it and itself. `positions` [batch_size * width] counts from the
    prefix's end on, 0 at what parts two items, which only sees the prefix. Waits for the device:
    the lengths make the mask's size."""
    device, masks = qo_indptr.device, []
    positions = positions.to(device, torch.int64).reshape(-1)
    qo_lens = (qo_indptr[1:] - qo_indptr[:-1]).tolist()
    for r, (n, m, prefix) in enumerate(zip(qo_lens, kv_lens.tolist(), prefix_lens.tolist())):
        i = torch.arange(m - n, m, device=device)[:, None]
        j = torch.arange(m, device=device)
        own = positions[r * width:(r + 1) * width]
        if m - prefix > own.shape[0]:
            raise ValueError(f"token_pos_in_items_ptr: expected at least {m - prefix} positions of "
                             f"request {r}, behind its prefix, got {own.shape[0]}")
        at = own[(i - prefix).clamp(min=0)] if own.shape[0] else torch.zeros_like(i)
        behind = (j < prefix) | ((j > i - at) & (j <= i))
        masks.append(torch.where(i >= prefix, behind, j <= i).reshape(-1))
    return torch.cat(masks) if masks else torch.zeros(0, dtype=torch.bool, device=device)


def with_token_axis(kv: Any, axis: int) -> Any:
    """Pages of one token, which callers may give without the dimension of their tokens."""
    if isinstance(kv, (tuple, list)):
        return tuple(x.unsqueeze(axis) if x.ndim == 3 else x for x in kv)
    return kv.unsqueeze(axis) if kv.ndim == 4 else kv


class PrefillPlan(Planned):
    """A Planned whose run-time values were given to plan(), as the de-facto API has it."""

    def configure(self, *, qo_indptr: torch.Tensor, batch: weft.AttentionBatch,
                  kv_lens: torch.Tensor | None, num_qo_heads: int, num_kv_heads: int,
                  head_dim_qk: int, head_dim_vo: int | None, page_size: int, kv_layout: str,
                  causal: bool, sm_scale: float | None, window_left: int,
                  logits_soft_cap: float | None, pos_encoding_mode: str = "NONE",
                  rope_scale: Any = None, rope_theta: Any = None, q_data_type: Any = "float16",
                  kv_data_type: Any = None, o_data_type: Any = None, custom_mask: Any = None,
                  packed_custom_mask: Any = None, fixed_split_size: int | None = None,
                  disable_split_kv: bool = False, nnz_qo: int | None = None,
                  tree: Any = None) -> None:
        """Plans `batch`; `qo_indptr` is the caller's own array, which may lie on the host. `tree`:
        which of its request's queries each one sees, bool [batch_size, q_len, q_len]."""
        masked = custom_mask is not None or packed_custom_mask is not None
        kv_dtype = torch_dtype(q_data_type if kv_data_type is None else kv_data_type)
        dtype_q = q_word(q_data_type, o_data_type)
        self.o_float8 = torch_dtype(o_data_type) if torch_dtype(o_data_type) in FP8 else None
        o_data_type = None if self.o_float8 else o_data_type
        if pos_encoding_mode == "ALIBI" and (logits_soft_cap or 0) > 0:
            raise missing("ALIBI together with logits_soft_cap")
        self.values = {
            "window_left": window_left, "logits_soft_cap": max(0.0, float(logits_soft_cap or 0.0)),
            "alibi_slopes": (alibi_slopes(num_qo_heads, self.device)
                             if pos_encoding_mode == "ALIBI" else None)}
        if masked or tree is not None:
            bits, first = (mask_bits(batch.qo_indptr, kv_lens, custom_mask, packed_custom_mask)
                           if masked else tree_bits(tree))
            self.values.update(custom_mask=bits.to(self.device), mask_indptr=first.to(self.device))
        self.num_qo_heads, self.num_kv_heads = num_qo_heads, num_kv_heads
        self.token_axis = {"NHD": -3, "HND": -2}[kv_layout] if page_size == 1 else None
        self.sm_scale = default_scale(sm_scale, head_dim_qk)
        self.plan(
            host_last(qo_indptr) if nnz_qo is None else nnz_qo, batch,
            dtype_q=dtype_q, dtype_kv=word("kv_data_type", kv_dtype),
            dtype_o="none" if o_data_type is None else word("o_data_type", o_data_type),
            num_qo_heads=num_qo_heads, num_kv_heads=num_kv_heads, head_dim_qk=head_dim_qk,
            head_dim_vo=head_dim_vo or head_dim_qk, page_size=page_size,
            kv_layout=layout_word(kv_layout),
            mask=("custom" if masked else "tree" if tree is not None
                  else "causal" if causal else "none"),
            rope=rope_form(pos_encoding_mode, rope_scale, rope_theta), window_left=window_left,
            **split_config(page_size, fixed_split_size, disable_split_kv))

    def attend(self, q: torch.Tensor, kv: Any, *, q_scale: Any = None, k_scale: Any = None,
               v_scale: Any = None, out: Any = None, lse: Any = None, return_lse: bool = False,
               sinks: Any = None, sm_scale: float | None = None, window_left: int | None = None,
               logits_soft_cap: float | None = None) -> Any:
        """A layer; None leaves what plan() was given. Engines call this once a layer."""
        self.check_planned()
        values = self.values
        if self.token_axis is not None:
            kv = with_token_axis(kv, self.token_axis)
        if window_left is not None and window_left != values["window_left"]:
            values = {**values, "window_left": window_left}
        if logits_soft_cap is not None and logits_soft_cap != values["logits_soft_cap"]:
            values = {**values, "logits_soft_cap": logits_soft_cap}
        scale = self.sm_scale if sm_scale is None else sm_scale
        if q_scale is None and k_scale is None and v_scale is None:
            values = {**values, "sm_scale": scale}
        else:
            q, scales = scale_values(q, self.q_dtype, self.num_kv_heads, scale, q_scale, k_scale,
                                     v_scale)
            values = {**values, **scales}
        if sinks is not None:
            values["sink"] = sinks_value(sinks)
        if self.o_float8 is None:
            return self.run(q, kv, out, lse, return_lse, **values)
        got = self.run(q, kv, None, lse, return_lse, **values)
        o, *rest = got if return_lse else (got,)
        o = float8_of(o, self.o_float8, out)
        return (o, *rest) if return_lse else o


class _Kept(threading.local):
    """The plans of calls that plan and run in one, by thread, stream and kind of call: on a stream
    a call's plan is over when the next one's is made, so its memory serves again."""

    def __init__(self) -> None:
        self.plans: dict[Any, PrefillPlan] = {}


_kept = _Kept()
MOST_KEPT = 8  # of some 10 MB each


def plan_for_one_call(device: torch.device, *kind: Any) -> PrefillPlan:
    """A PrefillPlan for a call that plans, runs and forgets; `kind` is what its config depends on.
    What a graph captures has its own: nobody knows when it is replayed."""
    if in_a_graph(device):
        return PrefillPlan(device)
    stream = 0
    if device.type == "cuda":
        stream = torch.cuda.current_stream(device).cuda_stream
    plans, key = _kept.plans, (device, stream, *kind)
    found = plans.get(key)
    if found is None:
        while len(plans) >= MOST_KEPT:
            del plans[next(iter(plans))]
        found = plans[key] = PrefillPlan(device)
    return found
