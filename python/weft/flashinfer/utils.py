# SPDX-License-Identifier: Apache-2.0
# Helpers that engines reach for beside the operators.
"""Enums, sizes and what a device can do."""
from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from typing import Any

import torch

from weft._planned import indptr_of
from weft.flashinfer._common import FP8, alibi_slopes, not_there, torch_dtype


log2e = 1.4426950408889634  # by which an lse of base 2 is larger than the natural one


class MaskMode(enum.Enum):
    NON_CAUSAL = 0
    CAUSAL = 1
    CUSTOM = 2
    MULTIITEMSCORING = 3


class PosEncodingMode(enum.Enum):
    NONE = 0
    ROPE_LLAMA = 1
    ALIBI = 2


class TensorLayout(enum.Enum):
    NHD = 0
    HND = 1


def round_up(x: int, y: int) -> int:
    """The least multiple of y that is at least x."""
    return (x + y - 1) // y * y


def ceil_div(x: int, y: int) -> int:
    return (x + y - 1) // y


def next_positive_power_of_2(x: int) -> int:
    """The least power of two that is at least x, and at least 1."""
    return 1 << max(0, x - 1).bit_length()


def is_float8(x: torch.Tensor) -> bool:
    return x.dtype in FP8


def get_indptr(x: torch.Tensor) -> torch.Tensor:
    """int64 [n + 1]: 0 and the sums of x [n] so far."""
    return indptr_of(x, torch.int64)


@contextlib.contextmanager
def autotune(tune_mode: bool = True, *_: Any, **__: Any) -> Iterator[None]:
    """Nothing to tune: weft chooses its kernels from the config."""
    yield


def canonicalize_torch_dtype(dtype: Any) -> torch.dtype:
    return torch_dtype(dtype)


def get_alibi_slopes(n_heads: int) -> torch.Tensor:
    """f32 [n_heads] on the CPU."""
    return alibi_slopes(n_heads, torch.device("cpu")).clone()


def get_compute_capability(device: Any) -> tuple[int, int]:
    """(major, minor) of a CUDA device."""
    device = torch.device(device)
    if device.type != "cuda":
        raise ValueError(f"device: expected a CUDA device, got {device}")
    return torch.cuda.get_device_capability(device)


def _major(device: Any) -> int:
    device = torch.device(device)
    return torch.cuda.get_device_capability(device)[0] if device.type == "cuda" else 0


def is_sm90a_supported(device: Any) -> bool:
    return _major(device) == 9


def is_sm100a_supported(device: Any) -> bool:
    return _major(device) == 10


def is_sm120a_supported(device: Any) -> bool:
    return _major(device) == 12


def is_sm100f_supported(device: Any) -> bool:
    return _major(device) == 10


def is_sm110a_supported(device: Any) -> bool:
    return _major(device) == 11


def is_sm12x_supported(device: Any) -> bool:
    return _major(device) == 12


def get_device_sm_count(device: Any) -> int:
    """Multiprocessors of a CUDA device."""
    return torch.cuda.get_device_properties(device).multi_processor_count


def device_support_pdl(device: Any) -> bool:
    """Whether launches of a stream may overlap; weft does so by itself."""
    return _major(device) >= 9


def is_fa3_backend_supported(*_: Any, **__: Any) -> bool:
    """False: weft chooses its kernels itself, whatever backend is named."""
    return False


def is_fa3_prefill_head_dim_supported(*_: Any, **__: Any) -> bool:
    """False, as is_fa3_backend_supported."""
    return False


def is_cuda_tile_available() -> bool:
    """False: weft has kernels of its own alone."""
    return False


def determine_attention_backend(*_: Any, **__: Any) -> str:
    return "fa2"


def determine_mla_backend(*_: Any, **__: Any) -> str:
    return "fa2"


def has_flashinfer_jit_cache() -> bool:
    """True: nothing has to be compiled before a first call beyond what weft does in it."""
    return True


globals().update(not_there("utils", "FP4Tensor", "quantize"))
