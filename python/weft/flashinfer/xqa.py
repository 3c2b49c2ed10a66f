# SPDX-License-Identifier: Apache-2.0
# XQA of the de-facto API: the names are here, the operators are not yet.
"""XQA: not there yet."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "xqa", "xqa",
    "attention by padded page tables with semaphores"))
