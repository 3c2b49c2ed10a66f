# SPDX-License-Identifier: Apache-2.0
# libweft itself: opened when first needed, its statuses turned into exceptions, its texts into
# strings. Called by every operator's module; knows no operator.
from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

from weft.errors import BY_STATUS, DeviceError

PATH = Path(__file__).with_name("libweft.so")
ABI_VERSION = 1


@cache
def library() -> ctypes.CDLL:
    """The shared library beside this file."""
    try:
        lib = ctypes.CDLL(str(PATH))
    except OSError as error:
        raise DeviceError(f"libweft: expected {PATH} to load, got: {error}") from error
    got = lib.weft_abi_version()
    if got != ABI_VERSION:
        raise DeviceError(f"libweft: expected ABI version {ABI_VERSION}, got {got}")
    lib.weft_last_error.restype = ctypes.c_char_p
    lib.weft_version.restype = ctypes.c_char_p
    return lib


def version() -> str:
    """Version of the library, e.g. "0.1.0"."""
    return library().weft_version().decode()


def raise_status(status: int) -> None:
    """Raises the exception of a status other than 0, with the thread's message."""
    message = library().weft_last_error().decode(errors="replace")
    raise BY_STATUS.get(status, RuntimeError)(message)


def check(status: int) -> None:
    if status != 0:
        raise_status(status)


def pointer(function: Any) -> int:
    """Address of a function of ctypes'."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def address(name: str) -> int:
    """Address of a function of the C ABI."""
    return pointer(getattr(library(), name))


def text(name: str, *arguments) -> str:
    """What a function that writes text (convention 8 of c_api.h) says."""
    function = getattr(library(), name)
    length = ctypes.c_size_t()
    check(function(*arguments, None, ctypes.c_size_t(0), ctypes.byref(length)))
    buffer = ctypes.create_string_buffer(length.value + 1)
    check(function(*arguments, buffer, ctypes.c_size_t(length.value + 1), ctypes.byref(length)))
    return buffer.value.decode()
