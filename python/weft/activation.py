# SPDX-License-Identifier: Apache-2.0
# activation in Python, with the words of include/weft/activation.h. Contracts: docs/semantics.md.
"""An activation of one half of a row times the other half."""
from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _struct
from weft._call import Call
from weft._operator import Operator
from weft._tensors import framework_of

_CONFIG = _struct.declare("weft_activation_config", """
    dtype:dtype dtype_out:dtype kind:activation_kind hidden:i32""")
_ARGS = _struct.declare("weft_activation_args", "scale:f32 x:tensor out:tensor scales:tensor")

RUN = Call("weft_activation_run", _ARGS, "x out scale scales")


@dataclass(frozen=True, repr=False)
class ActivationConfig(_struct.Config):
    """``kind``: "silu", "gelu" or "gelu_tanh". ``hidden``: elements of a row of out; a row of x has
    twice as many. ``dtype_out`` may be "e4m3" or "e5m2"."""

    _struct = _CONFIG
    _: KW_ONLY
    hidden: int
    dtype: Any = "bf16"
    dtype_out: Any = "none"
    kind: str = "silu"


class Activation(Operator):
    """act(left half) * right half.

    >>> import numpy as np
    >>> silu = Activation(ActivationConfig(dtype="f32", hidden=1))
    >>> round(float(silu.run(np.array([[1.0, 2.0]], np.float32))[0, 0]), 4)
    1.4621
    """

    _name = "activation"
    config: ActivationConfig

    def run(self, x: Any, *, out: Any = None, scale: float = 1.0, scales: Any = None,
            stream: int | None = None) -> Any:
        """Returns ``out`` [n, hidden], made when not given. ``x`` [n, 2 * hidden]. ``out`` holds
        y / ``scale``; ``scales`` f32 [1] multiplies it, and is read on the device."""
        if out is None:
            c = self.config
            dtype = c.dtype if c.dtype_out == "none" else c.dtype_out
            out = framework_of("x", x).empty(x, (x.shape[0], c.hidden), dtype)
        RUN.call(self, None, (x, out, scale, scales), ("out",), stream)
        return out
