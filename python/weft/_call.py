# SPDX-License-Identifier: Apache-2.0
# One function of the C ABI with its args struct, called through the packed convention of
# include/weft/c_ffi.h: values go across by position and the library fills the struct. torch's
# tensors go by _direct.py, all others by tvm-ffi. Ctypes would cost about 1 us a field.
from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Sequence

from weft import _library, _struct, _tensors

_KINDS = {"i32": 0, "bool": 0, "f32": 1, "f32_pointer": 2, "tensor": 3, "tensor_pair": 4}
_FORMS = {"args": 0, "plan_args": 1, "args_plan": 2}


_EXECUTOR = _struct.declare("weft_executor", """
    num_threads:i32 stream:pointer parallel_context:pointer parallel_for:pointer""")


class _Field(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("kind", ctypes.c_int32), ("offset", ctypes.c_uint32)]


class _WeftCall(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("form", ctypes.c_int32),
                ("num_fields", ctypes.c_int32), ("args_size", ctypes.c_uint32),
                ("defaults", ctypes.c_void_p), ("fields", ctypes.c_void_p),
                ("function", ctypes.c_void_p), ("current_stream", ctypes.c_void_p)]


@cache
def packed() -> tuple[Any, int]:
    """The packed function, and the address of tvm-ffi's way to the current stream."""
    import tvm_ffi
    function = tvm_ffi.Function.__from_extern_c__(_library.address("weft_ffi_call"))
    return function, _library.pointer(tvm_ffi.LIB.TVMFFIEnvGetStream)


class Call:
    """One function of the C ABI: `values` names the fields in the order they are passed; "k+v" is
    a pair of tensors or one joined tensor."""

    def __init__(self, function: str, struct: type[_struct.Struct], values: str,
                 form: str = "args") -> None:
        self.name, self.struct, self.form = function, struct, form
        self.values = values.split()
        self.names = [name for value in self.values for name in value.split("+")]

    @cache
    def bound(self) -> tuple[Any, int]:
        """The packed function and the address of its weft_call."""
        function, stream = packed()
        defaults = _struct.initialised(self.struct)
        fields = (_Field * len(self.values))()
        for field, value in zip(fields, self.values):
            first, _, second = value.partition("+")
            kind = "tensor_pair" if second else self.struct.kinds[first]
            field.name, field.kind = first.encode(), _KINDS[kind]
            field.offset = getattr(self.struct, first).offset
        call = _WeftCall(ctypes.sizeof(_WeftCall), _FORMS[self.form], len(fields),
                         ctypes.sizeof(self.struct), ctypes.addressof(defaults),
                         ctypes.addressof(fields), _library.address(self.name), stream)
        self._kept = (defaults, fields, call)
        return function, ctypes.addressof(call)

    def call(self, operator: Any, plan: Any, values: Sequence[Any],
             outputs: Sequence[str] = (), stream: int | None = None) -> None:
        """The call for an operator whose cost does not matter below a microsecond or two."""
        self.slow(stream, operator._handle, plan, values, outputs)

    def slow(self, stream: int | None, handle: int, plan: int | None,
             values: Sequence[Any], outputs: Sequence[str] = ()) -> None:
        """The call for any tensors, and for mixtures."""
        function, at = self.bound()
        direct = _tensors.direct_call
        if direct is not None:
            status = direct(at, stream, handle, plan, *values)
            if status == 0:
                return
            if status > 0:
                _library.raise_status(status)
        crossed = []
        for name, value in zip(self.names, values):
            if value is not None and not isinstance(value, (int, float, bool)):
                own = _tensors.framework_of(name, value)
                stream = own.stream(value) if stream is None else stream
                value = own.cross(name, value, name in outputs)
            crossed.append(value)
        status = function(at, stream, handle, plan, *crossed)
        if status:
            _library.raise_status(status)


def executor(stream: int) -> Any:
    """A weft_executor of a CUDA stream, for the calls that go by ctypes."""
    made = _struct.initialised(_EXECUTOR)
    made.stream = stream or None
    return ctypes.byref(made)
