# SPDX-License-Identifier: Apache-2.0
# What every operator's class does: a handle made from a config for a device, its explanation, its
# end. An operator's own module adds its config, its calls and its run.
from __future__ import annotations

import ctypes
from typing import Any

from weft import _library
from weft.device import CudaBackend, Target, resolve


class Operator:
    """A config made ready for a device. Immutable; any number of threads may use one."""

    _name: str  # as in weft_<name>_create

    def __init__(self, config: Any, device: Any = None) -> None:
        expected = type(self).__annotations__["config"]
        if type(config).__name__ != expected:
            raise TypeError(f"config: expected {expected}, got {type(config).__name__}")
        where = resolve(device)
        made = ctypes.c_void_p()
        lib, given = _library.library(), config._to_c()
        if isinstance(where, CudaBackend):
            status = getattr(lib, f"weft_{self._name}_create_cuda")(
                ctypes.byref(given), where._handle, None, ctypes.byref(made))
        else:
            target = where._to_c()
            status = getattr(lib, f"weft_{self._name}_create")(
                ctypes.byref(given), ctypes.byref(target), None, ctypes.byref(made))
        _library.check(status)
        self.config = config
        self.target: Target = where.target if isinstance(where, CudaBackend) else where
        self.device: str = f"cuda:{where.index}" if isinstance(where, CudaBackend) else "cpu"
        self._handle: int = made.value or 0
        self._owned = made  # __del__ may run when this module's names are gone
        self._destroy = getattr(lib, f"weft_{self._name}_destroy")

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._destroy(self._owned)

    def explain(self) -> str:
        """Which kernel was chosen and why."""
        return _library.text(f"weft_{self._name}_explain", ctypes.c_void_p(self._handle))

    def __repr__(self) -> str:
        return f"{type(self).__name__} on {self.device}: {self.explain().splitlines()[0]}"
