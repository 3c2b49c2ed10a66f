# SPDX-License-Identifier: Apache-2.0
# The structs of c_api.h in Python: declared once per operator as "field:kind" words, compared with
# the header by tests/python/test_abi.py. A Config is a frozen value whose fields fill one.
from __future__ import annotations

import ctypes
from dataclasses import MISSING, fields
from typing import Any, ClassVar

from weft import _library

DTYPES = ("none", "f32", "f16", "bf16", "e4m3", "e5m2", "i32", "i64", "u8")
ENUMS = {
    "dtype": DTYPES,
    "kv_layout": ("nhd", "hnd"),
    "mask": ("none", "causal", "custom", "tree"),
    "schedule": ("deterministic", "batch_invariant"),
    "rope_mode": ("none", "neox", "interleaved"),
    "sampling_input": ("logits", "probs"),
    "filter_order": ("top_k_first", "joint"),
    "norm_kind": ("rms", "layer"),
    "activation_kind": ("silu", "gelu", "gelu_tanh"),
    "bit_order": ("little", "big"),
    "isa": ("scalar", "avx2", "avx512", "avx512_bf16", "amx_bf16"),
}
# What frameworks call the dtypes.
ALIASES = {
    "float32": "f32", "float": "f32", "float16": "f16", "half": "f16", "bfloat16": "bf16",
    "float8_e4m3fn": "e4m3", "float8_e5m2": "e5m2", "int32": "i32", "int64": "i64", "uint8": "u8",
}
_WORDS: dict[str, Any] = {
    "i32": ctypes.c_int32, "u32": ctypes.c_uint32, "f32": ctypes.c_float, "i64": ctypes.c_int64,
    "f64": ctypes.c_double, "bool": ctypes.c_int32, **dict.fromkeys(ENUMS, ctypes.c_int32)}


class Struct(ctypes.Structure):
    """One of the C ABI's, with the kind of each field."""

    kinds: ClassVar[dict[str, str]]


def dtype_name(name: str, dtype: Any) -> str:
    """weft's word for a dtype given as a word, a torch, NumPy or JAX dtype.

    >>> dtype_name("dtype_q", "bfloat16")
    'bf16'
    """
    word = getattr(dtype, "__name__", None) or getattr(dtype, "name", None) or str(dtype)
    word = word.removeprefix("torch.")
    word = ALIASES.get(word, word)
    if word not in DTYPES:
        raise TypeError(f"{name}: expected a dtype among {', '.join(DTYPES[1:])}, got {dtype!r}")
    return word


def declare(name: str, words: str) -> type[Struct]:
    """The ctypes struct `name` of c_api.h: struct_size, then each "field:kind". A kind that is no
    number or enum is a pointer."""
    kinds = dict(word.split(":") for word in words.split())
    members: list[tuple[str, Any]] = [("struct_size", ctypes.c_uint32)]
    members += [(field, _WORDS.get(kind, ctypes.c_void_p)) for field, kind in kinds.items()]
    return type(name, (Struct,), {"_fields_": members, "kinds": kinds})


def initialised(struct: type[ctypes.Structure], init: str | None = None) -> ctypes.Structure:
    """One with the library's defaults, by its init function."""
    made = struct()
    function = getattr(_library.library(), init or f"{struct.__name__}_init")
    _library.check(function(ctypes.byref(made), ctypes.c_size_t(ctypes.sizeof(made))))
    return made


def number_of(name: str, kind: str, value: Any) -> Any:
    """The value of a field as C takes it."""
    if kind in ENUMS:
        if value not in ENUMS[kind]:
            raise ValueError(f"{name}: expected one of {', '.join(ENUMS[kind])}, got {value!r}")
        return ENUMS[kind].index(value)
    if kind in ("f32", "f64"):
        if isinstance(value, (int, float)):
            return float(value)
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}")
    number = value.__index__()
    if kind != "i64" and not -2**31 <= number < 2**31:
        raise ValueError(f"{name}: expected 32 bits, got {number}")
    return number


class Config:
    """A frozen dataclass whose fields have the names of `_struct`'s."""

    _struct: type[Struct]

    def __post_init__(self) -> None:
        for name, kind in self._struct.kinds.items():
            if kind == "dtype" and hasattr(self, name):
                object.__setattr__(self, name, dtype_name(name, getattr(self, name)))

    def _to_c(self) -> ctypes.Structure:
        made: Any = initialised(self._struct)
        made.kept = []
        for name, kind in self._struct.kinds.items():
            value = getattr(self, name, None)
            if value is None:
                continue
            if isinstance(value, Config):
                inner = value._to_c()
                made.kept.append(inner)
                setattr(made, name, ctypes.addressof(inner))
            else:
                setattr(made, name, number_of(name, kind, value))
        return made

    def __repr__(self) -> str:
        told = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                told.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(told)})"
