# SPDX-License-Identifier: Apache-2.0
# Hugging Face transformers on weft: attn_implementation="weft" (dense caches,
# transformers_dense.py) and "paged|weft" (continuous batching, transformers_paged.py). Here: the
# registration and the run-time values that both read off a layer.
"""``register()`` makes ``attn_implementation="weft"`` work in transformers (5 or later).

>>> import weft.integrations.transformers as bridge  # doctest: +SKIP
>>> bridge.register()  # doctest: +SKIP
>>> model = LlamaForCausalLM.from_pretrained(name, attn_implementation="weft")  # doctest: +SKIP
>>> model.generate_batch(inputs)  # continuous batching, over pages  # doctest: +SKIP
"""
from __future__ import annotations

from typing import Any

NAME = "weft"


def register(name: str = NAME) -> None:
    """Registers `name` and "paged|`name`" with transformers; again is fine."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    from weft.integrations import transformers_dense, transformers_paged
    AttentionInterface.register(name, transformers_dense.attention)
    AttentionMaskInterface.register(name, transformers_dense.make_mask)
    AttentionInterface.register(f"paged|{name}", transformers_paged.attention)


def run_values(module: Any, scaling: float | None, sliding_window: int | None,
               softcap: float | None, s_aux: Any, head_dim: int) -> dict[str, Any]:
    """What a layer gives at run, in weft's words. A window of W tokens sees W - 1 to the left."""
    values: dict[str, Any] = {"sm_scale": head_dim ** -0.5 if scaling is None else float(scaling)}
    if softcap:
        values["logits_soft_cap"] = float(softcap)
    if sliding_window:
        values["window_left"] = int(sliding_window) - 1
    if s_aux is None:  # not by getattr: a module searches long for what it does not have
        s_aux = module._parameters.get("sinks", module._buffers.get("sinks"))
    if s_aux is not None:
        values["sink"] = s_aux.detach().float().reshape(-1)
    return values


def refuse(dropout: float = 0.0, **given: Any) -> None:
    """Nothing given is ignored."""
    if dropout:
        raise NotImplementedError(f"dropout = {dropout}: weft has none; use model.eval()")
    for name, value in given.items():
        if value is not None and value is not False:
            raise NotImplementedError(f"{name}: weft's attention for transformers does not have it")
