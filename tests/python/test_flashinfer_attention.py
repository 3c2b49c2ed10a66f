# SPDX-License-Identifier: Apache-2.0
# The attention entries of weft.flashinfer against the float64 reference, by the contracts of the
# de-facto API: base-2 lse, defaults, positional orders, shared buffers, deprecated verbs.
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weft.flashinfer as flashinfer  # noqa: E402  (needs torch)
from conftest import devices  # noqa: E402
from flashinfer_batch import (DIM, DTYPE, HEADS, KV_HEADS, Batch,  # noqa: E402
                              decode, prefill, tensor)
from reference import Pages, assert_close, attention, rotate  # noqa: E402

on_devices = pytest.mark.parametrize("device", devices())


@on_devices
@pytest.mark.parametrize("layout", ["NHD", "HND"])
def test_decode(rng, device, layout):
    b = Batch(rng, device, layout=layout)
    wrapper = decode(b, layout)
    b.check(*wrapper.run(b.q, b.kv, return_lse=True))
    b.check(wrapper.run(b.q, (b.k, b.v)))
    b.check(*wrapper.run_return_lse(b.q, b.kv))
    out, lse = torch.empty_like(b.q), torch.empty(b.q.shape[:2], device=device)
    got = wrapper.run(b.q, b.kv, out=out, lse=lse, return_lse=True)
    assert got[0] is out and got[1] is lse
    b.check(out, lse)


@on_devices
def test_decode_plans_from_arrays_of_the_device(rng, device):
    b = Batch(rng, device)
    b.indptr, b.indices, b.last = (x.to(device) for x in (b.indptr, b.indices, b.last))
    b.check(decode(b).run(b.q, b.kv))


@pytest.mark.skipif("cuda" not in devices(), reason="no GPU")
def test_plan_waits_for_no_device(rng):
    b = Batch(rng, "cuda", qo_lens=[2, 3, 1, 4])
    mask = torch.ones(10 + 99 + 1 + 64, dtype=torch.bool, device="cuda")
    lens = torch.tensor(b.pages.kv_lens, dtype=torch.int32, device="cuda")
    for name in ("qo_indptr", "indptr", "indices", "last"):
        setattr(b, name, getattr(b, name).cuda())
    both = flashinfer.BatchAttention("NHD", "cuda")

    def plans():
        decode(b), prefill(b, causal=True), prefill(b, custom_mask=mask)
        prefill(b, pos_encoding_mode="ALIBI")
        both.plan(b.qo_indptr, b.indptr, b.indices, lens, HEADS, KV_HEADS, DIM, DIM, 4,
                  q_data_type=b.dtype, kv_data_type=b.dtype)

    plans()  # kernels are made
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        plans()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@on_devices
@pytest.mark.parametrize("options", [
    {"window_left": 3}, {"logits_soft_cap": 5.0}, {"sm_scale": 0.3}], ids=lambda o: next(iter(o)))
def test_options_of_plan(rng, device, options):
    b = Batch(rng, device, qo_lens=[1, 5, 1, 16])
    words = {("soft_cap" if k == "logits_soft_cap" else k): v for k, v in options.items()}
    b.check(*prefill(b, causal=True, **options).run(b.q, b.kv, return_lse=True), causal=True,
            **words)
    b.check(*prefill(b, **options).run(b.q, b.kv, return_lse=True), causal=False, **words)
    one = Batch(rng, device)
    one.check(*decode(one, **options).run(one.q, one.kv, return_lse=True), **words)


@on_devices
def test_values_of_run(rng, device):
    b = Batch(rng, device)
    wrapper = decode(b, sm_scale=0.2, window_left=2)
    scale = torch.tensor(0.5, device=device)
    b.check(wrapper.run(b.q, b.kv, q_scale=2.0, k_scale=0.5), sm_scale=0.2, window_left=2)
    b.check(wrapper.run(b.q, b.kv, k_scale=scale, window_left=-1), sm_scale=0.1)
    b.check(wrapper.run(b.q, b.kv, v_scale=scale) * 2, sm_scale=0.2, window_left=2)
    sinks = rng.standard_normal(HEADS).astype(np.float32)
    b.check(*wrapper.run(b.q, b.kv, sinks=tensor(sinks, device), return_lse=True), sink=sinks,
            sm_scale=0.2, window_left=2)


@on_devices
def test_rope_and_alibi(rng, device):
    b = Batch(rng, device, qo_lens=[2, 3, 1, 4])
    o = prefill(b, causal=True, pos_encoding_mode="ROPE_LLAMA", rope_theta=1e3).run(b.q, b.kv)
    slopes = 2.0 ** (-2.0 * (np.arange(HEADS) + 1))
    b.check(prefill(b, causal=True, pos_encoding_mode="ALIBI").run(b.q, b.kv), slopes=slopes)
    k, v = b.numpy(b.k), b.numpy(b.v)
    for r, (n, m) in enumerate(zip(b.qo_lens, b.pages.kv_lens)):
        rows = slice(int(b.qo_indptr[r]), int(b.qo_indptr[r + 1]))
        keys, values = b.pages.request(r, k, v)
        expected = attention(rotate(b.numpy(b.q)[rows], np.arange(m - n, m), 1e3),
                             rotate(keys, np.arange(m), 1e3), values)
        assert_close(b.numpy(o)[rows], expected[0], str(b.dtype)[6:])


@on_devices
@pytest.mark.parametrize("packed", [False, True])
def test_custom_mask(rng, device, packed):
    b = Batch(rng, device, kv_lens=[7, 12], qo_lens=[3, 5])
    masks = [rng.random((n, m)) < 0.6 for n, m in zip(b.qo_lens, b.pages.kv_lens)]
    flat = tensor(np.concatenate([m.reshape(-1) for m in masks]), device)
    given = {"custom_mask": flat}
    if packed:
        bits = flashinfer.segment_packbits(flat, torch.tensor([0, 21, 81], dtype=torch.int32),
                                           bitorder="little")
        assert bits[1].tolist() == [0, 3, 11]
        given = {"packed_custom_mask": bits[0]}
    b.check(*prefill(b, causal=True, **given).run(b.q, b.kv, return_lse=True), mask=masks)


@on_devices
def test_items_see_the_prefix_and_themselves(rng, device):
    b = Batch(rng, device, kv_lens=[9, 6], qo_lens=[7, 6])  # prefixes of 3 and 2, 2 of them cached
    items = [[0, 1, 2, 0, 1, 0], [0, 1, 2, 3]]
    positions = torch.tensor([*items[0], 0, *items[1], 0, 0, 0], dtype=torch.uint16)
    masks = []
    for (n, m, prefix), own in zip(((7, 9, 3), (6, 6, 2)), items):
        mask = np.zeros((n, m), bool)
        for row, i in enumerate(range(m - n, m)):
            mask[row, :i + 1 if i < prefix else prefix] = True
            if i >= prefix:
                mask[row, i + 1 - own[i - prefix]:i + 1] = True
        masks.append(mask)
    wrapper = prefill(b, causal=True, token_pos_in_items_ptr=positions, token_pos_in_items_len=7,
                      prefix_len_ptr=torch.tensor([3, 2], dtype=torch.int32),
                      max_item_len_ptr=torch.tensor([2, 3], dtype=torch.int32))
    b.check(*wrapper.run(b.q, b.kv, return_lse=True), mask=masks)


@on_devices
def test_ragged(rng, device):
    qo_lens, kv_lens = [3, 1, 8], [3, 9, 8]
    qo, kv = (torch.tensor([0, *np.cumsum(x)], dtype=torch.int32) for x in (qo_lens, kv_lens))
    q = rng.standard_normal((12, HEADS, DIM)).astype(np.float32)
    k, v = rng.standard_normal((2, 20, KV_HEADS, DIM)).astype(np.float32)
    dtype = DTYPE[device]
    wrapper = flashinfer.BatchPrefillWithRaggedKVCacheWrapper(
        torch.empty(16, dtype=torch.uint8, device=device), "NHD")
    wrapper.plan(qo, kv, HEADS, KV_HEADS, DIM, causal=True, sm_scale=0.25, q_data_type=dtype)
    o, lse = wrapper.run(*(tensor(x, device, dtype) for x in (q, k, v)), return_lse=True)
    for r in range(3):
        rows, keys = slice(int(qo[r]), int(qo[r + 1])), slice(int(kv[r]), int(kv[r + 1]))
        expected = attention(q[rows], k[keys], v[keys], sm_scale=0.25)
        assert_close(o[rows].float().cpu(), expected[0], str(dtype)[6:])
        assert_close(lse[rows].cpu(), expected[1] / math.log(2), str(dtype)[6:])


@on_devices
@pytest.mark.parametrize("layout", ["NHD", "HND"])
def test_single(rng, device, layout):
    q = rng.standard_normal((5, HEADS, DIM)).astype(np.float32)
    k, v = rng.standard_normal((2, 9, KV_HEADS, DIM)).astype(np.float32)
    dtype = DTYPE[device]
    given = [tensor(x, device, dtype) for x in (q, k, v)]
    if layout == "HND":
        given[1:] = [x.transpose(0, 1).contiguous() for x in given[1:]]
    got = flashinfer.single_prefill_with_kv_cache(*given, causal=True, kv_layout=layout,
                                                  return_lse=True)
    expected = attention(q, k, v)
    assert_close(got[0].float().cpu(), expected[0], str(dtype)[6:])
    assert_close(got[1].cpu(), expected[1] / math.log(2), str(dtype)[6:])
    one = flashinfer.single_decode_with_kv_cache(given[0][4], *given[1:], kv_layout=layout)
    assert_close(one.float().cpu(), expected[0][4], str(dtype)[6:])
    mask = rng.random((5, 9)) < 0.5
    got = flashinfer.single_prefill_with_kv_cache(
        *given, custom_mask=tensor(mask, device), kv_layout=layout)
    assert_close(got.float().cpu(), attention(q, k, v, mask=mask)[0], str(dtype)[6:])


@on_devices
def test_batch_attention_takes_any_mixture(rng, device):
    b = Batch(rng, device, kv_lens=(0, 30, 7), qo_lens=[0, 1, 7])
    wrapper = flashinfer.BatchAttention("NHD", device)
    wrapper.plan(b.qo_indptr, b.indptr, b.indices, torch.tensor([0, 30, 7], dtype=torch.int32),
                 HEADS, KV_HEADS, DIM, DIM, 4, causal=True, q_data_type=b.dtype,
                 kv_data_type=b.dtype)
    b.check(*wrapper.run(b.q, b.kv))
    b.check(*wrapper.run(b.q, b.kv, logits_soft_cap=3.0), soft_cap=3.0)


@on_devices
def test_sink_wrapper(rng, device):
    b = Batch(rng, device, qo_lens=[2, 4, 1, 1])
    sink = rng.standard_normal(HEADS).astype(np.float32)
    wrapper = flashinfer.BatchAttentionWithAttentionSinkWrapper(
        b.workspace, "NHD", q_data_type=b.dtype, kv_data_type=b.dtype, head_dim_qk=DIM,
        head_dim_vo=DIM, window_left=6)
    wrapper.plan(b.qo_indptr, b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4, causal=True,
                 q_data_type=b.dtype)
    o = wrapper.run(b.q, b.kv, tensor(sink, device), 0.125)
    b.check(o, sink=sink, sm_scale=0.125, window_left=6)


@on_devices
def test_block_tables(rng, device):
    b = Batch(rng, device, layout="HND")
    tables = torch.zeros(4, 12, dtype=torch.int32)
    for r in range(4):
        ids = b.indices[b.indptr[r]:b.indptr[r + 1]]
        tables[r, :len(ids)] = ids
    lens = torch.tensor(b.pages.kv_lens, dtype=torch.int32)
    o = flashinfer.decode.trtllm_batch_decode_with_kv_cache(
        b.q, b.kv, b.workspace, tables.to(device), lens.to(device), 33, 0.2, 1.0)
    b.check(o, sm_scale=0.2)


def test_mla(rng):
    kv_lens, page, heads = [9, 20], 4, 3
    pages = Pages(rng, kv_lens, page, 1, 512, 64)
    ckv, kpe = torch.as_tensor(pages.k[:, :, 0]), torch.as_tensor(pages.v[:, :, 0])
    q_nope, q_pe = (torch.as_tensor(rng.standard_normal((2, heads, n)).astype(np.float32))
                    for n in (512, 64))
    wrapper = flashinfer.BatchMLAPagedAttentionWrapper(torch.empty(8, dtype=torch.uint8))
    wrapper.plan(torch.tensor([0, 1, 2], dtype=torch.int32), torch.as_tensor(pages.indptr),
                 torch.as_tensor(pages.indices), torch.tensor(kv_lens, dtype=torch.int32), heads,
                 512, 64, page, True, 0.1, torch.float32, torch.float32)
    joined = torch.cat([ckv, kpe], dim=-1)
    for caches in ((ckv, kpe), (joined[..., :512], joined[..., 512:])):
        o, lse = wrapper.run(q_nope, q_pe, *caches, return_lse=True, return_lse_base_on_e=True)
        for r in range(2):
            keys, rope_keys = pages.request(r)
            expected = attention(torch.cat([q_nope, q_pe], -1)[r:r + 1],
                                 np.concatenate([keys, rope_keys], -1), keys, sm_scale=0.1)
            assert_close(o[r:r + 1], expected[0])
            assert_close(lse[r:r + 1], expected[1])
    assert flashinfer.mla.joined_cache(joined[..., :512], joined[..., 512:]).data_ptr() == \
        joined.data_ptr()


@on_devices
def test_block_sparse(rng, device):
    rows, columns, r, c = 6, 8, 2, 4
    blocks = np.array([[1, 0], [1, 1], [0, 1]], bool)
    indptr, indices = [0, 1, 3, 4], [0, 0, 1, 1]
    q = rng.standard_normal((rows, HEADS, DIM)).astype(np.float32)
    k, v = rng.standard_normal((2, columns, KV_HEADS, DIM)).astype(np.float32)
    dtype = DTYPE[device]
    given = [tensor(x, device, dtype) for x in (q, k, v)]
    wrapper = flashinfer.BlockSparseAttentionWrapper(
        torch.empty(8, dtype=torch.uint8, device=device))
    inner = rng.random((4, r, c)) < 0.7
    dense = np.kron(blocks, np.ones((r, c), bool))
    masked = dense.copy()
    for n, (i, j) in enumerate(zip([0, 1, 1, 2], indices)):
        masked[i * r:(i + 1) * r, j * c:(j + 1) * c] &= inner[n]
    for mask, expected in ((None, dense), (inner, masked)):
        wrapper.plan(torch.tensor(indptr, dtype=torch.int32),
                     torch.tensor(indices, dtype=torch.int32), rows, columns, r, c, HEADS,
                     KV_HEADS, DIM, q_data_type=dtype,
                     mask=None if mask is None else tensor(mask, device))
        assert_close(wrapper.run(*given).float().cpu(), attention(q, k, v, mask=expected)[0],
                     str(dtype)[6:])


@on_devices
def test_multi_level_cascade(rng, device):
    b = Batch(rng, device, kv_lens=[6, 3], qo_lens=[2, 3])
    shared_ids = torch.tensor([len(b.k) - 1], dtype=torch.int32)
    while shared_ids[0] in b.indices:
        shared_ids -= 1
    wrapper = flashinfer.MultiLevelCascadeAttentionWrapper(2, b.workspace)
    wrapper.plan([torch.tensor([0, 5], dtype=torch.int32), b.qo_indptr],
                 [torch.tensor([0, 1], dtype=torch.int32), b.indptr], [shared_ids, b.indices],
                 [torch.tensor([4], dtype=torch.int32), b.last], HEADS, KV_HEADS, DIM, 4,
                 causal=True, q_data_type=b.dtype)
    o = b.numpy(wrapper.run(b.q, b.kv))
    k, v = b.numpy(b.k), b.numpy(b.v)
    for r in range(2):
        rows = slice(int(b.qo_indptr[r]), int(b.qo_indptr[r + 1]))
        keys, values = b.pages.request(r, k, v)
        at = int(shared_ids[0])
        expected = attention(b.numpy(b.q)[rows], np.concatenate([k[at], keys]),
                             np.concatenate([v[at], values]))
        assert_close(o[rows], expected[0], str(b.dtype)[6:])


@on_devices
def test_shared_prefix_wrappers(rng, device):
    b = Batch(rng, device)
    ks, vs = rng.standard_normal((2, 10, KV_HEADS, DIM)).astype(np.float32)
    shared = [tensor(x, device, b.dtype) for x in (ks, vs)]
    decoder = flashinfer.BatchDecodeWithSharedPrefixPagedKVCacheWrapper(b.workspace)
    decoder.begin_forward(b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4, b.dtype)
    prefiller = flashinfer.BatchPrefillWithSharedPrefixPagedKVCacheWrapper(b.workspace)
    prefiller.begin_forward(b.qo_indptr, b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4)
    k, v = b.numpy(b.k), b.numpy(b.v)
    for o in (decoder.forward(b.q, *shared, b.kv), prefiller.forward(b.q, *shared, b.kv, True)):
        for r in range(4):
            keys, values = b.pages.request(r, k, v)
            expected = attention(b.numpy(b.q)[r:r + 1], np.concatenate([ks, keys]),
                                 np.concatenate([vs, values]))
            assert_close(b.numpy(o)[r:r + 1], expected[0], str(b.dtype)[6:])
    decoder.end_forward()
    prefiller.end_forward()


@on_devices
def test_pod(rng, device):
    b = Batch(rng, device)
    q, k, v = (rng.standard_normal((6, h, DIM)).astype(np.float32)
               for h in (HEADS, KV_HEADS, KV_HEADS))
    wrapper = flashinfer.PODWithPagedKVCacheWrapper(b.workspace)
    wrapper.plan(b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4, q_data_type=b.dtype)
    o_p, o_d = wrapper.run(*(tensor(x, device, b.dtype) for x in (q, k, v)), b.q, b.kv,
                           causal_p=True)
    assert_close(o_p.float().cpu(), attention(q, k, v)[0], str(b.dtype)[6:])
    b.check(o_d)
    both = flashinfer.BatchPODWithPagedKVCacheWrapper(b.workspace)
    both.plan(b.qo_indptr, b.indptr, b.indices, b.last, b.qo_indptr, b.indptr, b.indices, b.last,
              HEADS, KV_HEADS, DIM, 4, q_data_type=b.dtype)
    for o in both.run(b.q, b.kv, b.q, b.kv, causal_p=True):
        b.check(o)


@on_devices
def test_fp8_cache_and_scales(rng, device):
    b = Batch(rng, device, dtype=torch.bfloat16)
    b.k, b.v = (x.to(torch.float8_e4m3fn) for x in (b.k, b.v))
    wrapper = flashinfer.BatchDecodeWithPagedKVCacheWrapper(b.workspace)
    wrapper.plan(b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4,
                 q_data_type=torch.bfloat16, kv_data_type=torch.float8_e4m3fn)
    o = wrapper.run(b.q, (b.k, b.v), k_scale=0.5, v_scale=2.0)
    b.check(o / 2, sm_scale=0.5 / 8)


@on_devices
def test_multi_token_decode(rng, device):
    b = Batch(rng, device, kv_lens=[5, 33], qo_lens=[3, 3])
    b.check(decode(b, q_len_per_req=3).run(b.q, b.kv))


@on_devices
@pytest.mark.parametrize("options", [{"fixed_split_size": 16}, {"disable_split_kv": True}],
                         ids=["fixed", "unsplit"])
def test_batch_invariance(rng, device, options):
    b = Batch(rng, device, kv_lens=[300, 50, 7, 128])
    all_four = decode(b, **options).run(b.q, b.kv)
    b.check(all_four)
    one = flashinfer.BatchDecodeWithPagedKVCacheWrapper(b.workspace)
    one.plan(b.indptr[:2], b.indices[:b.indptr[1]], b.last[:1], HEADS, KV_HEADS, DIM, 4,
             q_data_type=b.dtype, **options)
    assert torch.equal(one.run(b.q[:1], b.kv), all_four[:1])


@on_devices
def test_deprecated_verbs_and_positions(rng, device):
    b = Batch(rng, device, qo_lens=[1, 3, 1, 2])
    wrapper = flashinfer.BatchPrefillWithPagedKVCacheWrapper(b.workspace, "NHD")
    wrapper.begin_forward(b.qo_indptr, b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4,
                          q_data_type=b.dtype)
    b.check(wrapper.forward(b.q, b.kv, causal=True, window_left=4), window_left=4)
    b.check(*wrapper.forward_return_lse(b.q, b.kv, causal=False, sm_scale=0.5), causal=False,
            sm_scale=0.5)
    wrapper.end_forward()
    one = Batch(rng, device)
    old = flashinfer.BatchDecodeWithPagedKVCacheWrapper(one.workspace, "NHD")
    with pytest.warns(DeprecationWarning):
        old.begin_forward(one.indptr, one.indices, one.last, HEADS, KV_HEADS, DIM, 4, "NONE", 5,
                          None, one.dtype)
    one.check(old.run(one.q, one.kv), window_left=5)
    one.check(old.forward(one.q, one.kv, logits_soft_cap=2.0), soft_cap=2.0)


@on_devices
def test_graph_buffers_keep_their_addresses(rng, device):
    b = Batch(rng, device)
    buffers = [torch.zeros(n, dtype=torch.int32, device=device) for n in (5, 64, 4)]
    wrapper = flashinfer.CUDAGraphBatchDecodeWithPagedKVCacheWrapper(b.workspace, *buffers)
    wrapper.plan(b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4, q_data_type=b.dtype)
    assert buffers[0].tolist() == b.indptr.tolist() and wrapper.is_cuda_graph_enabled
    out = torch.empty_like(b.q)
    run = lambda: wrapper.run(b.q, b.kv, out=out)  # noqa: E731
    run()
    if device == "cuda":
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        run = graph.replay
    b.check(out)
    other = Batch(rng, device, kv_lens=(12, 2, 40, 3))
    b.q.copy_(other.q)
    wrapper.plan(other.indptr, other.indices, other.last, HEADS, KV_HEADS, DIM, 4,
                 q_data_type=b.dtype)
    b.kv[:len(other.kv)].copy_(other.kv)
    run()
    other.check(out)
    with pytest.raises(ValueError, match="batch size"):
        wrapper.plan(b.indptr[:4], b.indices, b.last[:3], HEADS, KV_HEADS, DIM, 4,
                     q_data_type=b.dtype)
    with pytest.raises(ValueError, match="indices"):
        wrapper.plan(b.indptr, torch.zeros(65, dtype=torch.int32), b.last, HEADS, KV_HEADS, DIM, 4,
                     q_data_type=b.dtype)


def test_what_is_wrong_raises(rng):
    b = Batch(rng, "cpu")
    wrapper = flashinfer.BatchDecodeWithPagedKVCacheWrapper(b.workspace)
    with pytest.raises(RuntimeError, match="plan"):
        flashinfer.BatchPrefillWithPagedKVCacheWrapper(b.workspace)._planned.run(
            b.q, b.kv, None, None, False)
    with pytest.raises(ValueError, match="indptr: expected int32"):
        wrapper.plan(b.indptr.long(), b.indices, b.last, HEADS, KV_HEADS, DIM, 4)
    wrapper.plan(b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4)  # float16 by default
    with pytest.raises(ValueError, match="q: expected f16"):
        wrapper.run(b.q, b.kv)
    with pytest.raises(ValueError, match="q: expected 4 rows"):
        wrapper.run(b.q[:3].half(), b.kv)
    with pytest.raises(KeyError, match="kv_layout"):
        decode(b, "NDH")
    with pytest.raises(NotImplementedError, match="kv_cache_sf"):
        decode(b).run(b.q, b.kv, kv_cache_sf=b.q)
    with pytest.raises(NotImplementedError, match="prefix_len_ptr"):
        prefill(b, prefix_len_ptr=b.last)
    with pytest.raises(ValueError, match="token_pos_in_items_ptr: expected at least 5"):
        prefill(b, prefix_len_ptr=torch.zeros(4, dtype=torch.int32), token_pos_in_items_len=2,
                token_pos_in_items_ptr=torch.zeros(8, dtype=torch.uint16))
