# SPDX-License-Identifier: Apache-2.0
# Modules made from text of the de-facto API: the names are here, the operators are not yet.
"""Modules made from text: not there yet."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "jit", "gen_customize_single_prefill_module "
    "gen_customize_batch_prefill_module gen_customize_single_decode_module "
    "gen_customize_batch_decode_module",
    "attention variants from text"))
