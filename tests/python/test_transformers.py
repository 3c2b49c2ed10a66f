# SPDX-License-Identifier: Apache-2.0
# attn_implementation="weft" in transformers: logits and greedy text of small random models of five
# families against eager, with padding, dense and paged caches.
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", minversion="5.0")

from conftest import devices  # noqa: E402  (needs torch)
from weft.integrations import transformers as bridge  # noqa: E402

bridge.register()
SMALL = dict(vocab_size=97, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
             pad_token_id=0, bos_token_id=1, eos_token_id=2)
FAMILIES = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "mistral": ("Mistral", {"sliding_window": 6}),
    "gemma2": ("Gemma2", {"head_dim": 32, "sliding_window": 6, "attn_logit_softcapping": 2.0,
                          "query_pre_attn_scalar": 32}),
    "gpt_oss": ("GptOss", {"head_dim": 32, "sliding_window": 6, "num_local_experts": 2,
                           "num_experts_per_tok": 1}),
}
on_devices = pytest.mark.parametrize("device", devices())
on_families = pytest.mark.parametrize("family", FAMILIES)
DTYPES = {"cpu": torch.float32, "cuda": torch.bfloat16}


def model_of(family, device):
    name, extra = FAMILIES[family]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **extra})
    config._attn_implementation = "eager"
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval().to(device, DTYPES[device])
    for parameter in model.parameters():  # random sinks and norms, and logits that differ
        parameter.data.normal_(0, 0.3 if parameter.ndim == 1 else 0.15)
    return model


def both(model, call):
    """What eager and weft give for the same call."""
    got = []
    for implementation in ("eager", "weft"):
        model.set_attn_implementation(implementation)
        with torch.no_grad():
            got.append(call())
    return got


def inputs(device):
    """Three prompts padded on the left."""
    torch.manual_seed(1)
    ids = torch.randint(3, 97, (3, 12), device=device)
    mask = torch.ones_like(ids)
    mask[0, :5] = 0
    mask[2, :1] = 0
    return ids, mask


def assert_logits(eager, ours, mask, device):
    real = mask.bool()
    error = (eager.float() - ours.float()).abs()[real].max()
    bound = 2e-4 if device == "cpu" else 0.06
    assert error <= bound * max(1.0, float(eager.float().abs().max())), float(error)


@on_devices
@on_families
def test_logits_with_padding(family, device):
    model = model_of(family, device)
    ids, mask = inputs(device)
    eager, ours = both(model, lambda: model(ids, attention_mask=mask).logits)
    assert_logits(eager, ours, mask, device)
    right = mask.flip(1)
    eager, ours = both(model, lambda: model(ids, attention_mask=right).logits)
    assert_logits(eager, ours, right, device)
    for some in (ids, ids[:1]):
        eager, ours = both(model, lambda: model(some).logits)
        assert_logits(eager, ours, torch.ones_like(some), device)
    eager, ours = both(model, lambda: model(ids[:1], attention_mask=mask[:1]).logits)
    assert_logits(eager, ours, mask[:1], device)


@on_families
def test_greedy_text_is_that_of_eager(family):
    model = model_of(family, "cpu")
    ids, mask = inputs("cpu")
    for n, new in ((3, 16), (1, 6)):
        eager, ours = both(model, lambda: model.generate(
            ids[-n:], attention_mask=mask[-n:], max_new_tokens=new, do_sample=False))
        assert eager.tolist() == ours.tolist() and eager.shape[1] > 12
    eager, ours = both(model, lambda: model.generate(ids[:1], max_new_tokens=6, do_sample=False))
    assert eager.tolist() == ours.tolist()


@pytest.mark.parametrize("n", [3, 1])
def test_a_static_cache(n):
    model = model_of("mistral", "cpu")
    ids, mask = inputs("cpu")
    eager, ours = both(model, lambda: model.generate(
        ids[:n], attention_mask=mask[:n] if n > 1 else None, max_new_tokens=8, do_sample=False,
        cache_implementation="static", disable_compile=True))
    assert eager.tolist() == ours.tolist()


def test_plans_of_ended_steps_serve_again():
    from weft.integrations import transformers_dense
    model = model_of("gemma2", "cpu")  # two kinds of layers: two plans at a time
    model.set_attn_implementation("weft")
    ids, _ = inputs("cpu")
    with torch.no_grad():
        model.generate(ids[:1], max_new_tokens=4, do_sample=False)
        held = {id(h) for idle in transformers_dense._idle.plans.values() for h in idle}
        model.generate(ids[:1], max_new_tokens=8, do_sample=False)
    assert {id(h) for idle in transformers_dense._idle.plans.values() for h in idle} == held
    assert all(len(idle) <= 2 for idle in transformers_dense._idle.plans.values())


def test_chunks_onto_a_cache():
    model = model_of("llama", "cpu")
    ids, _ = inputs("cpu")

    def chunked():
        cache = transformers.DynamicCache(config=model.config)
        first = model(ids[:, :7], past_key_values=cache).logits
        return torch.cat([first, model(ids[:, 7:], past_key_values=cache).logits], 1)

    eager, ours = both(model, chunked)
    assert_logits(eager, ours, torch.ones_like(ids), "cpu")


def test_a_bool_mask_of_the_callers():
    model = model_of("llama", "cpu")
    ids, _ = inputs("cpu")
    allowed = torch.tril(torch.ones(12, 12, dtype=torch.bool))
    allowed[6:, :2] = False
    allowed = allowed.expand(3, 1, 12, 12)
    bias = torch.zeros(3, 1, 12, 12).masked_fill(~allowed, torch.finfo(torch.float32).min)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        eager = model(ids, attention_mask=bias).logits
        model.set_attn_implementation("weft")
        ours = model(ids, attention_mask=allowed).logits
        with pytest.raises(TypeError, match="attention_mask: expected"):
            model(ids, attention_mask=bias)
    assert_logits(eager, ours, torch.ones_like(ids), "cpu")


def test_what_is_not_there_raises():
    model = model_of("llama", "cpu")
    model.set_attn_implementation("weft")
    ids, mask = inputs("cpu")
    mask[1, 5] = 0
    with pytest.raises(NotImplementedError, match="padding"):
        model(ids, attention_mask=mask)
    model.train()
    model.config.attention_dropout = 0.5
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    with pytest.raises(NotImplementedError, match="dropout"):
        model(ids)


@on_devices
@on_families
def test_continuous_batching(family, device):
    model = model_of(family, device)
    torch.manual_seed(2)
    prompts = [torch.randint(3, 97, (n,)).tolist() for n in (5, 21, 1, 12)]
    config = transformers.GenerationConfig(max_new_tokens=10, do_sample=False, eos_token_id=-1,
                                           pad_token_id=0)
    expected = []
    for prompt in prompts:  # alone, dense and eager: what each request must get in any batch
        with torch.no_grad():
            text = model.generate(torch.tensor([prompt], device=device), generation_config=config,
                                  attention_mask=torch.ones(1, len(prompt), device=device).long())
        expected.append(text[0, len(prompt):].tolist())
    model.set_attn_implementation("paged|weft")
    batching = transformers.ContinuousBatchingConfig(
        num_blocks=16, block_size=8, max_batch_tokens=24, use_cuda_graph=device == "cuda")
    outputs = model.generate_batch(prompts, generation_config=config,
                                   continuous_batching_config=batching)
    got = [outputs[key].generated_tokens for key in sorted(
        outputs, key=lambda k: int(str(k).rsplit("_", 1)[-1]))]
    assert all(len(tokens) == 10 for tokens in got)
    if device == "cpu":
        assert got == expected
    else:  # bf16 parts ways after some tokens
        assert [tokens[0] for tokens in got] == [tokens[0] for tokens in expected]
