# SPDX-License-Identifier: Apache-2.0
# weft.Topk from NumPy, and its entries in weft.flashinfer.
import numpy as np
import pytest

import weft
from conftest import devices

on_devices = pytest.mark.parametrize("device", devices())


def largest(x, k):
    """Positions of the k largest, equal values by position, largest first."""
    return np.argsort(-x, kind="stable")[:k]


def test_native(rng):
    x = rng.integers(0, 9, (4, 30)).astype(np.float32)  # with ties
    topk = weft.Topk(weft.TopkConfig(max_len=30, k=6, sorted=True))
    indices, values = topk.run(x)
    for r in range(4):
        assert indices[r].tolist() == largest(x[r], 6).tolist()
        assert (values[r] == x[r][indices[r]]).all()
    by_position = weft.Topk(weft.TopkConfig(max_len=30, k=6)).run(x, return_values=False)
    assert by_position[1] is None
    assert (by_position[0] == np.sort(indices, 1)).all()
    short, low = topk.run(x, lengths=np.array([3, 30, 0, 7], np.int32))
    assert short[0, 3:].tolist() == [-1] * 3 and np.isneginf(low[0, 3:]).all()
    topk.check()
    with pytest.raises(ValueError, match="lengths"):
        topk.run(x, lengths=np.array([-1, 0, 0, 0], np.int32))


@on_devices
def test_flashinfer(rng, device):
    import torch

    import weft.flashinfer as flashinfer
    x = torch.as_tensor(rng.standard_normal((3, 64))).float().to(device)
    values, indices = flashinfer.top_k(x, 5, sorted=True)
    expected = torch.topk(x, 5)
    assert torch.equal(values, expected.values) and torch.equal(indices, expected.indices)
    assert indices.dtype == torch.int64
    lengths = torch.tensor([64, 10, 3], dtype=torch.int32, device=device)
    offsets = torch.tensor([100, 200, 300], dtype=torch.int32, device=device)
    table = torch.as_tensor(rng.permutation(192).reshape(3, 64)).int().to(device)
    ragged = flashinfer.top_k_ragged_transform(x, offsets, lengths, 5).cpu().numpy()
    paged = flashinfer.top_k_page_table_transform(x, table, lengths, 5).cpu().numpy()
    for r in range(3):
        best = largest(x[r, :int(lengths[r])].cpu().numpy(), 5)
        padding = [-1] * (5 - len(best))
        assert sorted(ragged[r]) == sorted([*(best + int(offsets[r])), *padding])
        assert sorted(paged[r]) == sorted([*table[r].cpu().numpy()[best], *padding])
    with pytest.raises(NotImplementedError, match="tie_break"):
        flashinfer.top_k(x, 5, tie_break=flashinfer.TopKTieBreak.LARGE)
