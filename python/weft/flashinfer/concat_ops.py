# SPDX-License-Identifier: Apache-2.0
# Joining the two parts of an MLA key, in torch.
"""concat_mla_k."""
from __future__ import annotations

import torch


def concat_mla_k(k: torch.Tensor, k_nope: torch.Tensor, k_rope: torch.Tensor) -> None:
    """Writes k_nope [n, heads, dim_nope] and k_rope [n, 1, dim_rope] (shared by the heads) into
    k [n, heads, dim_nope + dim_rope]."""
    if k_nope.dtype != k.dtype or k_rope.dtype != k.dtype:
        raise ValueError(f"k_nope, k_rope: expected {k.dtype}, as k, got {k_nope.dtype} and "
                         f"{k_rope.dtype}")
    k[..., :k_nope.shape[-1]].copy_(k_nope)
    k[..., k_nope.shape[-1]:].copy_(k_rope)
