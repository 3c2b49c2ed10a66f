# SPDX-License-Identifier: Apache-2.0
# bench_gpu_time of the de-facto API, by events of torch or by the clock on the CPU.
"""Timing of a function."""
from __future__ import annotations

import random
import time

import numpy
import torch

from weft.flashinfer._common import refuse


def _graph_of(fn, times):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(times):
            fn()
    return graph.replay


def _once(fn, cuda):
    if not cuda:
        start = time.perf_counter()
        fn()
        return 1e3 * (time.perf_counter() - start)
    events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
    events[0].record()
    fn()
    events[1].record()
    torch.cuda.synchronize()
    return events[0].elapsed_time(events[1])


def bench_gpu_time(fn, dry_run_iters=None, repeat_iters=None, dry_run_time_ms=25,
                   repeat_time_ms=100, l2_flush=None, l2_flush_size_mb=None, l2_flush_device=None,
                   sleep_after_run=False, enable_cupti=False, use_cuda_graph=False,
                   num_iters_within_graph=10, input_args=(), input_kwargs=None, cold_l2_cache=True,
                   aggregate_op=max):
    """Milliseconds of each measured call. With `cold_l2_cache` a buffer beyond the L2 is written
    before each; inside a graph calls follow one another, and the mean of them counts."""
    refuse(enable_cupti=enable_cupti)
    cuda, given = torch.cuda.is_available(), input_kwargs or {}
    once, per = (lambda: fn(*input_args, **given)), 1
    _once(once, cuda)
    if use_cuda_graph and cuda:
        once, per = _graph_of(once, num_iters_within_graph), num_iters_within_graph
    cold = cold_l2_cache if l2_flush is None else l2_flush
    buffer = (torch.empty((l2_flush_size_mb or 256) << 20, dtype=torch.uint8,
                          device=l2_flush_device or "cuda") if cuda and cold else None)

    def measured():
        if buffer is not None:
            buffer.zero_()
        took = _once(once, cuda) / per
        if sleep_after_run:
            time.sleep(took * 1e-3)
        return took

    first = max(1e-3, measured())
    for _ in range(dry_run_iters or max(1, int(dry_run_time_ms / first))):
        measured()
    return [measured() for _ in range(repeat_iters or max(1, int(repeat_time_ms / first)))]


def bench_gpu_time_with_cudagraph(fn, dry_run_iters=None, repeat_iters=None, dry_run_time_ms=25,
                                  repeat_time_ms=100, num_iters_within_graph=10, l2_flush=True,
                                  l2_flush_size_mb=256, l2_flush_device="cuda",
                                  sleep_after_run=False, **options):
    """bench_gpu_time by replays of a graph."""
    return bench_gpu_time(fn, dry_run_iters, repeat_iters, dry_run_time_ms, repeat_time_ms,
                          l2_flush, l2_flush_size_mb, l2_flush_device, sleep_after_run,
                          use_cuda_graph=True, num_iters_within_graph=num_iters_within_graph,
                          **options)


def set_seed(random_seed):
    """Seeds the generators of random, numpy and torch."""
    random.seed(random_seed)
    numpy.random.seed(random_seed)
    torch.manual_seed(random_seed)


def attention_flops(batch_size, qo_seqlen, kv_seqlen, head_dim_qk, head_dim_vo, num_qo_heads,
                    causal):
    """Operations of a layer whose requests are all of these lengths; of the last square of a causal
    mask, where the queries are the last of the keys, half."""
    pairs = 2 * qo_seqlen * kv_seqlen - (qo_seqlen * qo_seqlen if causal else 0)
    return batch_size * num_qo_heads * pairs * (head_dim_qk + head_dim_vo)


def attention_tflops_per_sec(batch_size, qo_seqlen, kv_seqlen, head_dim_qk, head_dim_vo,
                             num_qo_heads, causal, time):
    """attention_flops over `time` milliseconds, in 10^12 a second."""
    return attention_flops(batch_size, qo_seqlen, kv_seqlen, head_dim_qk, head_dim_vo,
                           num_qo_heads, causal) / time / 1e9
