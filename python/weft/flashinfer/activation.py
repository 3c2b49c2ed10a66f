# SPDX-License-Identifier: Apache-2.0
# Gated activations of the de-facto API: the names are here, the operators are not yet.
"""Gated activations: not there yet."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "activation", "silu_and_mul gelu_and_mul gelu_tanh_and_mul",
    "activation"))
