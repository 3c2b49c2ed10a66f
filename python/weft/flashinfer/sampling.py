# SPDX-License-Identifier: Apache-2.0
# Sampling of the de-facto API: the names are here, the operators are not yet.
"""Sampling: not there yet."""
from weft.flashinfer._common import not_there

globals().update(not_there(
    "sampling", "softmax sampling_from_probs sampling_from_logits top_p_sampling_from_probs "
    "top_k_sampling_from_probs min_p_sampling_from_probs top_k_top_p_sampling_from_probs "
    "top_k_top_p_sampling_from_logits top_p_renorm_probs top_k_renorm_probs top_k_mask_logits "
    "chain_speculative_sampling",
    "sampling"))
