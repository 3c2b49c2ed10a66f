# SPDX-License-Identifier: Apache-2.0
# Top-k of the de-facto API: the names are here, the operators are not yet.
"""Top-k: not there yet."""
import enum

from weft.flashinfer._common import not_there


class TopKTieBreak(enum.IntEnum):
    """Which of equal values wins."""

    NONE = 0
    SMALL = 1
    LARGE = 2


globals().update(not_there(
    "topk", "top_k top_k_page_table_transform top_k_ragged_transform",
    "topk"))
