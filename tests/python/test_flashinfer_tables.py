# SPDX-License-Identifier: Apache-2.0
# Entries of weft.flashinfer that are made of others: block tables, blocks of varying size, rotation
# into float8, speculative sampling, pipelines of logits processors. By their contracts, in float64.
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weft.flashinfer as flashinfer  # noqa: E402  (needs torch)
from conftest import devices  # noqa: E402
from reference import Pages, assert_close, attention, rotate  # noqa: E402
from weft.flashinfer import logits_processor as steps  # noqa: E402

HEADS, KV_HEADS, DIM, PAGE = 4, 2, 64, 4
DTYPE = {"cpu": torch.float32, "cuda": torch.float16}
on_devices = pytest.mark.parametrize("device", devices())


def ints(values, device="cpu"):
    return torch.tensor(values, dtype=torch.int32, device=device)


def tensor(array, device, dtype=None):
    return torch.as_tensor(np.asarray(array)).to(device, dtype or DTYPE[device])


class Tables:
    """Pages with padded block tables, and queries of the given numbers."""

    def __init__(self, rng, device, qo_lens, kv_lens=(5, 9), heads=KV_HEADS, dim=DIM, dim_vo=None,
                 layout="NHD"):
        self.device, self.qo_lens = device, qo_lens
        self.pages = Pages(rng, kv_lens, PAGE, heads, dim, dim_vo, layout)
        self.tables = torch.zeros(len(kv_lens), 5, dtype=torch.int32)
        for r in range(len(kv_lens)):
            ids = self.pages.indices[self.pages.indptr[r]:self.pages.indptr[r + 1]]
            self.tables[r, :len(ids)] = torch.as_tensor(ids)
        self.tables, self.lens = self.tables.to(device), ints(kv_lens, device)
        self.qo_indptr = ints([0, *np.cumsum(qo_lens)], device)
        q = rng.standard_normal((sum(qo_lens), HEADS, dim))
        self.q, self.k, self.v = (tensor(x, device) for x in (q, self.pages.k, self.pages.v))
        self.kv = torch.stack([self.k, self.v], 1) if dim_vo is None else None

    def check(self, o, scale, v=None, **options):
        k, v = (x.float().cpu().numpy() for x in (self.k, self.v if v is None else v))
        q, o = self.q.float().cpu().numpy(), o.float().cpu().numpy()
        at = 0
        for r, n in enumerate(self.qo_lens):
            expected = attention(q[at:at + n], *self.pages.request(r, k, v), sm_scale=scale,
                                 **options)[0]
            assert_close(o[at:at + n], expected, str(DTYPE[self.device])[6:])
            at += n


@on_devices
@pytest.mark.parametrize("layout", ["NHD", "HND"])
def test_context_and_decode_by_block_tables(rng, device, layout):
    b = Tables(rng, device, [3, 2], layout=layout)
    more = dict(kv_layout=layout, window_left=4)
    shared = (b.q, b.kv, None, b.tables, b.lens)
    b.check(flashinfer.prefill.trtllm_batch_context_with_kv_cache(
        *shared, 3, 9, 0.2, 1.0, 2, b.qo_indptr, None, **more), 0.2, window_left=4)
    out = torch.empty_like(b.q)
    got = flashinfer.decode.trtllm_batch_decode_with_kv_cache(
        *shared, 9, torch.tensor([0.2], device=device), 0.5, out=out,
        cum_seq_lens_q=b.qo_indptr, max_q_len=3, **more)
    assert got is out
    b.check(2 * out, 0.2, window_left=4)
    b = Tables(rng, device, [2, 2], layout=layout)
    out = torch.empty(2, 1, 2, HEADS, DIM, dtype=b.q.dtype, device=device)
    flashinfer.xqa.xqa(b.q.view(2, 1, 2, HEADS, DIM), b.k, b.v, b.tables, b.lens[:, None], out,
                       None, None, KV_HEADS, PAGE, q_scale=2.0, sliding_win_size=5,
                       kv_layout=layout, q_seq_len=2)
    b.check(out.view(4, HEADS, DIM), 2 * DIM ** -0.5, window_left=4)
    with pytest.raises(ValueError, match="query: expected 2 rows"):
        flashinfer.decode.trtllm_batch_decode_with_kv_cache(b.q, b.kv, None, b.tables, b.lens, 9)


def test_latent_decode_by_block_tables(rng):
    b = Tables(rng, "cpu", [1, 1], heads=1, dim=576)
    got = flashinfer.decode.trtllm_batch_decode_with_kv_cache_mla(
        b.q.view(2, 1, HEADS, 576), b.k[:, :, 0], None, 128, 512, 64, b.tables, b.lens, 9,
        bmm1_scale=0.1)
    assert got.shape == (2, 1, HEADS, 512)
    b.check(got[:, 0], 0.1, v=b.k[..., :512])


@on_devices
def test_fmha_layouts(rng, device):
    lens = [3, 6]
    ends = ints([0, 3, 9], device)
    q, k, v = (tensor(rng.standard_normal((9, n, DIM)), device) for n in (HEADS, 2, 2))
    paged = Tables(rng, device, lens)

    def run(qkv, layout, **options):
        return flashinfer.prefill.trtllm_fmha_v2_prefill(
            qkv, layout, None, paged.lens, 6, 9, 0.2, 1.0, 2, ends, ends, **options)

    for qkv, layout, heads in (((q, k, v), "SEPARATE_Q_K_V", 2),
                               ((q, torch.stack([k, v], 1)), "CONTIGUOUS_Q_KV", 2),
                               (torch.stack([q, q, q], 1), "PACKED_QKV", 4)):
        o = run(qkv, layout, mask_mode="padding" if heads == 4 else "causal")
        keys = (q, q) if heads == 4 else (k, v)
        for r in range(2):
            rows = slice(int(ends[r]), int(ends[r + 1]))
            expected = attention(*(x[rows].float().cpu() for x in (q, *keys)), sm_scale=0.2,
                                 causal=heads == 2)
            assert_close(o[rows].float().cpu(), expected[0], str(q.dtype)[6:])
    paged.check(run((paged.q, paged.kv), "Q_PAGED_KV_NHD", block_tables=paged.tables), 0.2)
    ragged = flashinfer.prefill.trtllm_ragged_attention_deepseek(
        q, k, v[..., :32].contiguous(), None, paged.lens, 6, 6, 0.2, 1.0, -1, 2, -1, ends, ends,
        False, True, True)
    assert_close(ragged[0][3:].float().cpu(), attention(
        *(x[3:].float().cpu() for x in (q, k, v[..., :32])), sm_scale=0.2)[0], str(q.dtype)[6:])
    with pytest.raises(NotImplementedError, match="mask_mode"):
        run((q, k, v), "SEPARATE_Q_K_V", mask_mode="chunked")


@on_devices
@pytest.mark.parametrize("causal", [False, True])
def test_blocks_of_varying_size(rng, device, causal):
    rows, columns = np.array([[2, 5], [4, 3]]), np.array([[3, 1, 5], [2, 2, 5]])
    blocks = np.array([[[1, 0, 1], [0, 0, 0]], [[1, 1, 0], [1, 0, 1]]], bool)
    q = rng.standard_normal((HEADS, 7, DIM))
    k, v = rng.standard_normal((2, KV_HEADS, 9, DIM))
    wrapper = flashinfer.sparse.VariableBlockSparseAttentionWrapper(
        torch.empty(8, dtype=torch.uint8, device=device))
    wrapper.plan(torch.as_tensor(blocks).to(device), ints(rows, device), ints(columns, device),
                 HEADS, KV_HEADS, DIM, causal=causal, q_data_type=DTYPE[device])
    out = torch.empty(HEADS, 7, DIM, dtype=DTYPE[device], device=device)
    o, lse = wrapper.run(*(tensor(x, device) for x in (q, k, v)), out=out, return_lse=True)
    assert o is out
    tril = np.arange(9)[None] <= np.arange(7)[:, None] + 2
    for h in range(HEADS):
        own = h // 2
        mask = np.repeat(np.repeat(blocks[own], rows[own], 0), columns[own], 1)
        mask = mask & tril if causal else mask
        expected = attention(*(tensor(x, "cpu", DTYPE[device]).float()[:, None] for x in
                               (q[h], k[own], v[own])), mask=mask)
        assert_close(o[h].float().cpu(), expected[0][:, 0], str(o.dtype)[6:])
        assert_close(lse[h].cpu(), expected[1][:, 0] / np.log(2), str(o.dtype)[6:])


@on_devices
def test_block_sparse_causal(rng, device):
    q, k, v = (tensor(rng.standard_normal((8, n, DIM)), device) for n in (HEADS, 2, 2))
    wrapper = flashinfer.BlockSparseAttentionWrapper(
        torch.empty(8, dtype=torch.uint8, device=device))
    wrapper.plan(ints([0, 2, 4], device), ints([0, 1, 0, 1], device), 8, 8, 4, 4, HEADS, KV_HEADS,
                 DIM, causal=True, q_data_type=q.dtype)
    assert_close(wrapper.run(q, k, v).float().cpu(),
                 attention(*(x.float().cpu() for x in (q, k, v)))[0], str(q.dtype)[6:])


def float8(x, dtype=torch.float8_e4m3fn):
    return torch.as_tensor(x).float().to(dtype).float()


@on_devices
@pytest.mark.parametrize("latent", [False, True])
@pytest.mark.parametrize("neox", [False, True])
def test_rope_into_float8(rng, device, latent, neox):
    n, rope, nope = 3, 64, 32
    heads = () if latent else (KV_HEADS,)
    shapes = ((n, HEADS, rope), (n, *heads, rope), (n, HEADS, nope), (n, *heads, nope))
    given = [tensor(rng.standard_normal(shape), device, torch.bfloat16) for shape in shapes]
    positions = [3, 20, 1]
    angle = np.arange(32)[:, None] * 1e4 ** (-2.0 * np.arange(rope // 2) / rope)
    cache = tensor(np.concatenate([np.cos(angle), np.sin(angle)], 1), device, torch.float32)
    expected = [x.float().cpu().numpy().reshape(n, -1, x.shape[-1]) for x in given]
    expected = [(rotate(x, positions, interleave=not neox) if i < 2 else x) * (0.5 if i % 2 else 2)
                for i, x in enumerate(expected)]
    joined = torch.zeros(n, HEADS, nope + rope, dtype=torch.float8_e4m3fn, device=device)
    where = (cache, torch.tensor(positions, device=device))
    got = flashinfer.rope.rope_quantize_fp8(
        *given, *where, neox, None, 2.0, 0.5, q_rope_out=joined[..., nope:],
        q_nope_out=joined[..., :nope])
    assert got[0].data_ptr() == joined[..., nope:].data_ptr() and got[1].shape == shapes[1]
    for x, e in zip(got, expected):  # one step of e4m3 where the rounding of an angle decides
        assert (x.float().cpu().reshape(e.shape) - float8(e)).abs().max() <= 0.5
        assert (x.float().cpu().reshape(e.shape) == float8(e)).float().mean() > 0.98
    pages = (4, 2, *heads) if not latent else (4, 2)
    sizes = (nope, rope) if latent else (nope + rope, nope + rope)
    caches = [torch.zeros(*pages, size, dtype=torch.float8_e4m3fn, device=device)
              for size in sizes]
    v = None if latent else tensor(rng.standard_normal((n, KV_HEADS, nope + rope)), device,
                                   torch.bfloat16)
    q = flashinfer.rope.rope_quantize_fp8_append_paged_kv_cache(
        *given, v, *where, tuple(caches), ints([2, 0, 3], device), ints([0, 2, 3], device),
        ints([0, 0, 1], device), ints([1, 2, 1], device), neox, None, 2.0, 0.5, page_size=2)
    assert torch.equal(q[0].view(torch.uint8), got[0].view(torch.uint8))
    for t, (page, row) in enumerate(((2, 1), (0, 0), (3, 1))):
        own = [x[t].float().cpu() for x in (got[3], got[1])]
        found = [x[page, row].float().cpu() for x in caches]
        if latent:
            assert torch.equal(found[0], own[0]) and torch.equal(found[1], own[1])
        else:
            assert torch.equal(found[0], torch.cat(own[::-1], -1))
            assert torch.equal(found[1], float8(0.5 * v[t].float().cpu()))
    assert int((caches[0].float() != 0).reshape(8, -1).any(1).sum()) == n
    with pytest.raises(ValueError, match="page_size: expected 2"):
        flashinfer.rope.rope_quantize_fp8_append_paged_kv_cache(
            *given, v, *where, tuple(caches), *[ints([0], device)] * 4)


@on_devices
def test_speculative_sampling(rng, device):
    draft = torch.tensor([0.7, 0.2, 0.1])
    target = torch.tensor([0.2, 0.5, 0.3])
    n = 20000
    tokens = torch.multinomial(draft, n, replacement=True,
                               generator=torch.Generator().manual_seed(1))[:, None].to(device)
    rows = (draft.expand(n, 1, 3).contiguous().to(device), tokens,
            target.expand(n, 2, 3).contiguous().to(device))
    accepted = torch.ones(n, dtype=torch.int32, device=device)
    got, held, emitted = flashinfer.sampling.chain_speculative_sampling(*rows, accepted, seed=5)
    assert held is accepted and got.dtype == torch.int32 and emitted.dtype == torch.int32
    assert torch.equal(accepted - 1, emitted)  # of one draft, both count the same
    assert torch.equal(emitted, ((got[:, 0] == tokens[:, 0]) & (got[:, 1] >= 0)).int())
    found = torch.bincount(got[:, 0].cpu(), minlength=3) / n  # is the target's own distribution
    assert (found - target).abs().max() < 4 * (0.25 / n) ** 0.5
    again = flashinfer.sampling.chain_speculative_sampling(*rows, seed=5)[0]
    assert torch.equal(again, got)


@on_devices
def test_pipelines(rng, device):
    logits = tensor(rng.standard_normal((6, 50)), device, torch.float32)
    probs = flashinfer.softmax(logits, 0.5)
    pipe = flashinfer.LogitsPipe([steps.Temperature(), steps.Softmax(), steps.TopK(), steps.TopP()])
    kept = pipe(logits, temperature=0.5, top_k=7, top_p=0.6)
    expected = flashinfer.top_p_renorm_probs(flashinfer.top_k_renorm_probs(probs, 7), 0.6)
    assert torch.allclose(kept, expected, atol=1e-6)
    for joint in (False, True):
        pipe = flashinfer.LogitsPipe([steps.Softmax(), steps.TopK(joint_topk_topp=joint),
                                      steps.TopP(), steps.Sample()])
        got = pipe(logits, top_k=7, top_p=0.6, seed=9)
        assert torch.equal(got, flashinfer.top_k_top_p_sampling_from_probs(
            flashinfer.softmax(logits), 7, 0.6, seed=9,
            filter_apply_order="joint" if joint else "top_k_first"))
    masked = flashinfer.LogitsPipe([steps.TopK()], input_type=steps.TensorType.LOGITS)
    assert torch.equal(masked(logits, top_k=3), flashinfer.top_k_mask_logits(logits, 3))
    least = flashinfer.LogitsPipe([steps.MinP()])(probs, min_p=0.3)
    assert torch.equal(least > 0, probs >= 0.3 * probs.amax(1, keepdim=True))
    with pytest.raises(ValueError, match="expected TopP behind PROBS, got LOGITS"):
        flashinfer.LogitsPipe([steps.Temperature(), steps.TopP()])
    with pytest.raises(ValueError, match="top_k: expected a value"):
        masked(logits)
    with pytest.raises(ValueError, match="input_type"):
        flashinfer.LogitsPipe([steps.TopK()])


def test_topk_gives_raw_positions_too(rng):
    x = torch.as_tensor(rng.standard_normal((2, 12))).float()
    table = torch.as_tensor(rng.permutation(24).reshape(2, 12)).int()
    raw = torch.empty(2, 3, dtype=torch.int32)
    got = flashinfer.top_k_page_table_transform(x, table, ints([12, 9]), 3, out_raw_indices=raw)
    assert torch.equal(got, table.gather(1, raw.long()))
    table, batch = torch.tensor([[5, 0, 2], [7, 1, 4]]).int(), torch.tensor([1, 0]).int()
    given = dict(row_to_batch=batch, row_starts=ints([1, 2]), page_size=4)
    out, held = torch.empty(2, 5, dtype=torch.int32), torch.empty(2, 5, dtype=torch.int32)
    plain = flashinfer.top_k_page_table_transform(x, table, ints([10, 4]), 5, **given)
    got = flashinfer.top_k_page_table_transform(x, table, ints([10, 4]), 5, **given, out=out,
                                                out_raw_indices=held)
    assert got is out and torch.equal(got, plain) and held[1, 4] == -1 == got[1, 4]
