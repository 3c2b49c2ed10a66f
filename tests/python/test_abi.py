# SPDX-License-Identifier: Apache-2.0
# What Python declares of c_api.h and c_cuda.h against the headers: every struct, field by field.
# Needs a checkout; from an installed wheel alone there is nothing to compare with.
import ctypes
import re
import subprocess
import sys
from pathlib import Path

import pytest

import weft
from weft import (_call, _direct, _struct, activation, append, attention, device, logprobs, merge,
                  norm, packbits, rope, sampling, topk, verify)

HEADERS = Path(__file__).resolve().parents[2] / "include" / "weft"
TYPES = {"int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "float": ctypes.c_float,
         "int64_t": ctypes.c_int64, "double": ctypes.c_double}
MODULES = (activation, append, attention, device, logprobs, merge, norm, packbits, rope, sampling,
           topk, verify, _call, _direct)


def declared():
    return {value.__name__: value for module in MODULES for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, ctypes.Structure)
            and value.__name__.startswith("weft_")}


def in_headers():
    structs = {}
    for header in sorted(HEADERS.glob("c_*.h")):
        text = re.sub(r"//[^\n]*", "", header.read_text())
        for name, body in re.findall(r"typedef struct (weft_\w+) \{([^}]*)\} \1;", text, re.S):
            if "weft_data_type" in (name, *body.split()) or name in ("weft_field", "weft_call"):
                continue  # DLPack's own; what _call.py fills itself
            fields = []
            for line in body.split(";"):
                function = re.search(r"\(\*(\w+)\)\(", line)
                words = line.replace("*", " * ").split()
                if function:
                    fields.append((function[1], ctypes.c_void_p))
                elif words:
                    fields.append((words[-1], ctypes.c_void_p if "*" in words
                                   else TYPES[words[-2]]))
            structs[name] = fields
    return structs


@pytest.mark.parametrize("name", sorted(declared()))
def test_struct_is_as_the_header_says(name):
    expected = in_headers()[name]
    assert [(field, kind) for field, kind in declared()[name]._fields_] == expected


def test_enums_are_in_the_order_of_the_header():
    text = "".join(header.read_text() for header in HEADERS.glob("c_*.h"))
    for word, prefix in (("dtype", "WEFT_DTYPE_"), ("kv_layout", "WEFT_KV_LAYOUT_"),
                         ("mask", "WEFT_MASK_"), ("schedule", "WEFT_SCHEDULE_"),
                         ("rope_mode", "WEFT_ROPE_"), ("isa", "WEFT_ISA_"),
                         ("sampling_input", "WEFT_SAMPLING_"), ("filter_order", "WEFT_FILTER_"),
                         ("norm_kind", "WEFT_NORM_"), ("activation_kind", "WEFT_ACTIVATION_"),
                         ("bit_order", "WEFT_BIT_ORDER_")):
        for value, name in enumerate(_struct.ENUMS[word]):
            assert re.search(rf"\b{prefix}{name.upper()} = {value}\b", text), name


def test_fields_of_a_call_are_fields_of_its_struct():
    for module in MODULES:
        for call in vars(module).values():
            if isinstance(call, _call.Call):
                assert set(call.names) <= {name for name, _ in call.struct._fields_}
                call.bound()


def test_version_is_that_of_the_header():
    text = (HEADERS / "version.h").read_text()
    assert f'"{weft.__version__}"' in text


def test_import_costs_little_and_brings_nothing():
    # Processor time: a machine that is busy does not count.
    program = ("import sys, time; s = time.process_time(); import weft; "
               "t = time.process_time() - s; "
               "print(t, [m for m in ('numpy', 'torch', 'tvm_ffi', 'ctypes') if m in sys.modules])")
    best = min(float(subprocess.run([sys.executable, "-c", program], capture_output=True,
                                    text=True, check=True).stdout.split()[0]) for _ in range(3))
    assert best < 0.150
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          check=True)
    assert done.stdout.split(maxsplit=1)[1].strip() == "[]"
