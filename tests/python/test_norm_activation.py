# SPDX-License-Identifier: Apache-2.0
# weft.Norm and weft.Activation from NumPy, and their entries in weft.flashinfer, against float64.
import math

import numpy as np
import pytest

import weft
from conftest import devices
from reference import assert_close

on_devices = pytest.mark.parametrize("device", devices())


def norm_of(x, weight, bias=0.0, kind="rms", eps=1e-6):
    x = np.asarray(x, np.float64)
    if kind == "layer":
        x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight + bias


def gated(x, act):
    x = np.asarray(x, np.float64)
    left, right = np.split(x, 2, axis=-1)
    return act(left) * right


ACTS = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
}


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_norm(rng, kind):
    x, residual = rng.standard_normal((2, 5, 48)).astype(np.float32)
    weight, bias = rng.standard_normal((2, 48)).astype(np.float32)
    norm = weft.Norm(weft.NormConfig(dtype="f32", hidden=48, kind=kind))
    if kind == "layer":
        assert_close(norm.run(x, weight, bias=bias), norm_of(x, weight, bias, kind))
    assert_close(norm.run(x, weight), norm_of(x, weight, 0.0, kind))
    added = x + residual
    add = weft.Norm(weft.NormConfig(dtype="f32", hidden=48, kind=kind, residual=True,
                                    weight_offset=1.0))
    assert add.run(x, weight, residual=residual, out=x) is x
    assert_close(residual, added)
    assert_close(x, norm_of(added, weight + 1, 0.0, kind))
    with pytest.raises(ValueError, match="residual"):
        add.run(x, weight)


@pytest.mark.parametrize("kind", ACTS)
def test_activation(rng, kind):
    x = rng.standard_normal((3, 40)).astype(np.float32)
    act = weft.Activation(weft.ActivationConfig(dtype="f32", hidden=20, kind=kind))
    assert_close(act.run(x), gated(x, ACTS[kind]))
    assert_close(act.run(x, scale=2.0), gated(x, ACTS[kind]) / 2)
    with pytest.raises(ValueError, match="x: expected"):
        act.run(x[:, :20])


@on_devices
def test_norms_of_flashinfer(rng, device):
    import torch

    import weft.flashinfer as flashinfer
    dtype = torch.float16
    x, residual = (torch.as_tensor(rng.standard_normal((6, 64))).to(device, dtype)
                   for _ in range(2))
    weight = torch.as_tensor(rng.standard_normal(64)).to(device, dtype)
    w, y = weight.double().cpu().numpy(), x.double().cpu().numpy()

    def close(got, expected):
        assert_close(got.double().cpu(), expected, "float16")

    close(flashinfer.rmsnorm(x, weight), norm_of(y, w))
    close(flashinfer.gemma_rmsnorm(x, weight, 1e-3), norm_of(y, w + 1, eps=1e-3))
    out = torch.empty_like(x)
    assert flashinfer.rmsnorm(x, weight, out=out) is out
    heads = x.view(2, 3, 64)
    close(flashinfer.rmsnorm(heads, weight), norm_of(y, w).reshape(2, 3, 64))
    for fused, offset in ((flashinfer.fused_add_rmsnorm, 0),
                          (flashinfer.gemma_fused_add_rmsnorm, 1)):
        a, b = x.clone(), residual.clone()
        fused(a, b, weight)
        added = (x.float() + residual.float()).to(dtype).double().cpu().numpy()
        close(b, added)
        close(a, norm_of(added, w + offset))
    f32 = weight.float(), residual[0].float()
    close(flashinfer.layernorm(x, *f32), norm_of(y, w, f32[1].double().cpu().numpy(), "layer"))
    for scale in (0.5, torch.tensor([0.5], device=device)):
        small = torch.empty(6, 64, dtype=torch.float8_e4m3fn, device=device)
        flashinfer.rmsnorm_quant(small, x, weight, scale)
        expected = (flashinfer.rmsnorm(x.float(), weight.float()) / 0.5).to(torch.float8_e4m3fn)
        same = (small.float() == expected.float()).float().mean()
        assert same > 0.98 and (small.float() - expected.float()).abs().max() <= 2.0


@on_devices
def test_activations_of_flashinfer(rng, device):
    import torch

    import weft.flashinfer as flashinfer
    x = torch.as_tensor(rng.standard_normal((2, 3, 64))).to(device, torch.float16)
    y = x.double().cpu().numpy()
    for name, kind in (("silu_and_mul", "silu"), ("gelu_and_mul", "gelu"),
                       ("gelu_tanh_and_mul", "gelu_tanh")):
        entry = getattr(flashinfer, name)
        out = torch.empty(2, 3, 32, dtype=x.dtype, device=device)
        assert entry(x, out) is out
        assert_close(out.double().cpu(), gated(y, ACTS[kind]), "float16")
        assert torch.equal(entry(x), out)
