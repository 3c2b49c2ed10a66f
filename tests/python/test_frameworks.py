# SPDX-License-Identifier: Apache-2.0
# Tensors of torch and JAX through the native API: results in the caller's framework, zero copy,
# torch.compile, CUDA graphs and streams, threads.
import threading

import numpy as np
import pytest

import weft
from conftest import devices
from weft import _tensors
from reference import assert_close, attention

torch = pytest.importorskip("torch")
on_devices = pytest.mark.parametrize("device", devices())
DTYPE = {"cpu": torch.float32, "cuda": torch.bfloat16}


class Case:
    def __init__(self, rng, device, tokens=5, kv_len=21, **config):
        dtype = DTYPE[device]
        draw = lambda *s: torch.as_tensor(rng.standard_normal(s)).to(device, dtype)  # noqa: E731
        self.q, self.k, self.v = draw(tokens, 4, 64), draw(kv_len, 2, 64), draw(kv_len, 2, 64)
        self.attn = weft.Attention(weft.AttentionConfig(
            dtype_q=dtype, dtype_kv=dtype, num_qo_heads=4, num_kv_heads=2, head_dim_qk=64,
            max_batch_size=4, max_nnz_qo=64, **config), device)
        self.ints = lambda *x: torch.tensor(x, dtype=torch.int32, device=device)
        self.plan = self.attn.plan(weft.AttentionBatch(self.ints(0, tokens), self.ints(0, kv_len)))
        self.name = str(dtype)[6:]

    def check(self, o, lse=None, scale=1.0, **options):
        q, k, v = (x.double().cpu().numpy() for x in (self.q * scale, self.k, self.v))
        expected = attention(q, k, v, **options)
        assert_close(o.detach().double().cpu(), expected[0], self.name)
        if lse is not None:
            assert_close(lse.double().cpu(), expected[1], self.name)


@on_devices
def test_torch(rng, device):
    c = Case(rng, device)
    o, lse = c.attn.run(c.plan, c.q, (c.k, c.v))
    assert o.dtype == c.q.dtype and o.device == c.q.device and lse.dtype == torch.float32
    c.check(o, lse)
    out = torch.empty(5, 8, 64, dtype=c.q.dtype, device=device)[:, 2:6]  # a view
    assert c.attn.run(c.plan, c.q, (c.k, c.v), out=out, return_lse=False)[0] is out
    c.check(out)
    parameter = torch.nn.Parameter(c.q)
    c.check(c.attn.run(c.plan, parameter, (c.k, c.v))[0])
    with pytest.raises(ValueError, match="k: expected"):
        c.attn.run(c.plan, c.q, (c.k.double(), c.v))


@on_devices
def test_both_ways_across(rng, device, monkeypatch):
    c = Case(rng, device)
    direct = c.attn.run(c.plan, c.q, (c.k, c.v))
    assert hasattr(torch.Tensor, "__dlpack_c_exchange_api__") == (_tensors.direct_call is not None)
    monkeypatch.setattr(_tensors, "direct_call", None)
    monkeypatch.setattr(_tensors.framework_of("q", c.q), "call", lambda *_: -1)
    plan = c.attn.plan(c.plan.batch)
    packed = c.attn.run(plan, c.q, (c.k, c.v))
    assert all(torch.equal(x, y) for x, y in zip(direct, packed))


def test_integers_of_any_size(rng):
    c = Case(rng, "cpu")
    with pytest.raises(ValueError, match="window_left"):
        c.attn.run(c.plan, c.q, (c.k, c.v), window_left=1 << 40)
    with pytest.raises(OverflowError):
        c.attn.run(c.plan, c.q, (c.k, c.v), window_left=1 << 70)


@on_devices
def test_compiled_whole(rng, device):
    c = Case(rng, device)

    def layer(q, k, v):
        o, lse = c.attn.run(c.plan, q * 2, (k, v), sm_scale=0.1, logits_soft_cap=5.0)
        return o * 1, lse

    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for _ in range(2):
        c.check(*compiled(c.q, c.k, c.v), scale=2, sm_scale=0.1, soft_cap=5.0)
    out = torch.zeros_like(c.q)

    def into(q, k, v):
        c.attn.run(c.plan, q, (k, v), out=out, return_lse=False)
        return out + 0

    c.check(torch.compile(into, fullgraph=True, backend="aot_eager")(c.q, c.k, c.v))
    c.check(out)


@on_devices
def test_the_operator_passes_torchs_own_checks(rng, device):
    c = Case(rng, device)
    out = torch.empty_like(c.q)
    given = (c.attn._token, c.plan._token, c.q, c.k, c.v, out, None, None, 0.0, -1, 1.0, 1.0, None,
             None, None, None, None, None, False)
    torch.library.opcheck(torch.ops.weft.attention_run.default, given,
                          test_utils=("test_schema", "test_faketensor"))


@on_devices
def test_other_operators_of_torch(rng, device):
    c = Case(rng, device)
    o, lse = c.attn.run(c.plan, c.q, (c.k, c.v))
    merge = weft.Merge(weft.MergeConfig(dtype=c.q.dtype, num_heads=4, head_dim=64), device)
    merged, _ = merge.run_pair(o, lse, o, torch.full_like(lse, -float("inf")))
    assert torch.equal(merged, o)
    append = weft.Append(weft.AppendConfig(dtype=c.q.dtype, num_kv_heads=2, head_dim_qk=64,
                                           page_size=8), device)
    cache = torch.zeros(4, 2, 8, 2, 64, dtype=c.q.dtype, device=device)
    append.run(c.k, c.v, cache, batch_indices=c.ints(*[0] * 21), positions=c.ints(*range(21)),
               kv_indptr=c.ints(0, 3), kv_indices=c.ints(2, 0, 3))
    append.check()
    assert torch.equal(cache[[2, 0, 3], 0].reshape(24, 2, 64)[:21], c.k)
    rope = weft.Rope(weft.RopeConfig(dtype=c.q.dtype, num_qo_heads=4, head_dim=64), device)
    turned, none = rope.run(c.q, positions=c.ints(0, 0, 0, 0, 0))
    assert none is None and torch.equal(turned, c.q)
    rope.check()


@pytest.mark.skipif("cuda" not in devices(), reason="no GPU")
def test_streams_and_graphs(rng):
    c = Case(rng, "cuda")
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        o, lse = c.attn.run(c.attn.plan(c.plan.batch, c.plan), c.q, (c.k, c.v))
    stream.synchronize()
    c.check(o, lse)
    graph, out = torch.cuda.CUDAGraph(), torch.empty_like(c.q)
    with torch.cuda.graph(graph):
        c.attn.plan(c.plan.batch, c.plan)
        c.attn.run(c.plan, c.q, (c.k, c.v), out=out, return_lse=False)
    c.q.normal_()
    c.plan.batch.kv_indptr.copy_(c.ints(0, 9))
    graph.replay()
    c.k, c.v = c.k[:9], c.v[:9]
    c.check(out)
    with pytest.raises(ValueError, match="q: expected"):
        c.attn.run(c.plan, c.q.cpu(), (c.k, c.v))
    assert c.plan.status == "" and "cuda" in repr(c.plan)


def test_threads_with_their_own_plans(rng):
    c = Case(rng, "cpu")
    expected, errors = c.attn.run(c.plan, c.q, (c.k, c.v))[0], []

    def work():
        plan = c.attn.plan(c.plan.batch)
        for _ in range(50):
            if not torch.equal(c.attn.run(plan, c.q, (c.k, c.v))[0], expected):
                errors.append("other bits")

    threads = [threading.Thread(target=work) for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not errors


def test_jax(rng):
    jax = pytest.importorskip("jax")
    q = rng.standard_normal((3, 4, 64)).astype(np.float32)
    k, v = rng.standard_normal((2, 9, 2, 64)).astype(np.float32)
    attn = weft.Attention(weft.AttentionConfig(
        dtype_q="f32", dtype_kv="f32", num_qo_heads=4, num_kv_heads=2, head_dim_qk=64,
        max_batch_size=4, max_nnz_qo=64))
    with jax.default_device(jax.devices("cpu")[0]):
        given = [jax.numpy.asarray(x) for x in (q, k, v)]
    plan = attn.plan(weft.AttentionBatch([0, 3], [0, 9]))
    o, lse = attn.run(plan, given[0], (given[1], given[2]))
    assert isinstance(o, jax.Array) and isinstance(lse, jax.Array)
    expected = attention(q, k, v)
    assert_close(o, expected[0])
    assert_close(lse, expected[1])
    assert (given[0] == q).all()
