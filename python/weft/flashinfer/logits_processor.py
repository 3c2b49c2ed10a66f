# SPDX-License-Identifier: Apache-2.0
# Pipelines of logits processors of the de-facto API: the names are here, the operators are not yet.
"""Pipelines of logits processors: not there yet."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "logits_processor", "LogitsPipe",
    "sampling"))
