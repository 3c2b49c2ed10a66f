# SPDX-License-Identifier: Apache-2.0
# What a status of the C ABI is in Python. Messages keep the library's one form, "argument: expected
# X, got Y"; _library.py raises these, nothing else catches them.
"""Exceptions. A wrong value is a ValueError, a wrong kind of object a TypeError."""
from __future__ import annotations


class LimitError(ValueError):
    """Beyond a limit fixed in the config (batch, tokens, workspace)."""


class UnsupportedError(NotImplementedError):
    """Well-formed, but nothing in this build can run it."""


class DeviceError(RuntimeError):
    """A driver or a compiler is missing or failing."""


class InternalError(RuntimeError):
    """A broken invariant of weft itself; please report it."""


# weft_status, by number.
BY_STATUS: dict[int, type[Exception]] = {
    1: ValueError, 2: UnsupportedError, 3: LimitError, 4: MemoryError, 5: DeviceError,
    6: InternalError,
}
