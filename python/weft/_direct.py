# SPDX-License-Identifier: Apache-2.0
# The way of torch's tensors into libweft: a function of Python made of weft_python_call
# (include/weft/c_ffi.h), to which tensors go as they are. tvm-ffi makes an object of each tensor,
# counts it and takes it down again; this costs half. Bound by _tensors.py when torch is first seen.
from __future__ import annotations

import ctypes
import sys
import sysconfig
from functools import cache
from typing import Any

from weft import _library, _struct

_PYTHON = _struct.declare("weft_python", """
    reserved:u32 none:pointer type_bool:pointer type_int:pointer type_float:pointer
    type_tensor:pointer tensor_of:pointer current_stream:pointer as_int:pointer as_float:pointer
    from_int:pointer error_occurred:pointer release:pointer acquire:pointer""")
_FUNCTIONS = {"as_int": "PyLong_AsLongLong", "as_float": "PyFloat_AsDouble",
              "from_int": "PyLong_FromLong", "error_occurred": "PyErr_Occurred",
              "release": "PyEval_SaveThread", "acquire": "PyEval_RestoreThread"}
_METH_FASTCALL = 0x80


class _Exchange(ctypes.Structure):  # DLPackExchangeAPI, of DLPack 1
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32),
                ("previous", ctypes.c_void_p), ("allocate", ctypes.c_void_p),
                ("managed_from", ctypes.c_void_p), ("to_object", ctypes.c_void_p),
                ("tensor_of", ctypes.c_void_p), ("current_stream", ctypes.c_void_p)]


class _Method(ctypes.Structure):  # PyMethodDef
    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p),
                ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


_METHOD = _Method(b"weft_python_call", None, _METH_FASTCALL, None)  # the function's, for good


def _exchange(kind: type) -> _Exchange | None:
    capsule = getattr(kind, "__dlpack_c_exchange_api__", None)
    if type(capsule).__name__ != "PyCapsule":
        return None
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    found = _Exchange.from_address(pointer(capsule, b"dlpack_exchange_api"))
    complete = found.major == 1 and found.tensor_of and found.current_stream
    return found if complete else None


@cache
def function(tensor: type) -> Any:
    """The function for tensors of this very class; None where Python or the framework has not what
    it takes. It returns -1, and has done nothing, for arguments of other classes."""
    exchange = _exchange(tensor)
    locked = not sysconfig.get_config_var("Py_GIL_DISABLED")
    if exchange is None or not locked or sys.implementation.name != "cpython":
        return None
    at = {name: _library.pointer(getattr(ctypes.pythonapi, symbol))
          for name, symbol in _FUNCTIONS.items()}
    python = _PYTHON(struct_size=ctypes.sizeof(_PYTHON), none=id(None), type_bool=id(bool),
                     type_int=id(int), type_float=id(float), type_tensor=id(tensor),
                     tensor_of=exchange.tensor_of, current_stream=exchange.current_stream, **at)
    _library.check(_library.library().weft_python_bind(ctypes.byref(python)))
    _METHOD.function = _library.address("weft_python_call")
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_void_p,
                                                     ctypes.c_void_p]
    return make(ctypes.addressof(_METHOD), None, None)
