# SPDX-License-Identifier: Apache-2.0
# Normalisation of the de-facto API: the names are here, the operators are not yet.
"""Normalisation: not there yet."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "norm", "rmsnorm rmsnorm_quant fused_add_rmsnorm fused_add_rmsnorm_quant gemma_rmsnorm "
    "gemma_fused_add_rmsnorm layernorm layernorm_quant",
    "norm"))
