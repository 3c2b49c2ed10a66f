# SPDX-License-Identifier: Apache-2.0
# What programs written for the de-facto API do beside the plain calls: modules built beforehand,
# variants by name, pages of one token without that dimension.
import sys
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weft.flashinfer as flashinfer  # noqa: E402  (needs torch)
from conftest import devices  # noqa: E402
from flashinfer_batch import DIM, HEADS, KV_HEADS, Batch, decode, prefill, tensor  # noqa: E402
from weft.flashinfer import _common, _prefill_plan, jit  # noqa: E402

on_devices = pytest.mark.parametrize("device", devices())


def test_modules_built_beforehand():
    specs = [flashinfer.decode.gen_batch_decode_module(torch.float16, 128),
             flashinfer.prefill.gen_batch_prefill_module("fa2"), flashinfer.page.gen_page_module(),
             flashinfer.gen_norm_module(), jit.gen_batch_prefill_attention_sink_module("fa3")]
    assert [spec.name for spec in specs][:2] == ["batch_decode", "batch_prefill"]
    assert flashinfer.jit.build_jit_specs(specs, verbose=False) is None
    with pytest.raises(NotImplementedError, match="the functions of module page"):
        specs[2].build_and_load()
    with pytest.raises(NotImplementedError, match="variants from text"):
        jit.gen_customize_batch_prefill_module("fa2", "uri")


@on_devices
@pytest.mark.parametrize("layout", ["NHD", "HND"])
def test_pages_of_one_token_without_that_dimension(rng, device, layout):
    b = Batch(rng, device, page_size=1, layout=layout)
    axis = 1 if layout == "NHD" else 2
    for made in (decode(b, layout), prefill(b, layout, causal=True)):
        b.check(made.run(b.q, (b.k.squeeze(axis), b.v.squeeze(axis))))
        b.check(made.run(b.q, b.kv.squeeze(axis + 1)))
        b.check(made.run(b.q, b.kv))


def sink_args(text, name="AttentionSink"):
    return ("uri", torch.float16, torch.float16, torch.float16, torch.int32, DIM, DIM, ["sink"],
            ["float"], ["sm_scale"], ["double"], name, text)


@on_devices
def test_the_sink_as_a_variant(rng, device):
    b = Batch(rng, device, qo_lens=[1, 3, 1, 2])
    sink = rng.standard_normal(HEADS).astype(np.float32)
    made = flashinfer.BatchPrefillWithPagedKVCacheWrapper(
        b.workspace, jit_args=sink_args(jit.attention_sink_decl["fa2"]),
        jit_kwargs={"use_sliding_window": True})
    made.plan(b.qo_indptr, b.indptr, b.indices, b.last, HEADS, KV_HEADS, DIM, 4, causal=True,
              window_left=6, q_data_type=b.dtype)
    o, lse = made.run(b.q, b.kv, tensor(sink, device), 0.25, return_lse=True)
    b.check(o, lse, sink=sink, sm_scale=0.25, window_left=6)
    with pytest.raises(TypeError, match="sink and sm_scale by position, got 1"):
        made.run(b.q, b.kv, tensor(sink, device))
    with pytest.raises(NotImplementedError, match="text of one's own"):
        flashinfer.BatchDecodeWithPagedKVCacheWrapper(
            b.workspace, jit_args=sink_args("struct AttentionSink {};"))


def test_lengths_of_items_as_tensors_of_no_dimension(rng):
    b = Batch(rng, "cpu", kv_lens=[9], qo_lens=[7])
    items = torch.tensor([0, 1, 2, 0, 1, 2, 0], dtype=torch.uint16)
    plain = prefill(b, causal=True, prefix_len_ptr=torch.tensor([2], dtype=torch.uint32),
                    token_pos_in_items_ptr=items, token_pos_in_items_len=7).run(b.q, b.kv)
    got = prefill(b, causal=True, prefix_len_ptr=torch.tensor(2, dtype=torch.uint32),
                  token_pos_in_items_ptr=items, max_item_len_ptr=torch.tensor(2),
                  token_pos_in_items_len=torch.tensor(7, dtype=torch.uint32)).run(b.q, b.kv)
    assert torch.equal(got, plain) and not torch.equal(got, prefill(b, causal=True).run(b.q, b.kv))


def test_keys_and_values_of_one_dtype_each_by_name(rng):
    b = Batch(rng, "cpu")
    for given in ({"k_data_type": b.dtype, "v_data_type": b.dtype}, {"v_data_type": b.dtype}):
        b.check(decode(b, **given).run(b.q, b.kv))
    with pytest.raises(NotImplementedError, match="asymmetric"):
        decode(b, k_data_type=b.dtype, v_data_type=torch.float8_e4m3fn)


def test_mla_with_an_indptr_longer_than_the_batch(rng):
    q, pe = (tensor(rng.standard_normal((2, 16, n)), "cpu", torch.float32) for n in (512, 64))
    ckv, kpe = (tensor(rng.standard_normal((3, 4, n)), "cpu", torch.float32) for n in (512, 64))
    outputs = []
    for tail in ([], [3, 9]):
        made = flashinfer.mla.BatchMLAPagedAttentionWrapper(torch.empty(8, dtype=torch.uint8))
        ints = [torch.tensor(x, dtype=torch.int32) for x in (
            [0, 1, 2], [0, 1, 3, *tail], [2, 0, 1], [3, 6])]
        made.plan(*ints, 16, 512, 64, 4, False, 0.1, torch.float32, torch.float32)
        outputs.append(made.run(q, pe, ckv, kpe))
    assert torch.equal(*outputs)


@on_devices
@pytest.mark.parametrize("kind", [torch.int64, torch.uint64])
@pytest.mark.parametrize("sizes", [(4, 4), (1, 4), (4, 1)])
def test_a_request_with_its_own_seed_draws_what_it_would_alone(rng, device, kind, sizes):
    probs = torch.softmax(tensor(rng.standard_normal((4, 257)), device, torch.float32), -1)
    values = ([17, 324, 907, 2**62 + 1], [0, 128, 512, 1024])
    seed, offset = (torch.tensor(x[:n], dtype=torch.int64).view(kind).to(device)
                    for x, n in zip(values, sizes))
    got = flashinfer.top_k_sampling_from_probs(probs, 100, seed=seed, offset=offset)
    assert len(set(got.tolist())) > 1
    for row in range(4):
        own = [torch.tensor([x[min(row, n - 1)]], device=device) for x, n in zip(values, sizes)]
        alone = flashinfer.top_k_sampling_from_probs(probs[row:row + 1], 100, seed=own[0],
                                                     offset=own[1])
        assert alone.item() == got[row].item()


@on_devices
def test_a_parameter_is_the_request_s_not_the_row_s(device):
    probs = torch.tensor([[0.6, 0.4], [0.4, 0.6]], device=device)
    n = 200
    rows = torch.tensor([1, 0], device=device, dtype=torch.int32)
    found = [set(), set()]
    for trial in range(n):  # as many requests as rows, in the other order
        top_p = torch.tensor([0.5, 1.0], device=device)
        got = flashinfer.top_p_sampling_from_probs(probs, top_p, indices=rows, seed=trial)
        for r, token in enumerate(got.tolist()):
            found[r].add(token)
    assert found == [{1}, {0, 1}]
    for wrong in (1, [1], [[1], [1]], [1, 1, 1]):
        with pytest.raises(ValueError, match=r"top_k: .* shape \[2\], the batch size"):
            flashinfer.top_k_sampling_from_probs(probs, torch.tensor(wrong, device=device),
                                                 indices=rows)


def test_joined_keys_are_of_one_dtype():
    k, nope, rope = (torch.zeros(3, heads, n) for heads, n in ((2, 6), (2, 4), (1, 2)))
    flashinfer.concat_mla_k(k, nope + 1, rope + 2)
    assert torch.equal(k[1], torch.tensor([[1.0] * 4 + [2.0] * 2] * 2))
    flashinfer.concat_mla_k(k[:0], nope[:0], rope[:0])
    with pytest.raises(ValueError, match="expected torch.float32"):
        flashinfer.concat_mla_k(k, nope, rope.half())


@on_devices
def test_outputs_and_queries_in_float8(rng, device):
    b = Batch(rng, device, qo_lens=[1, 3, 1, 2], dtype=torch.float16)
    plain = prefill(b, causal=True).run(b.q, b.kv, v_scale=600.0)
    made = prefill(b, causal=True, o_data_type=torch.float8_e4m3fn)
    out = torch.zeros_like(b.q, dtype=torch.float8_e4m3fn)
    o, lse = made.run(b.q, b.kv, v_scale=600.0, out=out, return_lse=True)
    assert o is out and lse.shape == b.q.shape[:2] and out.float().abs().max() == 448
    assert torch.equal(out.float(), plain.float().clamp(-448, 448).to(out.dtype).float())
    q = b.q[1:4].to(torch.float8_e4m3fn)  # one request, its scales of each head, its output in f16
    k, v = (x[:2].reshape(-1, KV_HEADS, DIM).to(q.dtype) for x in (b.k, b.v))
    scales = [torch.linspace(0.5, 2, n, device=device) for n in (HEADS, KV_HEADS, KV_HEADS)]
    got = flashinfer.single_prefill_with_kv_cache(q, k, v, *scales, o_dtype=torch.float16)
    wide = [(x.float() * s[:, None]).half() for x, s in zip((q, k, v), scales)]
    expected = flashinfer.single_prefill_with_kv_cache(*wide)
    assert got.dtype == torch.float16 and torch.allclose(got, expected, atol=2e-2)


def tables_of(b, device):
    tables = torch.zeros(len(b.pages.kv_lens), 12, dtype=torch.int32)
    for r in range(len(tables)):
        ids = b.indices[b.indptr[r]:b.indptr[r + 1]]
        tables[r, :len(ids)] = ids
    return tables.to(device), torch.tensor(b.pages.kv_lens, dtype=torch.int32, device=device)


@on_devices
@pytest.mark.parametrize("kind", [torch.uint16, torch.uint8])
def test_a_mask_says_which_drafts_a_draft_sees(rng, device, kind):
    b = Batch(rng, device, kv_lens=(7, 33, 5, 16), qo_lens=[5] * 4)
    seen = (rng.random((4, 5, 5)) < 0.5) | np.eye(5, dtype=bool)
    words = np.packbits(seen, axis=-1, bitorder="little")
    if kind is torch.uint16:
        words = np.concatenate([words, np.zeros_like(words)], -1)
    mask = torch.as_tensor(words).view(kind).to(device)
    dense = [np.concatenate([np.ones((5, n - 5), bool), seen[r]], 1)
             for r, n in enumerate(b.pages.kv_lens)]
    tables, lens = tables_of(b, device)
    o = flashinfer.decode.trtllm_batch_decode_with_kv_cache(
        b.q, b.kv, b.workspace, tables, lens, 33, 0.2, 1.0, kv_layout="NHD", q_len_per_req=5,
        mask=mask, skip_softmax_threshold_scale_factor=1e-30)
    b.check(o, sm_scale=0.2, mask=dense)
    out = torch.empty_like(b.q)
    shape = (4, 1, 5, HEADS, DIM)
    flashinfer.xqa.xqa(b.q.view(shape), b.k, b.v, tables, lens[:, None], out.view(shape),
                       b.workspace, b.workspace, KV_HEADS, 4, q_seq_len=5, mask=mask)
    b.check(out, mask=dense)
    with pytest.raises(ValueError, match="mask: expected bits"):
        flashinfer.decode.trtllm_batch_decode_with_kv_cache(
            b.q, b.kv, b.workspace, tables, lens, 33, kv_layout="NHD", q_len_per_req=5,
            mask=mask[:3])


@on_devices
def test_the_output_s_scale_is_in_bmm2_scale(rng, device):
    b = Batch(rng, device, dtype=torch.float16)
    tables, lens = tables_of(b, device)
    plain, got = (flashinfer.decode.trtllm_batch_decode_with_kv_cache(
        b.q, b.kv, b.workspace, tables, lens, 33, 0.1, 0.5, kv_layout="NHD", o_scale=o_scale)
        for o_scale in (1.0, 0.25))
    assert torch.equal(plain, got)


@on_devices
def test_run_alone_names_the_queries_of_a_request(rng, device):
    b = Batch(rng, device, kv_lens=(7, 33, 5, 16), qo_lens=[3] * 4)
    made = decode(b)
    b.check(made.run(b.q, b.kv, q_len_per_req=3))
    b.check(made.run(b.q, b.kv, q_len_per_req=3, sinks=None))
    with pytest.raises(ValueError, match="q: expected 8 rows"):
        made.run(b.q, b.kv, q_len_per_req=2)


@pytest.mark.skipif("cuda" not in devices(), reason="needs a GPU")
def test_slopes_of_a_captured_graph_stay_its_own(rng):
    q, k, v = (tensor(rng.standard_normal(shape), "cuda", torch.float16)
               for shape in ((6, 64), (20, 6, 64), (20, 6, 64)))
    flashinfer.single_decode_with_kv_cache(q, k, v)  # the same kernel, without slopes
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        o = flashinfer.single_decode_with_kv_cache(q, k, v, pos_encoding_mode="ALIBI")
    eager = flashinfer.single_decode_with_kv_cache(q, k, v, pos_encoding_mode="ALIBI")
    graph.replay()
    assert torch.equal(o, eager) and torch.isfinite(eager).all()


def test_nothing_is_kept_of_a_graph_s_memory(monkeypatch):
    device, manager = torch.device("cuda", 0), types.SimpleNamespace(in_warmup=True)
    trees = types.SimpleNamespace(get_manager=lambda index, create_if_none_exists: manager)
    monkeypatch.setitem(sys.modules, "torch._inductor.cudagraph_trees", trees)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    assert _common.in_a_graph(device) and not _common.in_a_graph(torch.device("cpu"))
    manager.in_warmup = False
    assert not _common.in_a_graph(device)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert _common.in_a_graph(device)
    monkeypatch.setattr(_prefill_plan, "in_a_graph", lambda device: True)
    cpu = torch.device("cpu")
    made = [_prefill_plan.plan_for_one_call(cpu, "x") for _ in range(2)]
    assert made[0] is not made[1]
    monkeypatch.setattr(_common, "in_a_graph", lambda device: True)
    assert _common.alibi_slopes(4, cpu) is not _common.alibi_slopes(4, cpu)


def test_helpers_of_programs():
    utils, timing = flashinfer.utils, flashinfer.testing
    assert [utils.next_positive_power_of_2(x) for x in (0, 1, 2, 3, 17)] == [1, 1, 2, 4, 32]
    assert utils.get_indptr(torch.tensor([2, 0, 5])).tolist() == [0, 2, 2, 7]
    assert utils.is_float8(torch.zeros(1, dtype=torch.float8_e5m2))
    with flashinfer.autotune(True):
        assert utils.determine_mla_backend(torch.device("cpu")) == "fa2"
    assert timing.attention_flops(2, 3, 5, 64, 32, 4, False) == 2 * 2 * 4 * 15 * 96
    assert timing.attention_flops(1, 4, 4, 64, 64, 1, True) == 16 * 128
    assert timing.attention_tflops_per_sec(1, 1, 1, 1, 1, 1, False, 1e-9) == pytest.approx(4)
    timing.set_seed(3)
    drawn = torch.rand(2), np.random.random()
    timing.set_seed(3)
    assert torch.equal(drawn[0], torch.rand(2)) and drawn[1] == np.random.random()
    assert len(timing.bench_gpu_time_with_cudagraph(lambda: None, 1, 3, l2_flush=False)) == 3


@pytest.mark.parametrize("wrapper", ["BatchDecodeWithPagedKVCacheWrapper",
                                     "BatchPrefillWithPagedKVCacheWrapper",
                                     "BatchPrefillWithRaggedKVCacheWrapper"])
def test_run_before_plan_says_so(wrapper):
    made = getattr(flashinfer, wrapper)(torch.zeros(16, dtype=torch.uint8), "NHD")
    q = torch.zeros(1, 2, 64)
    with pytest.raises(RuntimeError, match=r"expected plan\(\) before it"):
        made.run(q, q, q) if "Ragged" in wrapper else made.run(q, torch.zeros(1, 2, 1, 2, 64))
