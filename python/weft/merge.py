# SPDX-License-Identifier: Apache-2.0
# merge in Python, with the words of include/weft/merge.h. Contracts: docs/semantics.md.
"""The algebra of attention states: (o, lse) over disjoint keys into one over their union."""
from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _struct
from weft._call import Call
from weft._operator import Operator
from weft._tensors import framework_of

_CONFIG = _struct.declare("weft_merge_config", """
    dtype:dtype dtype_o:dtype num_heads:i32 head_dim:i32 lse_base2:bool""")
_ARGS = _struct.declare("weft_merge_args", """
    reserved:u32 o_in:tensor lse_in:tensor o:tensor lse:tensor""")
_PAIR_ARGS = _struct.declare("weft_merge_pair_args", """
    reserved:u32 o_a:tensor lse_a:tensor o_b:tensor lse_b:tensor o:tensor lse:tensor mask:tensor""")

RUN = Call("weft_merge_run", _ARGS, "o_in lse_in o lse")
RUN_PAIR = Call("weft_merge_run_pair", _PAIR_ARGS, "o_a lse_a o_b lse_b o lse mask")


@dataclass(frozen=True, repr=False)
class MergeConfig(_struct.Config):
    """``dtype`` of every o that comes in, ``dtype_o`` of the result ("none": the same)."""

    _struct = _CONFIG
    _: KW_ONLY
    num_heads: int
    head_dim: int
    dtype: Any = "bf16"
    dtype_o: Any = "none"
    lse_base2: bool = False


class Merge(Operator):
    """Merges attention states.

    >>> import numpy as np
    >>> merge = Merge(MergeConfig(dtype="f32", num_heads=1, head_dim=8))
    >>> o = np.stack([np.zeros((1, 8)), np.ones((1, 8))])[None].astype(np.float32)  # two states
    >>> o.shape
    (1, 2, 1, 8)
    >>> merged, lse = merge.run(o, np.zeros((1, 2, 1), np.float32))
    >>> float(merged[0, 0, 0]), round(float(lse[0, 0]), 3)
    (0.5, 0.693)
    """

    _name = "merge"
    config: MergeConfig

    def _outputs(self, like: Any, out: Any, lse: Any, return_lse: bool) -> tuple[Any, Any]:
        c = self.config
        framework = framework_of("o", like)
        dtype = c.dtype if c.dtype_o == "none" else c.dtype_o
        if out is None:
            out = framework.empty(like, (like.shape[0], c.num_heads, c.head_dim), dtype)
        if lse is None and return_lse:
            lse = framework.empty(like, (like.shape[0], c.num_heads), "f32")
        return out, lse

    def run(self, o_in: Any, lse_in: Any, *, out: Any = None, lse: Any = None,
            return_lse: bool = True, stream: int | None = None) -> tuple[Any, Any]:
        """Merges ``o_in`` [n, num_states, num_heads, head_dim] with ``lse_in`` f32
        [n, num_states, num_heads] into ``(o [n, num_heads, head_dim], lse [n, num_heads])``."""
        out, lse = self._outputs(o_in, out, lse, return_lse)
        RUN.call(self, None, (o_in, lse_in, out, lse), ("o", "lse"), stream)
        return out, lse

    def run_pair(self, o_a: Any, lse_a: Any, o_b: Any, lse_b: Any, *, out: Any = None,
                 lse: Any = None, return_lse: bool = True, mask: Any = None,
                 stream: int | None = None) -> tuple[Any, Any]:
        """Merges two states. In place is allowed: ``out`` may be o_a or o_b, ``lse`` lse_a or
        lse_b. ``mask`` uint8 [n]: where 0, b is left out."""
        out, lse = self._outputs(o_a, out, lse, return_lse)
        RUN_PAIR.call(self, None, (o_a, lse_a, o_b, lse_b, out, lse, mask), ("o", "lse"), stream)
        return out, lse
