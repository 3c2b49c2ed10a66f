# SPDX-License-Identifier: Apache-2.0
# What this layer supports, read from its own code: entries of each module, and the arguments each
# refuses. `python -m weft.flashinfer` prints docs/flashinfer.md.
from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from typing import Any

MODULES = ("decode", "prefill", "attention", "mla", "cascade", "pod", "sparse", "page", "rope",
           "quantization", "concat_ops", "utils", "testing", "norm", "activation", "sampling",
           "topk", "gemm", "xqa", "logits_processor", "jit")
# Shared between our modules alone.
INTERNAL = {"single", "joined_cache", "pack_segments", "draw", "sink_variant"}

HEAD = """# FlashInfer's API on weft

`weft.flashinfer` has the names, argument orders, defaults and contracts of FlashInfer 0.6 and 0.7;
`weft.flashinfer.install()` makes `import flashinfer` find it. Tensors of torch, on the CPU as well
as on a GPU; every lse is base 2; `plan()` takes index arrays of the host or the device and never
waits for a device. Which dtypes and head dims run where is weft's own matter
([semantics.md](semantics.md)): what no kernel runs raises `weft.UnsupportedError`, a
NotImplementedError, at `plan()`.

Beyond the original: `sinks=` acts everywhere, scales may be tensors of one element or per head,
KV in float8 works with every entry and mask, and page sizes and groups are free. Accepted, with the
same result either way: `backend`, `use_tensor_cores`, `use_fp16_qk_reduction` (products are always
accumulated in f32), `skip_softmax_threshold_scale_factor` (nothing is skipped), `enable_pdl`,
workspaces of any size.

`jit_args` takes the attention sink's declaration (`jit.attention_sink_decl`) and no text of one's
own. Modules built beforehand (`gen_*_module`, `build_jit_specs`) are there and take no time: weft
makes its kernels when a plan asks for them.

Made by `python -m weft.flashinfer` from the code; do not edit.
"""


def entries() -> dict[str, dict[str, Any]]:
    """Public entries of each module, by name."""
    found: dict[str, dict[str, Any]] = {}
    for module in MODULES:
        made = importlib.import_module(f"weft.flashinfer.{module}")
        found[module] = {
            name: value for name, value in vars(made).items()
            if not name.startswith("_") and name not in INTERNAL and (
                getattr(value, "weft_missing", False)
                or getattr(value, "__module__", "") == made.__name__)}
    return found


def refused(entry: Any) -> list[str]:
    """Arguments that an entry's code hands to refuse()."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(entry)))
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "refuse":
            names += [word.arg for word in node.keywords if word.arg and word.arg not in names]
    return names


def rows(module: str, names: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in sorted(names.items(), key=lambda item: (
            getattr(item[1], "weft_missing", False), item[0])):
        if getattr(value, "weft_missing", False):
            lines.append(f"| `{name}` | not yet | {value.__doc__.split('operator ', 1)[1][:-9]} |")
        else:
            lines.append(f"| `{name}` | yes | "
                         f"{', '.join(f'`{arg}`' for arg in refused(value)) or '–'} |")
    return lines


def markdown() -> str:
    parts = [HEAD]
    for module, names in entries().items():
        parts.append(f"## {module}\n\n| entry | there | arguments refused, or what is missing |\n"
                     "|---|---|---|\n" + "\n".join(rows(module, names)) + "\n")
    return "\n".join(parts)

