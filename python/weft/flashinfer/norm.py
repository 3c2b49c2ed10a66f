# SPDX-License-Identifier: Apache-2.0
# Normalisation of the de-facto API.
"""RMS and layer normalisation; `scale` of the quantising ones divides."""
from __future__ import annotations

from typing import Any

import torch

import weft
from weft.flashinfer._common import operator


def _norm(x: torch.Tensor, weight: torch.Tensor, eps: float, out: Any, *, bias: Any = None,
          residual: Any = None, scale: Any = None, kind: str = "rms",
          weight_offset: float = 0.0) -> torch.Tensor:
    if out is None:
        out = torch.empty_like(x)
    heads = x.shape[1] if x.ndim == 3 else 0
    rows = [t if t is None or x.ndim in (2, 3) else t.view(-1, t.shape[-1])
            for t in (x, residual, out)]
    made = operator(weft.Norm, weft.NormConfig, x.device, hidden=x.shape[-1], dtype=x.dtype,
                    dtype_out=out.dtype, dtype_weight=weight.dtype, num_heads=heads, kind=kind,
                    residual=residual is not None, eps=eps, weight_offset=weight_offset)
    scales = None
    if torch.is_tensor(scale):
        scales = scale.to(torch.float32).reshape(-1).expand(max(1, heads)).contiguous()
    made.run(rows[0], weight, bias=bias, residual=rows[1], out=rows[2], scales=scales,
             scale=1.0 if scale is None or scales is not None else float(scale))
    return out


def rmsnorm(input, weight, eps=1e-6, out=None, enable_pdl=None):
    """input [n, hidden] or [n, num_heads, hidden], weight [hidden]."""
    return _norm(input, weight, eps, out)


def rmsnorm_quant(out, input, weight, scale, eps=1e-6, enable_pdl=None):
    """out in float8: the norm / scale."""
    _norm(input, weight, eps, out, scale=scale)


def fused_add_rmsnorm(input, residual, weight, eps=1e-6, enable_pdl=None):
    """residual += input; input = norm(residual)."""
    _norm(input, weight, eps, input, residual=residual)


def fused_add_rmsnorm_quant(out, input, residual, weight, scale, eps=1e-6, enable_pdl=None):
    """residual += input; out in float8 = norm(residual) / scale."""
    _norm(input, weight, eps, out, residual=residual, scale=scale)


def gemma_rmsnorm(input, weight, eps=1e-6, out=None, enable_pdl=None):
    """rmsnorm with weight + 1."""
    return _norm(input, weight, eps, out, weight_offset=1.0)


def gemma_fused_add_rmsnorm(input, residual, weight, eps=1e-6, enable_pdl=None):
    """fused_add_rmsnorm with weight + 1."""
    _norm(input, weight, eps, input, residual=residual, weight_offset=1.0)


def layernorm(input, gemma, beta, eps=1e-6):
    """gemma, beta f32 [hidden]."""
    return _norm(input, gemma, eps, None, bias=beta, kind="layer")


def layernorm_quant(out, input, gemma, beta, scale, eps=1e-6):
    """out in float8: layernorm / scale."""
    _norm(input, gemma, eps, out, bias=beta, kind="layer", scale=scale)
