# SPDX-License-Identifier: Apache-2.0
# weft.Attention from NumPy against the float64 reference: pages, ragged, masks, run-time values,
# what is refused and how.
import numpy as np
import pytest

import weft
from reference import Pages, assert_close, attention


def make(**changes):
    given = dict(dtype_q="f32", dtype_kv="f32", num_qo_heads=4, num_kv_heads=2, head_dim_qk=32,
                 max_batch_size=8, max_nnz_qo=64)
    return weft.Attention(weft.AttentionConfig(**{**given, **changes}))


@pytest.mark.parametrize("layout", ["NHD", "HND"])
@pytest.mark.parametrize("page_size", [1, 3, 16])
def test_pages(rng, page_size, layout):
    kv_lens, qo_lens = [5, 0, 40, 17], [2, 1, 7, 17]
    pages = Pages(rng, kv_lens, page_size, 2, 32, layout=layout)
    qo_indptr = np.concatenate([[0], np.cumsum(qo_lens)]).astype(np.int32)
    q = rng.standard_normal((qo_indptr[-1], 4, 32)).astype(np.float32)
    attn = make(page_size=page_size, kv_layout=layout.lower())
    plan = attn.plan(weft.AttentionBatch(qo_indptr, pages.indptr, pages.indices, pages.last))
    o, lse = attn.run(plan, q, (pages.k, pages.v))
    joined = attn.run(plan, q, np.stack([pages.k, pages.v], axis=1))
    assert (joined[0] == o).all() and (joined[1] == lse).all()
    for r in range(4):
        rows = slice(qo_indptr[r], qo_indptr[r + 1])
        expected = attention(q[rows], *pages.request(r))
        assert_close(o[rows], expected[0])
        assert_close(lse[rows], expected[1])


@pytest.mark.parametrize("values", [
    {"window_left": 3}, {"logits_soft_cap": 2.0}, {"sm_scale": 0.5}, {"sink": True},
    {"slopes": True}, {"lse_base2": True}, {"v_scale": 2.0},
], ids=lambda v: next(iter(v)))
def test_values_given_at_run_act(rng, values):
    q = rng.standard_normal((5, 4, 32)).astype(np.float32)
    k, v = rng.standard_normal((2, 11, 2, 32)).astype(np.float32)
    attn = make()
    plan = attn.plan(weft.AttentionBatch([0, 5], [0, 11]))
    per_head = rng.standard_normal(4).astype(np.float32)
    given = dict(values)
    sink = per_head if given.pop("sink", None) else None
    slopes = per_head if given.pop("slopes", None) else None
    o, lse = attn.run(plan, q, (k, v), sink=sink, alibi_slopes=slopes, **given)
    expected = attention(q, k, v, sink=sink, slopes=slopes, sm_scale=values.get("sm_scale"),
                         window_left=values.get("window_left", -1),
                         soft_cap=values.get("logits_soft_cap", 0.0))
    assert_close(o, expected[0] * values.get("v_scale", 1.0))
    assert_close(lse, expected[1] / (np.log(2) if "lse_base2" in values else 1))


def test_custom_mask(rng):
    q = rng.standard_normal((3, 4, 32)).astype(np.float32)
    k, v = rng.standard_normal((2, 5, 2, 32)).astype(np.float32)
    mask = rng.random((3, 5)) < 0.5
    attn = make(mask="custom")
    plan = attn.plan(weft.AttentionBatch([0, 3], [0, 5]))
    bits = np.packbits(mask.reshape(-1), bitorder="little")
    o, lse = attn.run(plan, q, (k, v), custom_mask=bits, mask_indptr=np.array([0, 2], np.int32))
    expected = attention(q, k, v, mask=mask)
    assert_close(o, expected[0])
    assert_close(lse, expected[1])


def test_half_types_by_ml_dtypes(rng):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    k, v = rng.standard_normal((2, 9, 2, 32)).astype(ml_dtypes.bfloat16)
    q = rng.standard_normal((2, 4, 32)).astype(ml_dtypes.bfloat16)
    attn = make(dtype_q="bf16", dtype_kv="bf16")
    o, _ = attn.run(attn.plan(weft.AttentionBatch([0, 2], [0, 9])), q, (k, v))
    assert o.dtype == ml_dtypes.bfloat16
    assert_close(o, attention(q, k, v)[0], "bfloat16")


def test_read_only_inputs_and_strided_views(rng):
    wide = rng.standard_normal((3, 4, 64)).astype(np.float32)
    q = wide[..., :32]
    k, v = rng.standard_normal((2, 6, 2, 32)).astype(np.float32)
    k.flags.writeable = False
    attn = make()
    plan = attn.plan(weft.AttentionBatch([0, 3], [0, 6]))
    o, _ = attn.run(plan, q, (k, v))
    assert_close(o, attention(q, k, v)[0])
    o.flags.writeable = False
    with pytest.raises(ValueError, match="o: expected an array to write to, got a read-only one"):
        attn.run(plan, q, (k, v), out=o)


def test_given_outputs_are_those_returned(rng):
    q, k = np.ones((1, 4, 32), np.float32), np.ones((2, 2, 32), np.float32)
    out, lse = np.empty_like(q), np.empty((1, 4), np.float32)
    attn = make()
    got = attn.run(attn.plan(weft.AttentionBatch([0, 1], [0, 2])), q, (k, k), out=out, lse=lse)
    assert got[0] is out and got[1] is lse
    assert_close(out, q)
    assert attn.run(attn.plan(weft.AttentionBatch([0, 1], [0, 2])), q, (k, k),
                    return_lse=False)[1] is None


def refused(call, *parts, error=ValueError):
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


def test_what_is_wrong_is_named():
    attn = make()
    plan = attn.plan(weft.AttentionBatch([0, 1], [0, 2]))
    q, k = np.ones((1, 4, 32), np.float32), np.ones((2, 2, 32), np.float32)
    refused(lambda: attn.run(plan, q.astype("f2"), (k, k)), "q: expected f32", "got f16")
    refused(lambda: attn.run(plan, q, (k[:1], k)), "k: expected")
    refused(lambda: attn.run(plan, q, k[:, :1]), "k: expected a pair of tensors")
    refused(lambda: attn.run(plan, [1, 2], (k, k)), "q: expected a tensor", "list",
            error=TypeError)
    refused(lambda: attn.run(plan, q, (k, "v")), "v: expected a tensor", "str", error=TypeError)
    refused(lambda: attn.run(q, plan, (k, k)), "plan: expected an AttentionPlan", "ndarray",
            error=TypeError)
    refused(lambda: make().run(plan, q, (k, k)), "plan: expected one made by this Attention")
    refused(lambda: attn.plan([0, 1]), "batch: expected an AttentionBatch", error=TypeError)
    refused(lambda: attn.run(plan, q, (k, k), window_left="w"), "window_left", error=TypeError)
    refused(lambda: attn.run(plan, q, (k, k), logits_soft_cap=-1.0), "logits_soft_cap: expected 0")
    refused(lambda: attn.run(plan, q, (k, k), custom_mask=np.zeros(1, "u1")), "custom_mask")
    refused(lambda: attn.plan(weft.AttentionBatch([0, 2, 1], [0, 2, 3])), "qo_indptr: expected")
    refused(lambda: attn.plan(weft.AttentionBatch([0.5], [0])), "qo_indptr: expected integers",
            error=TypeError)
    refused(lambda: attn.plan(weft.AttentionBatch([0, 65], [0, 65])), "max_nnz_qo = 64",
            error=weft.LimitError)
    refused(lambda: make(num_qo_heads=3), "num_qo_heads")
    refused(lambda: make(mask="causl"), "mask: expected one of none, causal, custom, tree")
    refused(lambda: make(dtype_q="int7"), "dtype_q: expected a dtype", error=TypeError)
    refused(lambda: weft.Attention({}), "config: expected AttentionConfig", error=TypeError)
    refused(lambda: weft.Attention(attn.config, "tpu"), "device: expected", "tpu")


def test_an_empty_plan_says_so():
    attn = make()
    q, k = np.ones((1, 4, 32), np.float32), np.ones((2, 2, 32), np.float32)
    refused(lambda: attn.run(attn.create_plan(), q, (k, k)), "plan: expected a plan that holds")
    assert repr(attn.create_plan()) == "AttentionPlan(empty, on cpu)"


def test_a_plan_explains_itself():
    attn = make(page_size=4)
    plan = attn.create_plan()
    assert attn.plan(weft.AttentionBatch([0, 1, 2], [0, 1, 3], [0, 1, 2], [4, 2]), plan) is plan
    assert plan.batch_size == 2 and plan.num_items >= 2 and plan.balance >= 1
    assert plan.status == "" and "2 requests" in repr(plan)
    assert isinstance(plan.to_dict(), dict) and "head_dim" in attn.explain() + plan.explain()
    assert attn.config == weft.AttentionConfig(**{
        name: getattr(attn.config, name) for name in type(attn.config).__dataclass_fields__
        if name != "_"})


def test_a_workspace_of_the_callers(rng):
    attn = make()
    memory = np.empty(attn.workspace_bytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    plan = attn.create_plan(memory[start:start + attn.workspace_bytes])
    q, k = np.ones((1, 4, 32), np.float32), np.ones((2, 2, 32), np.float32)
    attn.plan(weft.AttentionBatch([0, 1], [0, 2]), plan)
    assert_close(attn.run(plan, q, (k, k))[0], q)


def test_lower_targets_agree(rng):
    q = rng.standard_normal((4, 4, 32)).astype(np.float32)
    k, v = rng.standard_normal((2, 30, 2, 32)).astype(np.float32)
    for target in (weft.Target(isa="scalar", num_workers=3), weft.Target.host()):
        attn = weft.Attention(make().config, target)
        assert attn.target == target
        o, _ = attn.run(attn.plan(weft.AttentionBatch([0, 4], [0, 30])), q, (k, v))
        assert_close(o, attention(q, k, v)[0])


def test_lists_of_integers_beyond_32_bits_are_refused():
    attn = weft.Attention(weft.AttentionConfig(num_qo_heads=2, num_kv_heads=1, head_dim_qk=16,
                                               page_size=4, max_batch_size=1, max_nnz_qo=4))
    with pytest.raises(ValueError, match="kv_indices: expected 32-bit integers"):
        attn.plan(weft.AttentionBatch(qo_indptr=[0, 1], kv_indptr=[0, 1], kv_indices=[2**32 + 1],
                                      last_page_len=[2]))
