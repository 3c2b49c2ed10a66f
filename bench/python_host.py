# SPDX-License-Identifier: Apache-2.0
# Host costs from Python, beside their targets: import, plan and run. A batch without requests makes
# a run cost what the call costs. Run by `./dev bench --python`; on a GPU runs are enqueued only.
import subprocess
import sys
import time

import weft

TARGETS = {"import weft": 150_000, "run": 6, "plan": 10}


def import_cost():
    program = "import time; s = time.perf_counter(); import weft; print(time.perf_counter() - s)"
    return min(float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                                    check=True).stdout) for _ in range(5))


def cost(call, count=2000, rounds=15, settle=lambda: None):
    """Seconds a call, the best of some rounds; `settle` empties the device's queue before each."""
    best = float("inf")
    for _ in range(rounds):
        settle()
        start = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter() - start) / count)
    return best


def show(name, seconds, target=None):
    text = f"{name:44s} {1e6 * seconds:10.2f} us"
    if target is not None:
        text += f"   target {target} us{'' if 1e6 * seconds <= target else '  MISS'}"
    print(text, flush=True)


def frameworks():
    """(name, device, empty) of each framework that is here."""
    import numpy
    yield "numpy", "cpu", "f32", lambda shape, kind: numpy.zeros(
        shape, numpy.int32 if kind == "i32" else numpy.float32)
    try:
        import torch
    except ImportError:
        return
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        yield "torch", device, "bf16", lambda shape, kind, device=device: torch.zeros(
            shape, device=device,
            dtype={"i32": torch.int32, "f32": torch.float32, "bf16": torch.bfloat16}[kind])


def measure(name, device, dtype, empty):
    attn = weft.Attention(weft.AttentionConfig(
        dtype_q=dtype, dtype_kv=dtype, num_qo_heads=32, num_kv_heads=8, head_dim_qk=128,
        page_size=16, max_batch_size=64, max_nnz_qo=64), device)
    batch = weft.AttentionBatch(empty((1,), "i32"), empty((1,), "i32"), empty((0,), "i32"),
                                empty((0,), "i32"))
    plan = attn.plan(batch)
    q, o = empty((64, 32, 128), dtype), empty((64, 32, 128), dtype)
    k, v = empty((4, 16, 8, 128), dtype), empty((4, 16, 8, 128), dtype)
    joined, lse = empty((4, 2, 16, 8, 128), dtype), empty((64, 32), "f32")
    # A queue of launches that is full makes the host wait: fewer calls than it holds (1024).
    how = {} if device == "cpu" else {"count": 200, "rounds": 10, "settle": sys.modules[
        "torch"].cuda.synchronize}
    target = TARGETS["run"] if name == "torch" else None
    show(f"run, outputs given, {name} {device}",
         cost(lambda: attn.run(plan, q, (k, v), out=o, lse=lse), **how), target)
    show(f"run, joined cache, no lse, {name} {device}",
         cost(lambda: attn.run(plan, q, joined, out=o, return_lse=False), **how), target)
    show(f"run, outputs made, {name} {device}",
         cost(lambda: attn.run(plan, q, (k, v)), **how))
    show(f"plan, {name} {device}", cost(lambda: attn.plan(batch, plan), **how),
         TARGETS["plan"] if name == "torch" else None)


def main():
    show("import weft", import_cost(), TARGETS["import weft"])
    for framework in frameworks():
        measure(*framework)


if __name__ == "__main__":
    main()
