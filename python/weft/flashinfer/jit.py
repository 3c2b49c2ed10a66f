# SPDX-License-Identifier: Apache-2.0
# Modules made from text of the de-facto API: the names are here, the operators are not yet.
"""Modules made from text: not there yet. weft makes its own kernels as they are asked for, so
there is nothing to build beforehand."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "jit", "gen_customize_single_prefill_module "
    "gen_customize_batch_prefill_module gen_customize_single_decode_module "
    "gen_customize_batch_decode_module gen_customize_pod_module "
    "gen_customize_batch_attention_module gen_batch_prefill_attention_sink_module "
    "gen_single_prefill_module gen_single_decode_module gen_batch_prefill_module "
    "gen_batch_decode_module gen_batch_mla_module gen_jit_spec build_jit_specs JitSpec "
    "JitSpecNvcc run_ninja",
    "attention variants from text"))
