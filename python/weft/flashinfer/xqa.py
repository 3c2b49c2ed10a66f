# SPDX-License-Identifier: Apache-2.0
# XQA of the de-facto API: decode from padded page tables into a tensor that is given.
"""XQA."""
from __future__ import annotations

from weft.flashinfer._block_tables import attend
from weft.flashinfer._common import missing, not_there, refuse


def xqa(q, k_cache, v_cache, page_table, seq_lens, output, workspace_buffer, semaphores,
        num_kv_heads, page_size, sinks=None, q_scale=1.0, kv_scale=1.0, sliding_win_size=0,
        kv_layout="NHD", sm_count=None, enable_pdl=None, rcp_out_scale=1.0, q_seq_len=1, mask=None,
        *, q_cu_seq_lens=None, k_sf_cache=None, v_sf_cache=None):
    """Writes `output`, shaped as q: [batch_size, 1, num_qo_heads, dim], or with q_seq_len
    [batch_size, 1, q_seq_len, num_qo_heads, dim]; seq_lens [batch_size, 1]. Of q_seq_len queries
    each sees what was before it, or of them those whose bits `mask` [batch_size, q_seq_len, words]
    has. A window counts the token itself."""
    refuse(k_sf_cache=k_sf_cache, v_sf_cache=v_sf_cache)
    if seq_lens.ndim > 1 and seq_lens.shape[1] != 1:
        raise missing("a beam width other than 1")
    if (k_cache.shape[2 if kv_layout == "HND" else 1] != page_size
            or k_cache.shape[1 if kv_layout == "HND" else 2] != num_kv_heads):
        raise ValueError(f"k_cache: expected {kv_layout} pages of {page_size} tokens and "
                         f"{num_kv_heads} heads, got {tuple(k_cache.shape)}")
    heads, dim = q.shape[-2:]
    rows = q.reshape(-1, heads, dim)
    attend(rows, (k_cache, v_cache), page_table, seq_lens.reshape(-1), kv_layout=kv_layout,
           logits_scale=kv_scale * q_scale * dim ** -0.5, out_scale=kv_scale * rcp_out_scale,
           qo_indptr=q_cu_seq_lens, window_left=sliding_win_size - 1 if sliding_win_size else -1,
           out=output.view(rows.shape), sinks=sinks, mask=mask)


globals().update(not_there("xqa", "xqa_mla", "XQA over MLA's latent cache"))
