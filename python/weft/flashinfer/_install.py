# SPDX-License-Identifier: Apache-2.0
# Makes `import flashinfer` find weft.flashinfer, and takes that back.
from __future__ import annotations

import importlib
import sys

from weft.flashinfer._table import MODULES

# Modules that callers reach deeper than this package goes.
_DEEPER = {
    "attention._core": "attention", "mla._core": "mla", "testing.utils": "testing",
    "quantization.packbits": "quantization", "fp4_quantization": "quantization",
    "fp8_quantization": "quantization", "quantization.fp4_quantization": "quantization",
    "fused_moe": "gemm", "fused_moe.core": "gemm", "quantization.fp8_quantization": "quantization",
    "autotuner": "utils", "cudnn": "decode", "cudnn.decode": "decode", "cudnn.prefill": "prefill",
    "gemm.gemm_base": "gemm", "logits_processor.pipeline": "logits_processor",
    "jit.attention": "jit", "jit.core": "jit", "jit.cpp_ext": "jit", "jit.utils": "jit",
    "jit.attention.variants": "jit", "jit.attention.pytorch": "jit", "jit.attention.modules": "jit",
    "cutile": "utils", "cutile.cutile_common": "utils",
    "logits_processor.types": "logits_processor", "logits_processor.processors": "logits_processor",
}


def _ours() -> dict[str, str]:
    names = {"flashinfer": "weft.flashinfer"}
    names |= {f"flashinfer.{name}": f"weft.flashinfer.{name}" for name in MODULES}
    names |= {f"flashinfer.{deep}": f"weft.flashinfer.{name}" for deep, name in _DEEPER.items()}
    return names


def install() -> None:
    """Registers this package as `flashinfer`, with its modules. RuntimeError when another
    flashinfer has been imported: half of a program on each would not do."""
    package = importlib.import_module("weft.flashinfer")
    held = sys.modules.get("flashinfer")
    if held is not None and held is not package:
        raise RuntimeError("weft.flashinfer.install: expected no flashinfer to be imported yet, "
                           f"got {getattr(held, '__file__', held)}; call install() before the "
                           "first import of flashinfer")
    for name, ours in _ours().items():
        sys.modules[name] = importlib.import_module(ours)


def uninstall() -> None:
    """Forgets what install() registered."""
    for name, ours in _ours().items():
        if sys.modules.get(name) is sys.modules.get(ours):
            sys.modules.pop(name, None)
