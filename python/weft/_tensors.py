# SPDX-License-Identifier: Apache-2.0
# The frameworks tensors come from: how each passes one across, makes a new one, and names its
# stream. Called by the operators; imports no framework that its caller has not imported.
from __future__ import annotations

import ctypes
import sys
from typing import Any

from weft._struct import ALIASES, dtype_name

# DLPack's (code, bits) of a dtype word.
_CODES = {"f32": (2, 32), "f16": (2, 16), "bf16": (4, 16), "e4m3": (10, 8), "e5m2": (12, 8),
          "i32": (0, 32), "i64": (0, 64), "u8": (1, 8)}


_DLPACK_CHARS = "feilqB"  # dtypes for which an array's own __dlpack__ serves


class _DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32),
                ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8),
                ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("shape", ctypes.c_void_p),
                ("strides", ctypes.c_void_p), ("byte_offset", ctypes.c_uint64)]


class _Pointer(ctypes.c_void_p):
    """Address of a DLTensor, with what it points at."""

    kept: Any


def numpy_pointer(name: str, array: Any, output: bool = False) -> _Pointer:
    """A NumPy array as a DLTensor; __dlpack__ refuses bf16, fp8 and read-only ones."""
    word = ALIASES.get(array.dtype.name)
    if word is None:
        raise TypeError(f"{name}: expected one of {', '.join(ALIASES)}, got {array.dtype}")
    if output and not array.flags.writeable:
        raise ValueError(f"{name}: expected an array to write to, got a read-only one")
    n, size = array.ndim, array.itemsize
    if any(stride % size for stride in array.strides):
        raise ValueError(f"{name}: expected strides of whole elements, got {array.strides} bytes")
    dims = (ctypes.c_int64 * (2 * n))(*array.shape, *(s // size for s in array.strides))
    at = ctypes.addressof(dims)
    code, bits = _CODES[word]
    tensor = _DLTensor(array.ctypes.data, 1, 0, n, code, bits, 1, at, at + 8 * n, 0)
    pointer = _Pointer(ctypes.addressof(tensor))
    pointer.kept = (array, dims, tensor)
    return pointer


def device_pointer(name: str, tensor: Any) -> _Pointer:
    """A contiguous uint8 tensor of torch or CuPy as a DLTensor, for calls that go by ctypes."""
    at = tensor.data_ptr() if hasattr(tensor, "data_ptr") else tensor.data.ptr
    kind, index = tensor.__dlpack_device__()
    if dtype_of(name, tensor) != "u8" or tensor.ndim != 1:
        raise ValueError(f"{name}: expected uint8 [bytes], got {tensor.dtype} {tensor.shape}")
    dims = (ctypes.c_int64 * 2)(tensor.shape[0], 1)
    made = _DLTensor(at, int(kind), int(index), 1, 1, 8, 1, ctypes.addressof(dims),
                     ctypes.addressof(dims) + 8, 0)
    pointer = _Pointer(ctypes.addressof(made))
    pointer.kept = (tensor, dims, made)
    return pointer


# The call that takes torch's tensors as they are, once torch was seen; see _direct.py.
direct_call: Any = None


class Framework:
    """What weft asks of a framework. `direct`: its tensors cross as they are, by `call`, and it may
    be `compiling`."""

    direct = False
    call: Any
    compiling: Any
    numpy: Any

    def empty(self, like: Any, shape: tuple[int, ...], word: str) -> Any:
        """A tensor to write to, where `like` is."""
        raise NotImplementedError

    def cross(self, name: str, tensor: Any, output: bool = False) -> Any:
        return tensor

    def stream(self, like: Any) -> int | None:
        """The current stream of the tensor's device; None asks tvm-ffi."""
        return None

    def finish(self, like: Any) -> None:
        """Called after outputs were enqueued."""


class NumPy(Framework):
    def __init__(self) -> None:
        import numpy
        self.numpy = numpy

    def cross(self, name: str, tensor: Any, output: bool = False) -> Any:
        if not isinstance(tensor, self.numpy.ndarray):
            return tensor
        if tensor.dtype.char in _DLPACK_CHARS and tensor.flags.writeable:
            return tensor
        return numpy_pointer(name, tensor, output)

    def dtype(self, word: str) -> Any:
        if word in ("bf16", "e4m3", "e5m2"):
            try:
                import ml_dtypes
            except ImportError as error:
                raise TypeError(f"{word}: NumPy has it only with the package ml_dtypes") from error
            names = {"bf16": "bfloat16", "e4m3": "float8_e4m3fn", "e5m2": "float8_e5m2"}
            return self.numpy.dtype(getattr(ml_dtypes, names[word]))
        return self.numpy.dtype({"f32": "f4", "f16": "f2", "i32": "i4", "i64": "i8",
                                 "u8": "u1"}[word])

    def empty(self, like: Any, shape: tuple[int, ...], word: str) -> Any:
        return self.numpy.empty(shape, self.dtype(word))


class Torch(Framework):
    direct = True

    def __init__(self) -> None:
        import torch
        self.torch = torch
        self.dtypes: dict[str, Any] = {
            "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
            "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8}
        for word, name in (("e4m3", "float8_e4m3fn"), ("e5m2", "float8_e5m2")):
            self.dtypes[word] = getattr(torch, name, None)
        from weft import _compile, _direct
        self._library = _compile.register()
        self._new = torch.empty
        self.compiling = torch.compiler.is_compiling
        global direct_call
        direct_call = _direct.function(torch.Tensor)
        # Where it is not there: a call that takes nothing.
        self.call = direct_call or (lambda *_: -1)

    def dtype(self, word: str) -> Any:
        return self.dtypes[word]

    def empty(self, like: Any, shape: tuple[int, ...], word: str) -> Any:
        return self._new(*shape, dtype=self.dtypes[word], device=like.device)  # a tuple costs more


class CuPy(Framework):
    def __init__(self) -> None:
        import cupy  # type: ignore[import-not-found]
        self.cupy = cupy
        self.numpy = NumPy()

    def empty(self, like: Any, shape: tuple[int, ...], word: str) -> Any:
        return self.cupy.empty(shape, self.numpy.dtype(word))

    def stream(self, like: Any) -> int | None:
        return self.cupy.cuda.get_current_stream().ptr


class Jax(Framework):
    """Arrays of JAX are ordered by data, not by streams: inputs are waited for, and so are results.
    A result is a fresh array that weft fills before anybody else sees it."""

    def __init__(self) -> None:
        import jax
        self.jax = jax
        self.numpy = NumPy()

    def cross(self, name: str, tensor: Any, output: bool = False) -> Any:
        if isinstance(tensor, self.jax.Array):
            tensor.block_until_ready()
            if next(iter(tensor.devices())).platform == "cpu":
                pointer = self.numpy.cross(name, self.numpy.numpy.asarray(tensor))
                return pointer
        return tensor

    def empty(self, like: Any, shape: tuple[int, ...], word: str) -> Any:
        with self.jax.default_device(next(iter(like.devices()))):
            return self.jax.numpy.empty(shape, self.numpy.dtype(word)).block_until_ready()

    def finish(self, like: Any) -> None:
        if next(iter(like.devices())).platform != "cpu":
            self.jax.effects_barrier()


_KINDS = {"numpy": NumPy, "torch": Torch, "jax": Jax, "jaxlib": Jax, "cupy": CuPy}
_BY_TYPE: dict[type, Framework] = {}
_MADE: dict[type, Framework] = {}


def framework_of(name: str, tensor: Any) -> Framework:
    """The framework of a tensor; TypeError naming the argument when it is none."""
    found = _BY_TYPE.get(type(tensor))
    if found is not None:
        return found
    for base in type(tensor).__mro__:
        kind = _KINDS.get(base.__module__.partition(".")[0])
        if kind is not None:
            if not hasattr(tensor, "__dlpack__") and kind is not NumPy:
                break
            made = _MADE.get(kind) or _MADE.setdefault(kind, kind())
            if kind is NumPy and not isinstance(tensor, made.numpy.ndarray):
                break
            _BY_TYPE[type(tensor)] = made
            return made
    raise TypeError(f"{name}: expected a tensor of torch, NumPy, JAX or CuPy, "
                    f"got {type(tensor).__name__}")


def torch_module() -> Any:
    """torch, when the caller's process has it."""
    return sys.modules.get("torch")


def dtype_of(name: str, tensor: Any) -> str:
    """weft's word for the dtype of a tensor."""
    return dtype_name(name, tensor.dtype)


def device_of(tensor: Any) -> str:
    """ "cpu" or "cuda:0", from DLPack."""
    kind, index = tensor.__dlpack_device__()
    return "cpu" if int(kind) in (1, 3) else f"cuda:{int(index)}"


def indices(name: str, value: Any) -> Any:
    """An index argument: a tensor as it is, a sequence of integers as int32."""
    if value is None or hasattr(value, "__dlpack__"):
        return value
    import numpy
    array = numpy.asarray(value)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    if array.size and not -2**31 <= array.min() <= array.max() < 2**31:
        raise ValueError(f"{name}: expected 32-bit integers, got {array.min()} to {array.max()}")
    return numpy.ascontiguousarray(array, numpy.int32)
