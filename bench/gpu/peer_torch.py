#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# torch's cuDNN attention beside attention_gpu_bench and prefill_gpu_bench: the decode rows of
# bench/targets.jsonl whose requests are equally long, over contiguous KV, and the dense prefill
# rows; captured in a CUDA graph over inputs that rotate past the L2. A peer to look at, not a part
# of the build: without torch or a GPU it says so and ends well.
# Run: bench/gpu/peer_torch.py bench/targets.jsonl [--filter TEXT]
import argparse
import json
import statistics
import sys
import time

ROTATE_BYTES = 400 << 20  # several times the L2
ROUNDS = 7


def is_prefill(row):
    return row["id"].startswith("prefill/")


def tflops(row, us):
    pairs = row["qo_len"] * row["kv_len"]
    if row["causal"]:
        pairs -= row["qo_len"] * (row["qo_len"] - 1) / 2
    return 4 * row["batch"] * row["num_qo_heads"] * row["head_dim"] * pairs / us * 1e-6


def make_inputs(torch, row):
    heads, kv_heads, dim = row["num_qo_heads"], row["num_kv_heads"], row["head_dim"]
    batch, kv_len = row["batch"], row["kv_len"]
    bytes_of_kv = 4 * batch * kv_len * kv_heads * dim
    sets = min(96, max(2, -(-ROTATE_BYTES // bytes_of_kv)))
    if is_prefill(row):  # one call reads and writes more than the L2 holds
        sets = 2

    def tensor(num_heads, length):
        return torch.randn(batch, num_heads, length, dim, device="cuda", dtype=torch.bfloat16)

    return [(tensor(heads, row["qo_len"]), tensor(kv_heads, kv_len), tensor(kv_heads, kv_len))
            for _ in range(sets)]


def capture(torch, row):
    """A graph of one call a set of inputs, and how many those are."""
    inputs = make_inputs(torch, row)
    gqa = row["num_qo_heads"] != row["num_kv_heads"]

    def calls():
        for q, k, v in inputs:
            torch.nn.functional.scaled_dot_product_attention(
                q, k, v, is_causal=is_prefill(row) and row["causal"], enable_gqa=gqa)

    calls()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        calls()
    return graph, len(inputs)


def replay_us(torch, graph):
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    graph.replay()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) * 1e3


def measure(torch, row):
    """Microseconds of one call, rested and warm, as bench/gpu/prefill.h has it."""
    graph, calls = capture(torch, row)
    rested = []
    for _ in range(ROUNDS):
        time.sleep(0.025)
        rested.append([replay_us(torch, graph) for _ in range(4)][-1])
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        replay_us(torch, graph)
    warm = [replay_us(torch, graph) for _ in range(ROUNDS)]
    return statistics.median(rested) / calls, statistics.median(warm) / calls


def comparable(row, text):
    if is_prefill(row):
        return text in row["id"] and row["dtype"] == "bf16" and row["page_size"] == 0
    return (row["id"].startswith("decode/") and text in row["id"]
            and isinstance(row["kv_len"], int) and row["kv_dtype"] == "bf16"
            and "rope" not in row and row["page_size"] != 1)


def main():
    parser = argparse.ArgumentParser(description="torch's cuDNN attention")
    parser.add_argument("targets")
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    try:
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError:
        print("peer_torch: skipped, torch is not installed", file=sys.stderr)
        return 0
    if not torch.cuda.is_available():
        print("peer_torch: skipped, torch sees no GPU", file=sys.stderr)
        return 0
    with open(options.targets, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    for row in rows:
        if not comparable(row, options.filter):
            continue
        with torch.no_grad(), sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            us, warm_us = measure(torch, row)
        line = {"id": row["id"], "peer": f"torch {torch.__version__} cuDNN, contiguous",
                "us": round(us, 1), "warm_us": round(warm_us, 1)}
        if is_prefill(row):
            line["tflops"] = round(tflops(row, us), 1)
            line["warm_tflops"] = round(tflops(row, warm_us), 1)
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
