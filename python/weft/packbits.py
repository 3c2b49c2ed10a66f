# SPDX-License-Identifier: Apache-2.0
# packbits in Python, with the words of include/weft/packbits.h. Contracts: docs/semantics.md.
"""Eight booleans a byte, as attention's custom masks are made of."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weft import _struct
from weft._call import Call
from weft._operator import Operator
from weft._tensors import framework_of

_CONFIG = _struct.declare("weft_packbits_config", "order:bit_order")
_ARGS = _struct.declare("weft_packbits_args", """
    reserved:u32 x:tensor indptr:tensor out_indptr:tensor out:tensor""")

RUN = Call("weft_packbits_run", _ARGS, "x indptr out_indptr out")


@dataclass(frozen=True, repr=False)
class PackBitsConfig(_struct.Config):
    """``order``: "little" puts element i into bit i % 8 (what masks want), "big" into the bit that
    is as far from the other end."""

    _struct = _CONFIG
    order: str = "little"


class PackBits(Operator):
    """Packs bytes that are zero or not into bits.

    >>> import numpy as np
    >>> pack = PackBits(PackBitsConfig())
    >>> pack.run(np.array([1, 0, 1, 1, 0, 0, 0, 0, 1], np.uint8)).tolist()
    [13, 1]
    """

    _name = "packbits"
    config: PackBitsConfig

    def run(self, x: Any, *, indptr: Any = None, out_indptr: Any = None, out: Any = None,
            stream: int | None = None) -> Any:
        """Returns ``out`` uint8 [bytes], made when not given and there are no segments. ``x`` uint8
        [nnz]. Segment s, ``x[indptr[s]:indptr[s + 1]]``, gets the bytes from ``out_indptr[s]`` on;
        both int32 [num_segments + 1]. Bytes of no segment are not written."""
        if out is None:
            if indptr is not None:
                raise ValueError("out: expected an array to write segments to, got None")
            out = framework_of("x", x).empty(x, (-(-x.shape[0] // 8),), "u8")
        RUN.call(self, None, (x, indptr, out_indptr, out), ("out",), stream)
        return out
