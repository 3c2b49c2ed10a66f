# SPDX-License-Identifier: Apache-2.0
# Bits of masks: packbits and segment_packbits, in torch, without waiting for a device.
"""Packing of boolean masks into bits."""
from __future__ import annotations

import torch

from weft.flashinfer._common import not_there

def bit_values(bitorder: str, device: torch.device) -> torch.Tensor:
    """What each of eight bits is worth: uint8 [8], made on the device."""
    if bitorder not in ("big", "little"):
        raise ValueError(f"bitorder: expected big or little, got {bitorder!r}")
    values = torch.pow(2, torch.arange(8, device=device)).to(torch.uint8)
    return values.flip(0) if bitorder == "big" else values


def packbits(x: torch.Tensor, bitorder: str = "big") -> torch.Tensor:
    """Bits of a flat boolean tensor, eight a byte: uint8 [ceil(n / 8)]."""
    order = bit_values(bitorder, x.device)
    bits = torch.zeros(-(-x.numel() // 8) * 8, dtype=torch.uint8, device=x.device)
    bits[:x.numel()] = (x.reshape(-1) != 0).to(torch.uint8)
    return (bits.view(-1, 8) * order).sum(dim=1, dtype=torch.uint8)


def pack_segments(x: torch.Tensor, indptr: torch.Tensor, bitorder: str,
                  size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Each segment's bits from a byte of its own on, in a buffer of `size` bytes."""
    order = bit_values(bitorder, x.device)
    indptr = indptr.to(torch.int64)
    starts = torch.zeros_like(indptr)
    torch.cumsum((indptr[1:] - indptr[:-1] + 7) // 8, 0, out=starts[1:])
    at = torch.arange(x.numel(), device=x.device)
    segment = torch.searchsorted(indptr[1:].contiguous(), at, right=True)
    local = at - indptr[segment]
    byte = starts[segment] + local // 8
    out = torch.zeros(size, dtype=torch.uint8, device=x.device)
    out.index_add_(0, byte, (x.reshape(-1) != 0).to(torch.uint8) * order[local % 8])
    return out, starts.to(torch.int32)


def segment_packbits(x: torch.Tensor, indptr: torch.Tensor,
                     bitorder: str = "big") -> tuple[torch.Tensor, torch.Tensor]:
    """Packs each segment indptr[i]..indptr[i + 1] of bits; returns bytes and their indptr."""
    indptr = indptr.to(x.device)
    size = int(((indptr[1:] - indptr[:-1] + 7) // 8).sum())
    return pack_segments(x, indptr, bitorder, size)


globals().update(not_there("quantization", "fp4_quantize mxfp8_quantize nvfp4_quantize "
                           "block_scale_interleave nvfp4_block_scale_interleave", "quantize"))
