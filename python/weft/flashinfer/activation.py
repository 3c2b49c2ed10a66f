# SPDX-License-Identifier: Apache-2.0
# Gated activations of the de-facto API.
"""act(input[..., :hidden]) * input[..., hidden:]."""
from __future__ import annotations

from typing import Any

import torch

import weft
from weft.flashinfer._common import operator


def _gated(kind: str, x: torch.Tensor, out: Any) -> torch.Tensor:
    hidden = x.shape[-1] // 2
    if out is None:
        out = torch.empty((*x.shape[:-1], hidden), dtype=x.dtype, device=x.device)
    made = operator(weft.Activation, weft.ActivationConfig, x.device, hidden=hidden, dtype=x.dtype,
                    dtype_out=out.dtype, kind=kind)
    made.run(x.view(-1, x.shape[-1]), out=out.view(-1, hidden))
    return out


def silu_and_mul(input, out=None, enable_pdl=None):
    """x * sigmoid(x) of the left half times the right half."""
    return _gated("silu", input, out)


def gelu_and_mul(input, out=None, enable_pdl=None):
    """GELU by erf of the left half times the right half."""
    return _gated("gelu", input, out)


def gelu_tanh_and_mul(input, out=None, enable_pdl=None):
    """GELU by tanh of the left half times the right half."""
    return _gated("gelu_tanh", input, out)
