# SPDX-License-Identifier: Apache-2.0
# What programs written for the de-facto API do beside the plain calls: modules built beforehand,
# variants by name, pages of one token without that dimension.
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weft.flashinfer as flashinfer  # noqa: E402  (needs torch)
from conftest import devices  # noqa: E402
from flashinfer_batch import DIM, HEADS, KV_HEADS, Batch, decode, prefill, tensor  # noqa: E402
from weft.flashinfer import jit  # noqa: E402

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
