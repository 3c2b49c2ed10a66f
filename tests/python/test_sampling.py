# SPDX-License-Identifier: Apache-2.0
# weft.Sampling from NumPy, and its entries in weft.flashinfer, against float64: what may be drawn,
# how often, and what the filters leave.
import numpy as np
import pytest

import weft
from conftest import devices
from reference import assert_close

on_devices = pytest.mark.parametrize("device", devices())


def softmax(x):
    e = np.exp(np.asarray(x, np.float64) - np.max(x, -1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def kept(p, top_k=None, top_p=None, joint=False):
    """The renormalised distribution of one row that is left."""
    order = np.argsort(-p, kind="stable")
    mask = np.zeros(len(p), bool)
    mask[order[:top_k]] = True
    base = p if joint else np.where(mask, p, 0) / p[mask].sum()
    if top_p is not None:
        before = np.cumsum(base[order]) - base[order]
        mask &= np.isin(np.arange(len(p)), order[before < top_p])
    return np.where(mask, p, 0) / p[mask].sum()


def test_native(rng):
    logits = rng.standard_normal((5, 33)).astype(np.float32)
    sampling = weft.Sampling(weft.SamplingConfig(vocab_size=33))
    seed = np.arange(5)
    token = sampling.run(logits, seed=seed, temperature=np.zeros(5, np.float32))
    assert token.tolist() == logits.argmax(1).tolist()
    logprob, status = np.empty(5, np.float32), np.empty(5, np.uint8)
    token = sampling.run(logits, seed=seed, logprob=logprob, status=status)
    assert_close(logprob, np.log(softmax(logits))[np.arange(5), token])
    assert not status.any()
    assert sampling.run(logits, seed=seed).tolist() == token.tolist()
    assert_close(sampling.filter(logits), softmax(logits))
    sampling.check()
    with pytest.raises(ValueError, match="temperature"):
        sampling.run(logits, seed=seed, temperature=-np.ones(5, np.float32))


@on_devices
@pytest.mark.parametrize("options", [
    {}, {"top_k": 5}, {"top_p": 0.6}, {"top_k": 8, "top_p": 0.5},
    {"top_k": 8, "top_p": 0.5, "joint": True}], ids=str)
def test_frequencies_are_those_of_what_is_left(rng, device, options):
    import torch

    import weft.flashinfer as flashinfer
    logits = torch.as_tensor(2 * rng.standard_normal((1, 40))).float().to(device)
    p = kept(softmax(logits.cpu().numpy()[0]), options.get("top_k"), options.get("top_p"),
             options.get("joint", False))
    n = 20000
    rows = torch.zeros(n, dtype=torch.int32, device=device)
    probs = torch.softmax(logits, -1)
    more = {"filter_apply_order": "joint"} if options.get("joint") else {}
    if len(options) >= 2:
        tokens = flashinfer.top_k_top_p_sampling_from_logits(
            logits, options["top_k"], options["top_p"], indices=rows, seed=3, offset=1, **more)
    elif "top_k" in options:
        tokens = flashinfer.top_k_sampling_from_probs(probs, options["top_k"], rows, seed=3)
    elif "top_p" in options:
        tokens = flashinfer.top_p_sampling_from_probs(probs, options["top_p"], rows, seed=3)
    else:
        tokens = flashinfer.sampling_from_logits(logits, rows, seed=3)
    counts = np.bincount(tokens.cpu().numpy(), minlength=40)
    assert counts[p == 0].sum() == 0
    expected = n * p[p > 0]
    chi2 = ((counts[p > 0] - expected) ** 2 / expected).sum()
    degrees = (p > 0).sum() - 1
    assert chi2 < degrees + 5 * np.sqrt(2 * degrees) + 5


@on_devices
def test_filters_of_flashinfer(rng, device):
    import torch

    import weft.flashinfer as flashinfer
    logits = torch.as_tensor(rng.standard_normal((3, 50))).float().to(device)
    x = logits.cpu().numpy()
    probs = torch.softmax(logits, -1)
    p = probs.cpu().double().numpy()
    temperature = torch.tensor([0.5, 1.0, 2.0], device=device)
    assert_close(flashinfer.softmax(logits, temperature).cpu(),
                 softmax(x / np.array([[0.5], [1.0], [2.0]])))
    assert_close(flashinfer.softmax(logits, 2.0).cpu(), softmax(x / 2))
    top_k = torch.tensor([1, 7, 50], dtype=torch.int32, device=device)
    assert_close(flashinfer.top_k_renorm_probs(probs, top_k).cpu(),
                 [kept(p[r], int(top_k[r])) for r in range(3)])
    assert_close(flashinfer.top_p_renorm_probs(probs, 0.7).cpu(),
                 [kept(p[r], top_p=0.7) for r in range(3)])
    masked = flashinfer.top_k_mask_logits(logits, 7).cpu().numpy()
    for r in range(3):
        assert (np.isneginf(masked[r]) == (kept(p[r], 7) == 0)).all()
        assert (masked[r][~np.isneginf(masked[r])] == x[r][~np.isneginf(masked[r])]).all()


@on_devices
def test_seeds_and_validity(device):
    import torch

    import weft.flashinfer as flashinfer
    probs = torch.full((64, 100), 0.01, device=device)
    draw = lambda **given: flashinfer.sampling_from_probs(probs, **given).tolist()  # noqa: E731
    assert draw(seed=5, offset=2) == draw(seed=5, offset=2)
    assert draw(seed=5, offset=2) != draw(seed=5, offset=3)
    assert len(set(draw(seed=5))) > 20  # rows of one seed differ
    one, two = (torch.Generator(device).manual_seed(1) for _ in range(2))
    assert draw(generator=one) == draw(generator=two) != draw(generator=one)
    probs[3] = 0
    tokens, valid = flashinfer.min_p_sampling_from_probs(probs, 0.5, return_valid=True)
    assert valid.tolist() == [r != 3 for r in range(64)] and tokens.dtype == torch.int32
    probs[4, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        flashinfer.sampling_from_probs(probs, check_nan=True)
    with pytest.raises(ValueError, match="filter_apply_order"):
        flashinfer.top_k_top_p_sampling_from_probs(probs, 3, 0.5, filter_apply_order="last")


@on_devices
def test_logprobs(rng, device):
    import torch
    logits = torch.as_tensor(3 * rng.standard_normal((3, 40))).float().to(device)
    token = torch.tensor([4, 39, 0], dtype=torch.int32, device=device)
    logprobs = weft.Logprobs(weft.LogprobsConfig(vocab_size=40, num=5), device)
    tokens, values, own = logprobs.run(logits, token=token,
                                       temperature=torch.full((3,), 0.5, device=device))
    expected = np.log(softmax(2 * logits.double().cpu().numpy()))
    order = np.argsort(-expected, axis=1)[:, :5]
    assert tokens.tolist() == order.tolist()
    assert_close(values.cpu(), np.take_along_axis(expected, order, 1))
    assert_close(own.cpu(), expected[np.arange(3), token.cpu().numpy()])
    assert logprobs.run(logits)[2] is None
    logprobs.check()
