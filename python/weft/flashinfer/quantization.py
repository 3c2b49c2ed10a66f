# SPDX-License-Identifier: Apache-2.0
# Bits of masks: packbits and segment_packbits, without waiting for a device.
"""Packing of boolean masks into bits."""
from __future__ import annotations

import torch

import weft
from weft._planned import indptr_of
from weft.flashinfer._common import not_there, operator


def _packer(x: torch.Tensor, bitorder: str) -> weft.PackBits:
    if bitorder not in ("big", "little"):
        raise ValueError(f"bitorder: expected big or little, got {bitorder!r}")
    return operator(weft.PackBits, weft.PackBitsConfig, x.device, order=bitorder)


def _bytes(x: torch.Tensor) -> torch.Tensor:
    """Whether each element is not zero, a byte each."""
    flat = x.reshape(-1)
    return (flat if flat.dtype == torch.bool else flat != 0).contiguous().view(torch.uint8)


def packbits(x: torch.Tensor, bitorder: str = "big") -> torch.Tensor:
    """Bits of a flat boolean tensor, eight a byte: uint8 [ceil(n / 8)]."""
    return _packer(x, bitorder).run(_bytes(x))


def pack_segments(x: torch.Tensor, indptr: torch.Tensor, bitorder: str,
                  size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Each segment's bits from a byte of its own on, in a buffer of `size` bytes."""
    starts = indptr_of((indptr[1:] - indptr[:-1] + 7) // 8)
    out = torch.zeros(size, dtype=torch.uint8, device=x.device)
    _packer(x, bitorder).run(_bytes(x), indptr=indptr.to(torch.int32), out_indptr=starts, out=out)
    return out, starts


def segment_packbits(x: torch.Tensor, indptr: torch.Tensor,
                     bitorder: str = "big") -> tuple[torch.Tensor, torch.Tensor]:
    """Packs each segment indptr[i]..indptr[i + 1] of bits; returns bytes and their indptr."""
    indptr = indptr.to(x.device)
    size = int(((indptr[1:] - indptr[:-1] + 7) // 8).sum())
    return pack_segments(x, indptr, bitorder, size)


globals().update(not_there(
    "quantization", "fp4_quantize mxfp8_quantize nvfp4_quantize block_scale_interleave "
    "nvfp4_block_scale_interleave nvfp4_batched_quantize mxfp4_quantize mxfp4_dequantize "
    "mxfp4_dequantize_host mxfp8_dequantize_host e2m1_and_ufp8sf_scale_to_float shuffle_matrix_a "
    "shuffle_matrix_sf_a", "quantize"))
