# SPDX-License-Identifier: Apache-2.0
# The other entries of weft.flashinfer by their contracts: pages, cascade, rope, bits, helpers, what
# is not there, install, and the generated table.
import inspect
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weft.flashinfer as flashinfer  # noqa: E402  (needs torch)
from conftest import devices  # noqa: E402
from reference import assert_close, rotate  # noqa: E402
from weft.flashinfer import _table  # noqa: E402

on_devices = pytest.mark.parametrize("device", devices())


def ints(*values, device="cpu"):
    return torch.tensor(values, dtype=torch.int32, device=device)


@on_devices
def test_lengths_and_places(device):
    indptr = ints(0, 3, 3, 4, device=device)
    assert flashinfer.get_seq_lens(indptr, ints(2, 0, 4, device=device), 4).tolist() == [10, 0, 4]
    ids, positions = flashinfer.get_batch_indices_positions(
        ints(0, 2, 2, 5, device=device), ints(9, 4, 3, device=device), 7)
    assert ids.tolist() == [0, 0, 2, 2, 2, -1, -1] and ids.dtype == torch.int32
    assert positions.tolist() == [7, 8, 0, 1, 2, 0, 0] and positions.dtype == torch.int32
    out = ints(*[7] * 8, device=device), ints(*[7] * 8, device=device)
    got = flashinfer.get_batch_indices_positions(
        ints(0, 1, device=device), ints(3, device=device), 1, *out)
    assert got[0] is out[0] and out[0].tolist()[:2] == [0, 7] and out[1].tolist()[0] == 2


@on_devices
@pytest.mark.parametrize("layout", ["NHD", "HND"])
def test_append(device, layout):
    k = torch.randn(3, 2, 16, device=device, dtype=torch.float16)
    v = torch.randn(3, 2, 16, device=device, dtype=torch.float16)
    inner = (4, 2) if layout == "NHD" else (2, 4)
    cache = torch.zeros(5, 2, *inner, 16, device=device, dtype=torch.float16)
    ids, positions = flashinfer.get_batch_indices_positions(
        ints(0, 1, 3, device=device), ints(5, 2, device=device), 3)
    flashinfer.append_paged_kv_cache(
        k, v, ids, positions, cache, ints(4, 0, 2, device=device), ints(0, 2, 3, device=device),
        ints(1, 2, device=device), layout)
    rows = cache if layout == "NHD" else cache.transpose(2, 3)
    for t, (page, row) in enumerate(((0, 0), (2, 0), (2, 1))):
        assert torch.equal(rows[page, 0, row], k[t]) and torch.equal(rows[page, 1, row], v[t])
    assert int((rows != 0).any(-1).any(-1).sum()) == 6
    pair = torch.zeros_like(cache[:, 0].contiguous()), torch.zeros_like(cache[:, 1].contiguous())
    flashinfer.append_paged_kv_cache(
        k, v, ids, positions, pair, ints(4, 0, 2, device=device), ints(0, 2, 3, device=device),
        ints(1, 2, device=device), layout)
    assert torch.equal(pair[0], cache[:, 0]) and torch.equal(pair[1], cache[:, 1])


@on_devices
def test_append_mla_and_padding(device):
    ckv, kpe = (torch.randn(2, n, device=device, dtype=torch.float16) for n in (512, 64))
    caches = [torch.zeros(3, 4, n, device=device, dtype=torch.float16) for n in (512, 64)]
    flashinfer.append_paged_mla_kv_cache(
        ckv, kpe, ints(0, -1, device=device), ints(5, 0, device=device), *caches,
        ints(1, 2, device=device), ints(0, 2, device=device), ints(2, device=device))
    for row, cache in ((ckv, caches[0]), (kpe, caches[1])):
        assert torch.equal(cache[2, 1], row[0])
        assert int((cache != 0).any(-1).sum()) == 1


def states(rng, n, heads=3, dim=64):
    v = rng.standard_normal((4, n, heads, dim)).astype(np.float32)
    s = 3 * rng.standard_normal((4, n, heads)).astype(np.float32)
    s[0, 0, 0] = -np.inf
    weights = np.exp2(s.astype(np.float64))
    total = weights.sum(1)
    return v, s, (weights[..., None] * v).sum(1) / total[..., None], np.log2(total)


@on_devices
def test_merges_are_base_2(rng, device):
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    v, s, o, lse = states(rng, 2)
    v, s = torch.as_tensor(v).to(device, dtype), torch.as_tensor(s).to(device)
    name = str(dtype)[6:]
    for got in (flashinfer.merge_states(v, s),
                flashinfer.merge_state(v[:, 0], s[:, 0], v[:, 1], s[:, 1])):
        assert_close(got[0].float().cpu(), o, name)
        assert_close(got[1].cpu(), lse, name)
    mask = torch.tensor([True, False, True, True], device=device)
    v_in, s_in = v[:, 0].clone(), s[:, 0].clone()
    flashinfer.merge_state_in_place(v_in, s_in, v[:, 1].contiguous(), s[:, 1].contiguous(), mask)
    assert_close(v_in[[0, 2, 3]].float().cpu(), o[[0, 2, 3]], name)
    assert torch.equal(v_in[1], v[1, 0]) and torch.equal(s_in[1], s[1, 0])


@on_devices
@pytest.mark.parametrize("interleave", [False, True])
def test_rope(rng, device, interleave):
    dtype = torch.float16
    q, k = (torch.as_tensor(rng.standard_normal((5, h, 64))).to(device, dtype) for h in (4, 2))
    indptr, offsets = ints(0, 2, 5, device=device), ints(3, 10, device=device)
    at = [3, 4, 10, 11, 12]
    options = dict(rotary_dim=32, interleave=interleave, rope_scale=2, rope_theta=1e3)
    expected = [rotate(x.double().cpu(), at, 1e3, 2.0, interleave, 32) for x in (q, k)]
    positions = torch.tensor(at, device=device)
    for got in (flashinfer.apply_rope(q, k, indptr, offsets, **options),
                flashinfer.apply_rope_pos_ids(q, k, positions, **options),
                flashinfer.apply_rope_pos_ids(q, k, positions.int(), **options)):
        for x, e in zip(got, expected):
            assert_close(x.float().cpu(), e, "float16")
    angle = np.arange(32)[:, None] * 1e3 ** (-2.0 * np.arange(16) / 32) / 2
    cache = torch.as_tensor(np.concatenate([np.cos(angle), np.sin(angle)], 1)).float().to(device)
    flat = [x.reshape(5, -1).clone() for x in (q, k)]
    got = flashinfer.apply_rope_with_cos_sin_cache(positions, *flat, 64, cache, not interleave)
    flashinfer.apply_rope_with_cos_sin_cache_inplace(positions, *flat, 64, cache, not interleave)
    for x, y, e in zip(got, flat, expected):
        assert_close(x.float().cpu(), e.reshape(5, -1), "float16")
        assert torch.equal(x, y)
    flashinfer.apply_rope_inplace(q, k, indptr, offsets, **options)
    assert_close(q.float().cpu(), expected[0], "float16")


def test_llama31_rope_blends_frequencies(rng):
    q, k = (torch.as_tensor(rng.standard_normal((3, 1, 128))).float() for _ in range(2))
    at = [0, 100, 9000]
    got, _ = flashinfer.apply_llama31_rope_pos_ids(q, k, ints(*at))
    frequency = 5e5 ** (-2.0 * np.arange(64) / 128)
    smooth = np.clip((8192 * frequency / (2 * math.pi) - 1) / (4 - 1), 0, 1)
    frequency = (1 - smooth) * frequency / 8 + smooth * frequency
    angle = np.array(at)[:, None] * frequency
    cos, sin = np.cos(angle), np.sin(angle)
    a, b = q[:, 0, :64].double().numpy(), q[:, 0, 64:].double().numpy()
    assert_close(got[:, 0], np.concatenate([a * cos - b * sin, b * cos + a * sin], 1))


@on_devices
def test_packbits(rng, device):
    bits = rng.random(21) < 0.5
    x = torch.as_tensor(bits).to(device)
    for order in ("big", "little"):
        assert flashinfer.packbits(x, order).tolist() == np.packbits(bits, bitorder=order).tolist()
    packed, indptr = flashinfer.segment_packbits(x, ints(0, 5, 5, 21, device=device), "little")
    assert indptr.tolist() == [0, 1, 1, 3] and indptr.dtype == torch.int32
    expected = [*np.packbits(bits[:5], bitorder="little"),
                *np.packbits(bits[5:], bitorder="little")]
    assert packed.tolist() == [int(x) for x in expected]


def test_concat_mla_k():
    k = torch.zeros(2, 3, 6)
    nope, rope = torch.randn(2, 3, 4), torch.randn(2, 1, 2)
    flashinfer.concat_mla_k(k, nope, rope)
    assert torch.equal(k, torch.cat([nope, rope.expand(2, 3, 2)], -1))


def test_helpers():
    from weft.flashinfer import utils
    assert utils.round_up(5, 4) == 8 and utils.MaskMode.CUSTOM.value == 2
    assert not utils.is_sm90a_supported("cpu") and not utils.device_support_pdl("cpu")
    assert utils.get_alibi_slopes(12).shape == (12,) and utils.has_flashinfer_jit_cache()
    with pytest.raises(ValueError, match="device: expected a CUDA device"):
        utils.get_compute_capability("cpu")
    assert len(flashinfer.testing.bench_gpu_time(lambda: None, 1, 3)) == 3


def test_what_is_not_there_says_so():
    missing = [value for names in _table.entries().values() for value in names.values()
               if getattr(value, "weft_missing", False)]
    for entry in missing:
        with pytest.raises(NotImplementedError, match=rf"flashinfer\.\w+\.{entry.__name__}\b"):
            entry(1, 2, three=3)


def test_the_table_in_docs_is_that_of_the_code():
    page = Path(__file__).resolve().parents[2] / "docs" / "flashinfer.md"
    assert page.read_text() == _table.markdown(), \
        "run: python -m weft.flashinfer > docs/flashinfer.md"


# Positional orders that callers rely on (not one argument may move).
ORDERS = {
    "BatchDecodeWithPagedKVCacheWrapper.__init__": "self float_workspace_buffer kv_layout "
    "use_cuda_graph use_tensor_cores paged_kv_indptr_buffer paged_kv_indices_buffer "
    "paged_kv_last_page_len_buffer backend jit_args",
    "BatchPrefillWithPagedKVCacheWrapper.plan": "self qo_indptr paged_kv_indptr paged_kv_indices "
    "paged_kv_last_page_len num_qo_heads num_kv_heads head_dim_qk page_size head_dim_vo "
    "custom_mask packed_custom_mask causal pos_encoding_mode use_fp16_qk_reduction sm_scale "
    "window_left logits_soft_cap rope_scale rope_theta q_data_type kv_data_type o_data_type "
    "non_blocking prefix_len_ptr token_pos_in_items_ptr token_pos_in_items_len max_item_len_ptr "
    "seq_lens seq_lens_q block_tables max_token_per_sequence max_sequence_kv fixed_split_size "
    "disable_split_kv",
    "BatchPrefillWithRaggedKVCacheWrapper.plan": "self qo_indptr kv_indptr num_qo_heads "
    "num_kv_heads head_dim_qk head_dim_vo custom_mask packed_custom_mask causal pos_encoding_mode "
    "use_fp16_qk_reduction window_left logits_soft_cap sm_scale rope_scale rope_theta q_data_type "
    "kv_data_type o_data_type non_blocking prefix_len_ptr token_pos_in_items_ptr "
    "token_pos_in_items_len max_item_len_ptr fixed_split_size disable_split_kv seq_lens "
    "seq_lens_q max_token_per_sequence max_sequence_kv v_indptr o_indptr",
    "BatchAttention.plan": "self qo_indptr kv_indptr kv_indices kv_len_arr num_qo_heads "
    "num_kv_heads head_dim_qk head_dim_vo page_size causal sm_scale logits_soft_cap q_data_type "
    "kv_data_type use_profiler",
    "BatchMLAPagedAttentionWrapper.plan": "self qo_indptr kv_indptr kv_indices kv_len_arr "
    "num_heads head_dim_ckv head_dim_kpe page_size causal sm_scale q_data_type kv_data_type "
    "use_profiler",
    "append_paged_kv_cache": "append_key append_value batch_indices positions paged_kv_cache "
    "kv_indices kv_indptr kv_last_page_len kv_layout",
    "single_prefill_with_kv_cache": "q k v scale_q scale_k scale_v o_dtype custom_mask "
    "packed_custom_mask causal kv_layout pos_encoding_mode use_fp16_qk_reduction sm_scale "
    "window_left logits_soft_cap rope_scale rope_theta backend return_lse kv_cache_sf k_scale "
    "v_scale",
    "single_decode_with_kv_cache": "q k v kv_layout pos_encoding_mode use_tensor_cores q_scale "
    "k_scale v_scale window_left logits_soft_cap sm_scale rope_scale rope_theta return_lse",
    "BlockSparseAttentionWrapper.plan": "self indptr indices M N R C num_qo_heads num_kv_heads "
    "head_dim mask packed_mask causal pos_encoding_mode use_fp16_qk_reduction logits_soft_cap "
    "sm_scale rope_scale rope_theta q_data_type kv_data_type o_data_type non_blocking block_mask",
}


@pytest.mark.parametrize("entry", ORDERS)
def test_positional_orders(entry):
    found = flashinfer
    for part in entry.split("."):
        found = getattr(found, part)
    assert list(inspect.signature(found).parameters) == ORDERS[entry].split()


def run_python(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_install_in_a_fresh_process():
    done = run_python("""
import weft.flashinfer
weft.flashinfer.install()
import flashinfer, flashinfer.page
from flashinfer.decode import BatchDecodeWithPagedKVCacheWrapper as one
from flashinfer.testing.utils import bench_gpu_time
from flashinfer.mla import BatchMLAPagedAttentionWrapper
from flashinfer.autotuner import autotune
from flashinfer.jit.attention.variants import attention_sink_decl
from flashinfer.quantization.fp8_quantization import mxfp8_quantize
from flashinfer.fused_moe import cutlass_fused_moe
from flashinfer.cudnn.prefill import cudnn_batch_prefill_with_kv_cache
assert flashinfer.BatchDecodeWithPagedKVCacheWrapper is one
assert flashinfer.page.append_paged_kv_cache is weft.flashinfer.append_paged_kv_cache
import importlib.util
assert importlib.util.find_spec("flashinfer") is not None
weft.flashinfer.install()
weft.flashinfer.uninstall()
import sys
assert not [m for m in sys.modules if m.split(".")[0] == "flashinfer"]
print("fine")
""")
    assert done.stdout.strip() == "fine", done.stderr


def test_install_refuses_beside_the_real_one():
    done = run_python("""
import sys, types
sys.modules["flashinfer"] = types.ModuleType("flashinfer")
import weft.flashinfer
weft.flashinfer.install()
""")
    assert re.search(r"RuntimeError: weft.flashinfer.install: expected no flashinfer", done.stderr)
