# SPDX-License-Identifier: Apache-2.0
# Matrix products of the de-facto API: the names are here, the operators are not yet.
"""Matrix products: not there yet."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "gemm", "bmm_fp8 bmm_bf16 mm_bf16 mm_fp8 mm_fp4 SegmentGEMMWrapper fp8_blockscale_gemm_sm90 "
    "gemm_fp8_nt_groupwise group_gemm_fp8_nt_groupwise cutlass_fused_moe "
    "trtllm_fp4_block_scale_moe trtllm_fp8_block_scale_moe trtllm_fp8_per_tensor_scale_moe "
    "reorder_rows_for_gated_act_gemm",
    "gemm"))
