# SPDX-License-Identifier: Apache-2.0
# Tokens a second of a Llama-8B shape with random bf16 weights in Hugging Face transformers, with
# attn_implementation weft beside sdpa in the same process: one JSON line a case. Needs a GPU of
# 80 GB. Run by hand: python bench/transformers_e2e.py [case ...]
import json
import random
import sys
import time

import torch
import transformers

from weft.integrations import transformers as bridge

SHAPE = dict(vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
             num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=16384,
             rope_theta=5e5, pad_token_id=0, bos_token_id=1, eos_token_id=2)


def make_model():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**SHAPE)
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        return transformers.LlamaForCausalLM(config).eval()


def seconds(call):
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def tell(case, **values):
    print(json.dumps({"id": f"e2e/{case}", **{name: round(value, 2) for name, value in
                                              values.items()}}), flush=True)


def compare(case, model, tokens, call, rounds=2):
    """tokens/s under each implementation; rounds alternate, the best counts."""
    best = {"sdpa": float("inf"), "weft": float("inf")}
    for _ in range(rounds):
        for name in best:
            model.set_attn_implementation(name)
            best[name] = min(best[name], seconds(call))
    tell(case, **{f"{name}_tok_s": tokens / time for name, time in best.items()},
         ratio=best["sdpa"] / best["weft"])


def generate(model, batch, prompt, new=12):
    ids = torch.randint(3, 1000, (batch, prompt), device="cuda")
    config = transformers.GenerationConfig(max_new_tokens=new, min_new_tokens=new, do_sample=False,
                                           pad_token_id=0)
    mask = torch.ones_like(ids)
    compare(f"generate_b{batch}_p{prompt}", model, batch * new,
            lambda: model.generate(ids, attention_mask=mask, generation_config=config))


def decode(model, batch, context, steps=6):
    """Steps onto a cache that is filled by hand: no prefill in the time."""
    def filled():
        cache = transformers.DynamicCache(config=model.config)
        for layer in range(SHAPE["num_hidden_layers"]):
            one = torch.randn(batch, 8, context, 128, device="cuda", dtype=torch.bfloat16)
            cache.update(one, one.clone(), layer)
        return cache

    cache = filled()
    ids = torch.randint(3, 1000, (batch, 1), device="cuda")

    def step():
        for _ in range(steps):
            mask = torch.ones(batch, cache.get_seq_length() + 1, device="cuda", dtype=torch.long)
            model(ids, attention_mask=mask, past_key_values=cache)

    compare(f"decode_b{batch}_c{context}", model, batch * steps, step)


def batching(model, requests, new, implementation, graphs, rounds=1):
    chance = random.Random(0)
    prompts = [[chance.randrange(3, 1000) for _ in range(int(2 ** chance.uniform(6, 11)))]
               for _ in range(requests)]
    model.set_attn_implementation(f"paged|{implementation}")
    config = transformers.GenerationConfig(max_new_tokens=new, do_sample=False, eos_token_id=-1,
                                           pad_token_id=0)
    options = transformers.ContinuousBatchingConfig(
        max_batch_tokens=4096, num_blocks=10 * requests, block_size=256, use_cuda_graph=graphs,
        max_requests_per_batch=128)
    best = min(seconds(lambda: model.generate_batch(
        prompts, generation_config=config, continuous_batching_config=options,
        persistent_manager=rounds > 1)) for _ in range(rounds))
    tell(f"batching_{implementation}_{requests}x{new}", tok_s=requests * new / best, seconds=best)


CASES = {
    "batching": lambda model: batching(model, 96, 96, "weft", True, rounds=2),
    "batching_part": lambda model: (batching(model, 24, 16, "weft", True, rounds=2),
                                    batching(model, 24, 16, "sdpa", False)),
    "decode": lambda model: decode(model, 32, 8192),
    "generate": lambda model: (generate(model, 1, 1024), generate(model, 32, 1024)),
}


def main():
    bridge.register()
    model = make_model()
    with torch.no_grad():
        for case in sys.argv[1:] or CASES:
            CASES[case](model)


if __name__ == "__main__":
    main()
