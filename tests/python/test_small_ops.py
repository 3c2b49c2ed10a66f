# SPDX-License-Identifier: Apache-2.0
# weft.Merge, weft.Rope and weft.Append from NumPy against float64.
import numpy as np
import pytest

import weft
from reference import Pages, assert_close, attention, rotate


def test_merge_of_two_halves_is_the_whole(rng):
    q = rng.standard_normal((3, 2, 16)).astype(np.float32)
    k, v = rng.standard_normal((2, 12, 2, 16)).astype(np.float32)
    states = [attention(q, k[a:b], v[a:b], causal=False) for a, b in ((0, 5), (5, 12), (12, 12))]
    whole = attention(q, k, v, causal=False)
    merge = weft.Merge(weft.MergeConfig(dtype="f32", num_heads=2, head_dim=16))
    o, lse = merge.run(np.stack([s[0] for s in states], 1).astype(np.float32),
                       np.stack([s[1] for s in states], 1).astype(np.float32))
    assert_close(o, whole[0])
    assert_close(lse, whole[1])
    parts = [np.ascontiguousarray(x, np.float32) for s in states[:2] for x in s]
    out, _ = merge.run_pair(*parts, out=parts[0], lse=parts[1])
    assert out is parts[0]
    assert_close(out, whole[0])
    kept = merge.run_pair(*parts, mask=np.zeros(3, np.uint8))
    assert (kept[0] == parts[0]).all()


@pytest.mark.parametrize("mode", ["neox", "interleaved"])
def test_rope(rng, mode):
    q, k = rng.standard_normal((5, 3, 16)), rng.standard_normal((5, 1, 16))
    q, k = q.astype(np.float32), k.astype(np.float32)
    positions = np.array([0, 7, 3, 100000, 2], np.int64)
    rope = weft.Rope(weft.RopeConfig(dtype="f32", num_qo_heads=3, num_kv_heads=1, head_dim=16,
                                     rope=weft.RopeForm(mode, dim=8, theta=1e4)))
    expected = [rotate(x, positions, interleave=mode != "neox", dim=8) for x in (q, k)]
    got = rope.run(q, k, positions=positions)
    assert_close(got[0], expected[0])
    assert_close(got[1], expected[1])
    rope.run(q, k, q_out=q, k_out=k, positions=positions)
    assert (q == got[0]).all() and (k == got[1]).all()
    rope.check()
    with pytest.raises(ValueError, match="positions"):
        rope.run(q, k)
    with pytest.raises(ValueError, match=r"positions.*-1"):
        rope.run(q, k, positions=np.full(5, -1, np.int64))


def test_append_then_attend(rng):
    pages = Pages(rng, [6, 3], 4, 2, 16)
    new = rng.standard_normal((2, 3, 2, 16)).astype(np.float32)  # k and v of 3 tokens
    ids, positions = weft.batch_indices_positions([0, 2, 3], [6, 3])
    append = weft.Append(weft.AppendConfig(dtype="f32", num_kv_heads=2, head_dim_qk=16,
                                           page_size=4))
    append.run(new[0], new[1], (pages.k, pages.v), batch_indices=ids, positions=positions,
               kv_indptr=pages.indptr, kv_indices=pages.indices)
    assert (pages.request(0)[0][4:] == new[0][:2]).all()
    assert (pages.request(1)[1][2:] == new[1][2:]).all()
    append.check()
    with pytest.raises(ValueError, match=r"positions"):
        append.run(new[0], new[1], (pages.k, pages.v), batch_indices=ids, positions=positions + 9,
                   kv_indptr=pages.indptr, kv_indices=pages.indices)


def test_append_quantises_to_fp8(rng):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    append = weft.Append(weft.AppendConfig(dtype="f32", dtype_kv="e4m3", num_kv_heads=1,
                                           head_dim_qk=8, page_size=1))
    cache = np.zeros((1, 2, 1, 1, 8), ml_dtypes.float8_e4m3fn)
    k = rng.standard_normal((1, 1, 8)).astype(np.float32)
    append.run(k, k, cache, batch_indices=[0], positions=[0], kv_indptr=[0, 1], kv_indices=[0],
               k_scale=0.5)
    assert (cache[0, 0, 0] == (k[0] * 2).astype(ml_dtypes.float8_e4m3fn)).all()


def test_append_normalises_rotates_and_appends(rng):
    pages = Pages(rng, [2], 4, 1, 16)
    q, k = (rng.standard_normal((2, h, 16)).astype(np.float32) for h in (3, 1))
    weights = rng.standard_normal((2, 16)).astype(np.float32)
    append = weft.Append(weft.AppendConfig(
        dtype="f32", num_kv_heads=1, num_qo_heads=3, head_dim_qk=16, page_size=4, qk_norm=True,
        rope=weft.RopeForm()))
    got = append.run(k, k, (pages.k, pages.v), batch_indices=[0, 0], positions=[0, 1],
                     kv_indptr=pages.indptr, kv_indices=pages.indices, q=q, k_weight=weights[0],
                     q_weight=weights[1])
    for made, x, weight in ((got, q, weights[1]), (pages.request(0)[0], k, weights[0])):
        x = x.astype(np.float64)
        norm = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * weight
        assert_close(made, rotate(norm, [0, 1]))
    assert (pages.request(0)[1] == k).all()


def test_operators_explain_themselves():
    rope = weft.Rope(weft.RopeConfig(num_qo_heads=2, head_dim=8))
    assert repr(rope).startswith("Rope on cpu: ") and rope.explain()
