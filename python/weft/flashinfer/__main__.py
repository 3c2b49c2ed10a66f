# SPDX-License-Identifier: Apache-2.0
# `python -m weft.flashinfer`: prints the table of what is supported, docs/flashinfer.md.
from weft.flashinfer._table import markdown

print(markdown(), end="")
