# SPDX-License-Identifier: Apache-2.0
# Matrix products of the de-facto API: the names are here, the operators are not yet.
"""Matrix products: not there yet."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "gemm", "bmm_fp8 mm_bf16 mm_fp8 SegmentGEMMWrapper fp8_blockscale_gemm_sm90",
    "gemm"))
