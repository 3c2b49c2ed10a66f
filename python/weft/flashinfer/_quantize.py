# SPDX-License-Identifier: Apache-2.0
# Rotation into float8, by weft's append: rows go to pages of one token that are the outputs
# themselves, or to a cache. Called by rope.py; knows weft.Append and no entry.
from __future__ import annotations

from typing import Any

import torch

import weft
from weft._planned import fixed_indptr
from weft.flashinfer._common import FP8, operator


def fp8_dtype(quantize_dtype: Any, outputs: tuple[Any, ...]) -> torch.dtype:
    """The dtype asked for, or that of the outputs; e4m3 by default."""
    given = [out.dtype for out in outputs if out is not None]
    dtype = quantize_dtype or (given[0] if given else torch.float8_e4m3fn)
    if dtype not in FP8:
        raise ValueError(f"quantize_dtype: expected float8_e4m3fn or float8_e5m2, got {dtype}")
    return dtype


def append(rotated: Any, plain: Any, caches: tuple[Any, Any], scale: float, form: Any,
           where: dict[str, Any], kv_layout: str = "nhd", **angles: Any) -> None:
    """rotated [n, heads, dim] (turned by `form`, None not at all) and plain [n, heads, dim_other],
    both times `scale`, into their caches."""
    made = operator(weft.Append, weft.AppendConfig, rotated.device, dtype=rotated.dtype,
                    dtype_kv=caches[0].dtype, num_kv_heads=rotated.shape[1],
                    head_dim_qk=rotated.shape[2], head_dim_vo=plain.shape[2],
                    page_size=caches[0].shape[1 if kv_layout == "nhd" else 2],
                    kv_layout=kv_layout, rope=form)
    made.run(rotated, plain, caches, k_scale=1.0 / scale, v_scale=1.0 / scale, **where, **angles)


def own_places(n: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Token t on page t: a tensor [n, heads, dim] as its own cache."""
    at = torch.arange(n, dtype=torch.int32, device=device)
    return {"batch_indices": torch.zeros_like(at), "positions": at,
            "kv_indptr": fixed_indptr(1, n, device), "kv_indices": at}


def rotate(rope: torch.Tensor, nope: Any, rope_out: torch.Tensor, nope_out: Any, scale: float,
           form: Any, places: dict[str, torch.Tensor], **angles: Any) -> None:
    """rope [n, heads, rope_dim] and nope [n, heads, other] (None or of no size: none) into float8
    tensors of their shapes."""
    if nope is None or nope.shape[2] == 0:  # append wants a second tensor: the same, to nowhere
        nope, nope_out = rope, torch.empty_like(rope, dtype=rope_out.dtype)
    append(rope, nope, (rope_out.unsqueeze(1), nope_out.unsqueeze(1)), scale, form, places,
           **angles)
