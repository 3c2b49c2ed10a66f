# SPDX-License-Identifier: Apache-2.0
# The front of the package: what a caller imports. Operators are loaded when they are first named,
# so that `import weft` costs little and cannot fail, with no GPU, no torch and no library.
"""Attention for LLM inference: paged, ragged and shared KV, planned once a step.

The verbs and words are those of the C++ library. Once per model make an operator from a config,
once per engine step ``plan`` a batch, once per layer ``run`` it:

>>> import numpy as np, weft
>>> config = weft.AttentionConfig(dtype_q="f32", dtype_kv="f32", num_qo_heads=4, num_kv_heads=2,
...                               head_dim_qk=64, max_batch_size=8, max_nnz_qo=64)
>>> attn = weft.Attention(config)
>>> plan = attn.plan(weft.AttentionBatch(qo_indptr=[0, 3], kv_indptr=[0, 10]))
>>> q = np.zeros((3, 4, 64), np.float32)
>>> k = v = np.ones((10, 2, 64), np.float32)
>>> o, lse = attn.run(plan, q, (k, v))
>>> o.shape, lse.shape, float(o[0, 0, 0])
((3, 4, 64), (3, 4), 1.0)

Tensors come from torch, NumPy, JAX or CuPy, are passed without a copy, and results are made by the
framework of ``q`` unless they are given.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft import flashinfer as flashinfer
    from weft import integrations as integrations
    from weft import viz as viz
    from weft.activation import Activation, ActivationConfig
    from weft.append import Append, AppendConfig, batch_indices_positions
    from weft.attention import Attention, AttentionBatch, AttentionConfig, AttentionPlan
    from weft.device import CudaBackend, Target, num_cuda_devices
    from weft.errors import DeviceError, InternalError, LimitError, UnsupportedError
    from weft.merge import Merge, MergeConfig
    from weft.norm import Norm, NormConfig
    from weft.packbits import PackBits, PackBitsConfig
    from weft.rope import Rope, RopeConfig, RopeForm
    from weft.sampling import Sampling, SamplingConfig
    from weft.topk import Topk, TopkConfig
    from weft.verify import Verify, VerifyConfig

# Which module each public name stands in.
_MODULE_OF = {
    "Attention": "attention", "AttentionBatch": "attention", "AttentionConfig": "attention",
    "AttentionPlan": "attention",
    "Append": "append", "AppendConfig": "append", "batch_indices_positions": "append",
    "Merge": "merge", "MergeConfig": "merge",
    "Sampling": "sampling", "SamplingConfig": "sampling", "Topk": "topk", "TopkConfig": "topk",
    "Norm": "norm", "NormConfig": "norm", "Activation": "activation",
    "ActivationConfig": "activation", "PackBits": "packbits", "PackBitsConfig": "packbits",
    "Rope": "rope", "RopeConfig": "rope", "RopeForm": "rope",
    "Verify": "verify", "VerifyConfig": "verify",
    "CudaBackend": "device", "Target": "device", "num_cuda_devices": "device",
    "DeviceError": "errors", "InternalError": "errors", "LimitError": "errors",
    "UnsupportedError": "errors",
}
_MODULES = ("flashinfer", "integrations", "viz")

__all__ = [*_MODULE_OF, *_MODULES, "__version__"]


def __getattr__(name: str):
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(f"weft.{_MODULE_OF[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"weft.{name}")
    elif name == "__version__":
        from weft._library import version
        value = version()
    else:
        raise AttributeError(f"module 'weft' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
