# SPDX-License-Identifier: Apache-2.0
# norm in Python, with the words of include/weft/norm.h. Contracts: docs/semantics.md.
"""RMS and layer normalisation of rows, with the residual added and FP8 out on the way."""
from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _struct
from weft._call import Call
from weft._operator import Operator
from weft._tensors import framework_of

_CONFIG = _struct.declare("weft_norm_config", """
    dtype:dtype dtype_out:dtype dtype_weight:dtype hidden:i32 num_heads:i32 kind:norm_kind
    residual:bool eps:f32 weight_offset:f32""")
_ARGS = _struct.declare("weft_norm_args", """
    scale:f32 x:tensor weight:tensor bias:tensor residual:tensor out:tensor scales:tensor""")

RUN = Call("weft_norm_run", _ARGS, "x weight bias residual out scale scales")


@dataclass(frozen=True, repr=False)
class NormConfig(_struct.Config):
    """``kind``: "rms" or "layer". ``num_heads`` 0: rows are [n, hidden], else [n, num_heads,
    hidden]. ``residual``: x + residual is normalised, and becomes the residual. ``weight_offset``
    is added to the weight: 1 for Gemma. ``dtype_out`` may be "e4m3" or "e5m2"."""

    _struct = _CONFIG
    _: KW_ONLY
    hidden: int
    dtype: Any = "bf16"
    dtype_out: Any = "none"
    dtype_weight: Any = "none"
    num_heads: int = 0
    kind: str = "rms"
    residual: bool = False
    eps: float = 1e-6
    weight_offset: float = 0.0


class Norm(Operator):
    """Normalises rows.

    >>> import numpy as np
    >>> norm = Norm(NormConfig(dtype="f32", hidden=4))
    >>> norm.run(np.array([[3.0, 3.0, -3.0, 3.0]], np.float32)).round(3).tolist()
    [[1.0, 1.0, -1.0, 1.0]]
    """

    _name = "norm"
    config: NormConfig

    def run(self, x: Any, weight: Any = None, *, bias: Any = None, residual: Any = None,
            out: Any = None, scale: float = 1.0, scales: Any = None,
            stream: int | None = None) -> Any:
        """Returns ``out``, made when not given; it may be x. ``x`` [n, hidden] or [n, num_heads,
        hidden]; ``weight``, and ``bias`` of a layer norm, [hidden] or [num_heads, hidden];
        ``residual`` as x, in and out. ``out`` holds y / ``scale``; ``scales`` f32
        [max(1, num_heads)] multiplies it, and is read on the device."""
        if out is None:
            c = self.config
            dtype = c.dtype if c.dtype_out == "none" else c.dtype_out
            out = framework_of("x", x).empty(x, tuple(x.shape), dtype)
        RUN.call(self, None, (x, weight, bias, residual, out, scale, scales),
                 ("residual", "out"), stream)
        return out
