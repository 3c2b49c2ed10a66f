#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# torch's scaled_dot_product_attention on the CPU, in the line form of `weft bench --json`, for the
# cases both can run. A peer to look at, not a part of the build: without torch it says so and ends
# well. Run: bench/peer_torch.py [--weft PROGRAM] [--threads N]
import argparse
import json
import statistics
import subprocess
import sys
import time

# Ids of weft's cases with the same work: (batch, qo_len, kv_len, qo heads, KV heads, dim, causal).
CASES = {
    "cpu/prefill/full_2k_mha8": (1, 2048, 2048, 8, 8, 128, False),
    "cpu/prefill/causal_4k_mha8": (1, 4096, 4096, 8, 8, 128, True),
    "cpu/prefill/causal_1k": (1, 1024, 1024, 32, 8, 128, True),
    "cpu/prefill/causal_4k": (1, 4096, 4096, 32, 8, 128, True),
    "cpu/decode/proto_l4k_g1": (1, 1, 4096, 8, 8, 128, False),
    "cpu/decode/proto_l4k_g4": (1, 1, 4096, 32, 8, 128, False),
    "cpu/decode/b16_l4k": (16, 1, 4096, 32, 8, 128, False),
}
SECONDS_A_CASE = 1.0


def measure(torch, case):
    batch, qo_len, kv_len, qo_heads, kv_heads, dim, causal = case
    make = lambda heads, n: torch.randn(batch, heads, n, dim, dtype=torch.bfloat16)  # noqa: E731
    q, k, v = make(qo_heads, qo_len), make(kv_heads, kv_len), make(kv_heads, kv_len)
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def call():
        return sdpa(q, k, v, is_causal=causal, enable_gqa=qo_heads != kv_heads)

    times = []
    with torch.no_grad():
        call()
        end = time.perf_counter() + SECONDS_A_CASE
        while len(times) < 5 or time.perf_counter() < end:
            begin = time.perf_counter()
            call()
            times.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(times)


def flops(case):
    batch, qo_len, kv_len, qo_heads, _, dim, causal = case
    pairs = qo_len * kv_len - (qo_len * (qo_len - 1) // 2 if causal else 0)
    return 4 * batch * qo_heads * dim * pairs


def weft_us(program, threads):
    """Medians of weft's own cases, run right before, by id."""
    pattern = "^(" + "|".join(CASES) + ")$"
    command = [program, "bench", "--json", "--filter", pattern, "--threads", str(threads)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line["id"]: line["us"] for line in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description="torch SDPA beside weft on the CPU")
    parser.add_argument("--weft", help="the weft program, for ratios: build/release/tools/weft")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("peer_torch: skipped, torch is not installed", file=sys.stderr)
        return 0
    torch.set_num_threads(options.threads)
    own = weft_us(options.weft, options.threads) if options.weft else {}
    for name, case in CASES.items():
        us = measure(torch, case)
        line = {"id": name, "peer": f"torch {torch.__version__} sdpa", "us": round(us, 1),
                "tflops": round(flops(case) / us / 1e6, 4), "threads": options.threads}
        if name in own:
            line["weft_us"] = round(own[name], 1)
            line["weft_speedup"] = round(us / own[name], 2)
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
