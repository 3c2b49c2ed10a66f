# SPDX-License-Identifier: Apache-2.0
# Kernel modules of the de-facto API. weft makes its own kernels as plans ask for them: what builds
# one beforehand has nothing to do, what brings one's own text is not there yet.
"""Modules built beforehand, which are weft's own affair, and attention variants from text, of which
only the attention sink's declaration is known: weft has that one itself."""
from __future__ import annotations

from typing import Any

import torch

from weft.flashinfer._common import missing, not_there

# The variant whose declaration this package hands out; what jit_args must name it by.
attention_sink_decl = {backend: f"attention sink ({backend}): weft's own"
                       for backend in ("fa2", "fa3")}
_SINK = "AttentionSink"

# A dtype's part of a module's name.
filename_safe_dtype_map = {
    torch.float16: "f16", torch.bfloat16: "bf16", torch.float8_e4m3fn: "e4m3",
    torch.float8_e5m2: "e5m2", torch.int8: "i8", torch.uint8: "u8", torch.int32: "i32",
    torch.uint32: "u32", torch.int64: "i64", torch.uint64: "u64"}


class JitSpec:
    """A module by name, which is always built: weft's plan() makes what it needs."""

    def __init__(self, name: str) -> None:
        self.name = name

    def build(self, verbose: bool = False, need_lock: bool = True) -> None:
        """Nothing to do."""

    def build_and_load(self, *args: Any, **kwargs: Any) -> Any:
        """Raises: weft has operators, not modules of another's functions."""
        raise missing(f"the functions of module {self.name}")


def build_jit_specs(specs: Any, verbose: bool = False, skip_prebuilt: bool = True) -> None:
    """Builds each, which takes no time."""
    for spec in specs:
        spec.build(verbose)


def _standard(name: str) -> Any:
    def gen(*args: Any, **kwargs: Any) -> JitSpec:
        return JitSpec(name)
    gen.__name__ = gen.__qualname__ = f"gen_{name}_module"
    gen.__module__ = __name__
    gen.__doc__ = f"The module {name}, for whatever dtypes and shapes: there is nothing to build."
    return gen


# Modules of weft's own operators, by the module that has them as well.
STANDARD = {
    "activation": ("act_and_mul",), "attention": ("batch_attention",), "cascade": ("cascade",),
    "decode": ("single_decode", "batch_decode"), "mla": ("batch_mla",), "norm": ("norm",),
    "page": ("page",), "pod": ("pod", "batch_pod"), "prefill": ("single_prefill", "batch_prefill"),
    "quantization": ("quantization",), "rope": ("rope",), "sampling": ("sampling",),
    "topk": ("topk",), "xqa": ("xqa",), "": ("batch_prefill_attention_sink",)}
globals().update({f"gen_{name}_module": _standard(name)
                  for names in STANDARD.values() for name in names})
globals().update(not_there(
    "jit", "gen_customize_single_prefill_module "
    "gen_customize_batch_prefill_module gen_customize_single_decode_module "
    "gen_customize_batch_decode_module gen_customize_pod_module "
    "gen_customize_batch_attention_module gen_jit_spec JitSpecNvcc run_ninja",
    "attention variants from text"))


def sink_variant(jit_args: Any) -> bool:
    """Whether jit_args names the attention sink; False for none, NotImplementedError for others.
    Its run takes the sinks, then sm_scale."""
    if jit_args is None:
        return False
    name, text = jit_args[-2:]
    if name != _SINK or text not in attention_sink_decl.values():
        raise missing(f"jit_args of variant {name!r}: text of one's own")
    return True
