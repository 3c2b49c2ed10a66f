# SPDX-License-Identifier: Apache-2.0
# attention as an operator of torch.library, so that torch.compile(fullgraph=True) keeps it in its
# graph: o and lse are declared mutated, and the fake implementation does nothing. Loaded by
# attention.py when torch compiles; an object crosses as the number it got when it was made.
from __future__ import annotations

import itertools
import weakref
from typing import Any

from weft import _library

_numbers = itertools.count(1)
_objects: "weakref.WeakValueDictionary[int, Any]" = weakref.WeakValueDictionary()


def number(made: Any) -> int:
    """A number for an object, never used again."""
    token = next(_numbers)
    _objects[token] = made
    return token


def _find(name: str, token: int) -> Any:
    found = _objects.get(token)
    if found is None:
        raise RuntimeError(f"{name}: expected one that is still alive, got one that a compiled "
                           "graph outlived")
    return found


_SCHEMA = """attention_run(int attention, int plan, Tensor q, Tensor k, Tensor? v, Tensor(a!) o,
    Tensor(b!)? lse, float? sm_scale, float logits_soft_cap, int window_left, float k_scale,
    float v_scale, Tensor? k_scales, Tensor? v_scales, Tensor? sink, Tensor? alibi_slopes,
    Tensor? custom_mask, Tensor? mask_indptr, bool lse_base2) -> ()"""


def _real(attention: int, plan: int, *values: Any) -> None:
    made = _find("attention", attention)
    status = made._run(made._run_at, None, made._handle, _find("plan", plan)._handle, *values)
    if status:
        _library.raise_status(status)


def _fake(attention: int, plan: int, *values: Any) -> None:
    return None


def register() -> Any:
    """Defines torch.ops.weft.attention_run, once a process."""
    import torch
    library = torch.library.Library("weft", "DEF")
    library.define(" ".join(_SCHEMA.split()))
    library.impl("attention_run", _real, "CPU")
    library.impl("attention_run", _real, "CUDA")
    torch.library.register_fake("weft::attention_run", _fake, lib=library)
    return library


def attention_run(attention: Any, plan: Any, *values: Any) -> None:
    """The same call as a node of the graph that is being compiled."""
    import torch
    torch.ops.weft.attention_run(attention._token, plan._token, *values)
