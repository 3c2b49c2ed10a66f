# SPDX-License-Identifier: Apache-2.0
# The field's de-facto attention API over weft, by its names, orders and defaults. A thin adapter:
# it shapes nothing in weft. What is supported: docs/flashinfer.md, generated from this package.
"""FlashInfer's Python API on weft, for programs written against it.

``install()`` makes ``import flashinfer`` find this package. Tensors are torch's, on the CPU or a
GPU; every lse is base 2; ``plan`` takes index arrays of the host or the device and waits for none.
What weft does not have yet raises NotImplementedError.
"""
from weft.flashinfer import (_table, activation, attention, cascade, concat_ops, decode, gemm, jit,
                             logits_processor, mla, norm, page, pod, prefill, quantization, rope,
                             sampling, sparse, testing, topk, utils, xqa)
from weft.flashinfer._install import install, uninstall

__version__ = "0.7.2+weft"

# Modules built beforehand stand in their operator's module as well.
for _module, _names in jit.STANDARD.items():
    for _name in _names:
        setattr(globals().get(_module, jit), f"gen_{_name}_module",
                getattr(jit, f"gen_{_name}_module"))

# Public names stand at the top as well as in their modules, as callers use both. A module keeps its
# own name where an entry has the same one.
globals().update({name: value
                  for names in _table.entries().values() for name, value in names.items()
                  if name not in _table.MODULES})
