# SPDX-License-Identifier: Apache-2.0
# Where an operator runs: the host, or a GPU with the kernels made for it. Called by _operator.py.
"""Targets (what is known of a machine) and GPU backends."""
from __future__ import annotations

import ctypes
import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Sequence

from weft import _library, _struct

_TARGET = _struct.declare("weft_target", """
    device_type:i32 device_index:i32 isa:isa fast_bf16:bool num_threads:i32 arch:i32 num_sms:i32
    smem_per_sm:i32 num_workers:i32 l2_bytes:i64""")
_OPTIONS = _struct.declare("weft_cuda_options", """
    reserved:u32 cache_dir:pointer bundles:pointer nvrtc:pointer num_bundles:i32 num_nvrtc:i32""")


@dataclass(frozen=True, repr=False)
class Target(_struct.Config):
    """What a decision may know of a machine. ``Target.host()`` is this one; a lower ``isa`` or
    ``num_threads`` uses less of it.

    >>> Target(isa="scalar", num_workers=8)
    Target(scalar cpu, 1 threads, 8 workers)
    """

    _struct = _TARGET
    device_type: int = 1
    device_index: int = 0
    isa: str = "scalar"
    fast_bf16: bool = False
    num_threads: int = 1
    arch: int = 0
    num_sms: int = 0
    smem_per_sm: int = 0
    num_workers: int = 64
    l2_bytes: int = 0

    @classmethod
    def _from(cls, made: ctypes.Structure) -> "Target":
        values = {name: getattr(made, name) for name in _TARGET.kinds}
        values["isa"] = _struct.ENUMS["isa"][made.isa]
        values["fast_bf16"] = bool(made.fast_bf16)
        return cls(**values)

    @classmethod
    def host(cls) -> "Target":
        """This host: instruction set, threads and what is fast."""
        return cls._from(_struct.initialised(_TARGET, "weft_target_host"))

    @classmethod
    def h200(cls) -> "Target":
        """One NVIDIA H200, for planning without one."""
        return cls._from(_struct.initialised(_TARGET, "weft_target_h200"))

    def __repr__(self) -> str:
        if self.device_type == 2:
            return f"Target(cuda:{self.device_index}, sm_{self.arch}, {self.num_workers} workers)"
        return f"Target({self.isa} cpu, {self.num_threads} threads, {self.num_workers} workers)"


def num_cuda_devices() -> int:
    """Devices that the driver sees; 0 when there is no driver."""
    count = ctypes.c_int32()
    _library.check(_library.library().weft_cuda_num_devices(ctypes.byref(count)))
    return count.value


def _nvrtc_names() -> list[str]:
    """The names that CUDA installs, then the files that Python packages bring."""
    names = ["libnvrtc.so.13", "libnvrtc.so.12"]
    spec = importlib.util.find_spec("nvidia")
    for place in (spec.submodule_search_locations or []) if spec else []:
        names += sorted(str(path) for path in Path(place).glob("*/lib/libnvrtc.so.1?"))
    return names


def _strings(values: Sequence[str]) -> Any:
    return (ctypes.c_char_p * max(1, len(values)))(*(str(value).encode() for value in values))


class CudaBackend:
    """A GPU and the kernels made for it; operators made with one share what it compiled.

    ``cache_dir``: directory of compiled kernels (None: the default, "": none); ``bundles``: files
    written by ``weft aot``; ``nvrtc``: names or paths of NVRTC, tried in order.
    """

    def __init__(self, index: int = 0, *, cache_dir: str | None = None,
                 bundles: Sequence[str] = (), nvrtc: Sequence[str] | None = None) -> None:
        options = _struct.initialised(_OPTIONS)
        compilers = _nvrtc_names() if nvrtc is None else list(nvrtc)
        kept = (_strings(bundles), _strings(compilers),
                None if cache_dir is None else ctypes.c_char_p(str(cache_dir).encode()))
        if bundles:
            options.bundles, options.num_bundles = ctypes.addressof(kept[0]), len(bundles)
        if compilers:
            options.nvrtc, options.num_nvrtc = ctypes.addressof(kept[1]), len(compilers)
        if kept[2] is not None:
            options.cache_dir = ctypes.cast(kept[2], ctypes.c_void_p)
        self._handle = ctypes.c_void_p()
        self.index = index
        _library.check(_library.library().weft_cuda_backend_create(
            ctypes.c_int32(index), ctypes.byref(options), None, ctypes.byref(self._handle)))
        self._destroy = _library.library().weft_cuda_backend_destroy

    def __del__(self) -> None:
        if getattr(self, "_destroy", None):
            self._destroy(self._handle)

    @property
    def name(self) -> str:
        return _library.text("weft_cuda_backend_name", self._handle)

    @property
    def target(self) -> Target:
        made = _TARGET()
        _library.check(_library.library().weft_cuda_backend_target(
            self._handle, ctypes.byref(made), ctypes.c_size_t(ctypes.sizeof(made))))
        return Target._from(made)

    def __repr__(self) -> str:
        return f"CudaBackend(cuda:{self.index}, {self.name})"


@cache
def cuda_backend(index: int) -> CudaBackend:
    """The backend that operators of a device share when none is given."""
    return CudaBackend(index)


def resolve(device: Any) -> Target | CudaBackend:
    """What ``device`` of an operator says: None or "cpu", "cuda" or "cuda:1", a torch.device, a
    Target, a CudaBackend."""
    if isinstance(device, CudaBackend):
        return device
    if isinstance(device, Target):
        if device.device_type != 1:
            raise ValueError("device: expected a CudaBackend to run on a GPU, got its Target")
        return device
    word = "cpu" if device is None else str(device)
    kind, _, index = word.partition(":")
    if kind == "cpu":
        return _host()
    if kind != "cuda" or (index and not index.isdigit()):
        raise ValueError(f'device: expected "cpu", "cuda", "cuda:N", a Target or a CudaBackend, '
                         f"got {device!r}")
    return cuda_backend(int(index) if index else _current_cuda())


@cache
def _host() -> Target:
    return Target.host()


def _current_cuda() -> int:
    torch = sys.modules.get("torch")
    return torch.cuda.current_device() if torch is not None and torch.cuda.is_available() else 0
