# SPDX-License-Identifier: Apache-2.0
# topk in Python, with the words of include/weft/topk.h. Contracts: docs/semantics.md.
"""The k largest values of each row and where they are."""
from __future__ import annotations

import ctypes
from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _library, _struct
from weft._call import Call, executor
from weft._operator import Operator
from weft._tensors import framework_of

_CONFIG = _struct.declare("weft_topk_config", """
    dtype:dtype max_len:i32 k:i32 sorted:bool page_size:i32 checked:bool""")
_ARGS = _struct.declare("weft_topk_args", """
    reserved:u32 input:tensor lengths:tensor row_starts:tensor page_table:tensor
    row_to_batch:tensor offsets:tensor indices:tensor values:tensor""")

RUN = Call("weft_topk_run", _ARGS,
           "input lengths row_starts page_table row_to_batch offsets indices values")


@dataclass(frozen=True, repr=False)
class TopkConfig(_struct.Config):
    """``max_len``: columns of the input; ``sorted``: largest first, else by position;
    ``page_size``: positions a page of a page table holds."""

    _struct = _CONFIG
    _: KW_ONLY
    max_len: int
    k: int
    dtype: Any = "f32"
    sorted: bool = False
    page_size: int = 1
    checked: bool = True


class Topk(Operator):
    """Of equal values the lower positions are taken; a row shorter than k ends in -1.

    >>> import numpy as np
    >>> topk = Topk(TopkConfig(max_len=4, k=2, sorted=True))
    >>> indices, values = topk.run(np.array([[0.0, 3.0, 1.0, 2.0]], np.float32))
    >>> indices.tolist(), values.tolist()
    ([[1, 3]], [[3.0, 2.0]])
    """

    _name = "topk"
    config: TopkConfig

    def run(self, input: Any, *, lengths: Any = None, row_starts: Any = None,
            page_table: Any = None, row_to_batch: Any = None, offsets: Any = None,
            indices: Any = None, values: Any = None, return_values: bool = True,
            stream: int | None = None) -> tuple[Any, Any]:
        """Returns ``(indices int32 [n, k], values [n, k])``, made when not given; values None
        without ``return_values``.

        ``input`` [n, max_len]; ``lengths``, ``row_starts``, ``row_to_batch``, ``offsets`` int32
        [n]; ``page_table`` int32 [batch_size, pages]. Positions count from the row's start, go
        through the page table of row_to_batch[row], or have offsets[row] added.
        """
        c, n = self.config, input.shape[0]
        framework = framework_of("input", input)
        if indices is None:
            indices = framework.empty(input, (n, c.k), "i32")
        if values is None and return_values:
            values = framework.empty(input, (n, c.k), c.dtype)
        RUN.call(self, None, (input, lengths, row_starts, page_table, row_to_batch, offsets,
                              indices, values), ("indices", "values"), stream)
        return indices, values

    def check(self, stream: int = 0) -> None:
        """Waits for a GPU's stream; ValueError naming the first element that a run found wrong."""
        _library.check(_library.library().weft_topk_check(
            ctypes.c_void_p(self._handle), executor(stream)))
