# SPDX-License-Identifier: Apache-2.0
# rope in Python, with the words of include/weft/rope.h; and the form of a rotation, which attention
# and append share. Contracts: docs/semantics.md.
"""Rotary position embedding of q and k, in place or not."""
from __future__ import annotations

import ctypes
from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _library, _struct
from weft._call import Call, executor
from weft._operator import Operator
from weft._tensors import framework_of

_FORM = _struct.declare("weft_rope_form", """
    mode:rope_mode dim:i32 theta:f32 scale:f32 llama31:bool low_freq_factor:f32
    high_freq_factor:f32 old_context_len:i32""")
_CONFIG = _struct.declare("weft_rope_config", """
    dtype:dtype num_qo_heads:i32 num_kv_heads:i32 head_dim:i32 checked:bool rope:pointer""")
_ARGS = _struct.declare("weft_rope_args", """
    reserved:u32 q:tensor k:tensor q_out:tensor k_out:tensor positions:tensor indptr:tensor
    offsets:tensor cos_sin_cache:tensor""")

RUN = Call("weft_rope_run", _ARGS, "q k q_out k_out positions indptr offsets cos_sin_cache")


@dataclass(frozen=True, repr=False)
class RopeForm(_struct.Config):
    """Which rotation. ``mode``: "neox" pairs element f with f + dim/2, "interleaved" 2f with
    2f + 1. ``dim`` leading elements are rotated, 0 is all. Frequency f is
    theta ** (-2f/dim) / scale, or with ``llama31`` the blend of Llama 3.1."""

    _struct = _FORM
    mode: str = "neox"
    _: KW_ONLY
    dim: int = 0
    theta: float = 10000.0
    scale: float = 1.0
    llama31: bool = False
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    old_context_len: int = 8192


@dataclass(frozen=True, repr=False)
class RopeConfig(_struct.Config):
    """``num_kv_heads`` 0 is no k. ``checked``: positions are read before anything is written."""

    _struct = _CONFIG
    _: KW_ONLY
    num_qo_heads: int
    head_dim: int
    num_kv_heads: int = 0
    dtype: Any = "bf16"
    rope: RopeForm = RopeForm()
    checked: bool = True


class Rope(Operator):
    """Rotates q, and k when the config has one.

    >>> import numpy as np
    >>> rope = Rope(RopeConfig(dtype="f32", num_qo_heads=1, head_dim=4))
    >>> q = np.array([[[1, 0, 0, 0]]], np.float32)
    >>> rotated, _ = rope.run(q, positions=np.array([1], np.int32))
    >>> [round(float(x), 4) for x in rotated[0, 0]]
    [0.5403, 0.0, 0.8415, 0.0]
    """

    _name = "rope"
    config: RopeConfig

    def run(self, q: Any, k: Any = None, *, q_out: Any = None, k_out: Any = None,
            positions: Any = None, indptr: Any = None, offsets: Any = None,
            cos_sin_cache: Any = None, stream: int | None = None) -> tuple[Any, Any]:
        """Returns ``(q_out, k_out)``, made when not given; each may be its own input.

        ``q`` [nnz, num_qo_heads, head_dim], ``k`` [nnz, num_kv_heads, head_dim]. Positions in one
        of two ways: ``positions`` int32 or int64 [nnz], or ``indptr`` int32 [batch_size + 1] with
        ``offsets`` int32 [batch_size]. ``cos_sin_cache`` f32 [max_position, dim] replaces theta.
        """
        if q_out is None:
            q_out = framework_of("q", q).empty(q, tuple(q.shape), self.config.dtype)
        if k_out is None and k is not None:
            k_out = framework_of("k", k).empty(k, tuple(k.shape), self.config.dtype)
        RUN.call(self, None, (q, k, q_out, k_out, positions, indptr, offsets, cos_sin_cache),
                 ("q_out", "k_out"), stream)
        return q_out, k_out

    def check(self, stream: int = 0) -> None:
        """Waits for a GPU's stream; ValueError naming the first element that a run found wrong."""
        _library.check(_library.library().weft_rope_check(
            ctypes.c_void_p(self._handle), executor(stream)))
