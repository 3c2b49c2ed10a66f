# SPDX-License-Identifier: Apache-2.0
# Top-k of the de-facto API. weft's is deterministic and gives equal values to the lower positions.
"""The k largest of each row, plain, through page tables, or with offsets."""
from __future__ import annotations

import enum
from typing import Any

import torch

import weft
from weft.flashinfer._common import missing, operator, refuse


class TopKTieBreak(enum.IntEnum):
    """Which of equal values wins."""

    NONE = 0
    SMALL = 1
    LARGE = 2


def can_implement_filtered_topk(*_: Any) -> bool:
    """False: weft has a kernel of its own."""
    return False


def _topk(x: torch.Tensor, k: int, tie_break: Any, **config: Any) -> weft.Topk:
    if int(tie_break) == TopKTieBreak.LARGE:
        raise missing("tie_break = LARGE")
    return operator(weft.Topk, weft.TopkConfig, x.device, max_len=x.shape[-1], k=int(k),
                    dtype=x.dtype, **config)


def _ints(value: Any) -> Any:
    return None if value is None else value.to(torch.int32)


def top_k(input, k, sorted=False, deterministic=False, tie_break=TopKTieBreak.NONE,
          dsa_graph_safe=False):
    """(values [n, k], indices int64 [n, k]) of input [n, columns]."""
    indices, values = _topk(input, k, tie_break, sorted=bool(sorted)).run(input)
    return values, indices.to(torch.int64)


def top_k_page_table_transform(input, src_page_table, lengths, k, row_to_batch=None,
                               deterministic=False, tie_break=TopKTieBreak.NONE,
                               dsa_graph_safe=False, row_starts=None, page_table_row_starts=None,
                               *, page_size=1, out=None, out_raw_indices=None):
    """int32 [n, k]: where src_page_table [batch_size, pages] has the positions of the k largest
    of each row's first lengths[row]; -1 beyond. `out_raw_indices` gets the positions themselves."""
    refuse(page_table_row_starts=page_table_row_starts)
    if out_raw_indices is not None:
        return _raw_then_places(input, src_page_table, lengths, k, row_to_batch, tie_break,
                                row_starts, int(page_size), out, out_raw_indices)
    made = _topk(input, k, tie_break, page_size=int(page_size))
    return made.run(input, lengths=_ints(lengths), row_starts=_ints(row_starts),
                    page_table=src_page_table, row_to_batch=_ints(row_to_batch), indices=out,
                    return_values=False)[0]


def _raw_then_places(x, pages, lengths, k, row_to_batch, tie_break, row_starts, page_size, out,
                     raw):
    """Positions by weft's top-k, and where a page table has them by torch."""
    _topk(x, k, tie_break).run(x, lengths=_ints(lengths), row_starts=_ints(row_starts), indices=raw,
                               return_values=False)
    rows = pages if row_to_batch is None else pages[row_to_batch.long()]
    at = raw.long().clamp(min=0)
    where = rows[:raw.shape[0]].gather(1, at // page_size).long() * page_size + at % page_size
    places = torch.where(raw >= 0, where, -1).to(torch.int32)
    return places if out is None else out.copy_(places)


def top_k_ragged_transform(input, offsets, lengths, k, deterministic=False,
                           tie_break=TopKTieBreak.NONE, dsa_graph_safe=False, row_starts=None):
    """int32 [n, k]: positions of the k largest of each row's first lengths[row], plus
    offsets[row]; -1 beyond."""
    return _topk(input, k, tie_break).run(
        input, lengths=_ints(lengths), offsets=_ints(offsets), row_starts=_ints(row_starts),
        return_values=False)[0]
