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

if TYPE_CHECKING:  # "as", so that checkers take each for exported
    from weft import flashinfer as flashinfer
    from weft import integrations as integrations
    from weft import viz as viz
    from weft.activation import Activation as Activation
    from weft.activation import ActivationConfig as ActivationConfig
    from weft.append import Append as Append
    from weft.append import AppendConfig as AppendConfig
    from weft.append import batch_indices_positions as batch_indices_positions
    from weft.attention import Attention as Attention
    from weft.attention import AttentionBatch as AttentionBatch
    from weft.attention import AttentionConfig as AttentionConfig
    from weft.attention import AttentionPlan as AttentionPlan
    from weft.device import CudaBackend as CudaBackend
    from weft.device import Target as Target
    from weft.device import num_cuda_devices as num_cuda_devices
    from weft.errors import DeviceError as DeviceError
    from weft.errors import InternalError as InternalError
    from weft.errors import LimitError as LimitError
    from weft.errors import UnsupportedError as UnsupportedError
    from weft.logprobs import Logprobs as Logprobs
    from weft.logprobs import LogprobsConfig as LogprobsConfig
    from weft.merge import Merge as Merge
    from weft.merge import MergeConfig as MergeConfig
    from weft.norm import Norm as Norm
    from weft.norm import NormConfig as NormConfig
    from weft.packbits import PackBits as PackBits
    from weft.packbits import PackBitsConfig as PackBitsConfig
    from weft.rope import Rope as Rope
    from weft.rope import RopeConfig as RopeConfig
    from weft.rope import RopeForm as RopeForm
    from weft.sampling import Sampling as Sampling
    from weft.sampling import SamplingConfig as SamplingConfig
    from weft.topk import Topk as Topk
    from weft.topk import TopkConfig as TopkConfig
    from weft.verify import Verify as Verify
    from weft.verify import VerifyConfig as VerifyConfig

# Which module each public name stands in.
_MODULE_OF = {
    "Attention": "attention", "AttentionBatch": "attention", "AttentionConfig": "attention",
    "AttentionPlan": "attention",
    "Append": "append", "AppendConfig": "append", "batch_indices_positions": "append",
    "Logprobs": "logprobs", "LogprobsConfig": "logprobs",
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
