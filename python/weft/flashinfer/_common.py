# SPDX-License-Identifier: Apache-2.0
# What the entries of this layer share: dtypes and scales in weft's words, operators kept by config,
# and Planned, the weft plan behind each wrapper. Knows weft's API and torch, no entry.
from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

import torch

import weft
from weft._planned import PlanHolder, device_word
from weft._struct import dtype_name

FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)
LN2 = 0.6931471805599453


def missing(what: str) -> NotImplementedError:
    """What this layer raises for what weft has no operator or no argument for."""
    return NotImplementedError(
        f"weft.flashinfer: {what} is not supported by weft {weft.__version__}")


def refuse(**given: Any) -> None:
    """Raises for the first argument that was given: nothing given is ignored."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise missing(f"{name} = {value!r}" if not torch.is_tensor(value) else name)


def not_there(module: str, names: str, operator: str) -> dict[str, Any]:
    """Functions and classes of the de-facto API whose operator weft does not have yet."""
    def make(name: str) -> Any:
        def raises(*args: Any, **kwargs: Any) -> Any:
            raise missing(f"flashinfer.{module}.{name} (operator: {operator})")
        entry: Any = raises
        entry.__name__ = entry.__qualname__ = name
        entry.__doc__ = f"Not there yet: weft has no operator {operator}. Raises."
        entry.weft_missing = True
        return entry
    return {name: make(name) for name in names.split()}


def torch_dtype(dtype: Any) -> torch.dtype:
    return getattr(torch, dtype) if isinstance(dtype, str) else dtype


@lru_cache(maxsize=64)
def word(name: str, dtype: Any) -> str:
    return dtype_name(name, torch_dtype(dtype))


@lru_cache(maxsize=64)
def q_word(q_data_type: Any, o_data_type: Any = None) -> str:
    """weft's dtype of q. FP8 queries are widened, which is exact in 16 bits."""
    dtype = torch_dtype(q_data_type)
    if dtype in FP8:
        o = torch_dtype(o_data_type) if o_data_type is not None else None
        return "f16" if o is torch.float16 else "bf16"
    return word("q_data_type", dtype)


def wide(q_dtype: str) -> torch.dtype:
    """What q_word says of float8, as torch has it."""
    return torch.float16 if q_dtype == "f16" else torch.bfloat16


def float8_of(o: torch.Tensor, dtype: torch.dtype, out: Any) -> torch.Tensor:
    """An output in float8, within its range: attention itself writes 16 or 32 bits."""
    most = torch.finfo(dtype).max
    narrow = o.clamp(-most, most)
    return narrow.to(dtype) if out is None else out.copy_(narrow)


def layout_word(kv_layout: str) -> str:
    if kv_layout not in ("NHD", "HND"):
        raise KeyError(f"Invalid kv_layout {kv_layout}: expected NHD or HND")
    return kv_layout.lower()


def rope_form(pos_encoding_mode: str, rope_scale: float | None,
              rope_theta: float | None) -> weft.RopeForm | None:
    if pos_encoding_mode not in ("NONE", "ROPE_LLAMA", "ALIBI"):
        raise KeyError(f"Invalid pos_encoding_mode {pos_encoding_mode}: expected NONE, ROPE_LLAMA "
                       "or ALIBI")
    if pos_encoding_mode != "ROPE_LLAMA":
        return None
    return weft.RopeForm("neox", theta=1e4 if rope_theta is None else float(rope_theta),
                         scale=1.0 if rope_scale is None else float(rope_scale))


def in_a_graph(device: torch.device) -> bool:
    """Whether what is allocated now is a CUDA graph's: nothing may be kept of it. So it is while
    one is captured, and while torch.compile runs a function before it captures it."""
    if device.type != "cuda":
        return False
    trees = sys.modules.get("torch._inductor.cudagraph_trees")
    if trees is not None:
        manager = trees.get_manager(device.index or 0, create_if_none_exists=False)
        if manager is not None and manager.in_warmup:
            return True
    return torch.cuda.is_current_stream_capturing()


def alibi_slopes(num_heads: int, device: torch.device) -> torch.Tensor:
    """Slopes of the ALiBi paper: a geometric sequence over the nearest power of two of heads, and
    every other term of the next one for the rest. Made anew for a graph, in whose memory they are
    nothing before it is replayed."""
    return (_slopes if in_a_graph(device) else _kept_slopes)(num_heads, device)


def _slopes(num_heads: int, device: torch.device) -> torch.Tensor:
    n = 1 << (num_heads.bit_length() - 1)
    first = torch.arange(n, dtype=torch.float64, device=device)
    rest = torch.arange(num_heads - n, dtype=torch.float64, device=device)
    return torch.exp2(torch.cat([-8 * (first + 1), -4 * (2 * rest + 1)]) / n).to(torch.float32)


_kept_slopes = lru_cache(maxsize=64)(_slopes)


@lru_cache(maxsize=1024)
def operator(kind: type, config: type, device: torch.device, /, **fields: Any) -> Any:
    """An operator without a plan, made once for a device and the fields of its config, which are
    not made into one each time: callers ask once a layer."""
    return kind(config(**fields), device_word(device))


def host_last(indptr: torch.Tensor) -> int | None:
    """The last element of an indptr, or None when only the device has it: nothing waits."""
    return int(indptr[-1]) if indptr.device.type == "cpu" else None


class Planned(PlanHolder):
    """A PlanHolder that runs by the contracts of this layer."""

    def to_device(self, name: str, index: torch.Tensor, non_blocking: bool = True) -> torch.Tensor:
        """An index array where kernels read it; a copy of the caller's when that is the CPU."""
        if index.dtype != torch.int32:
            raise ValueError(f"{name}: expected int32, got {index.dtype}")
        if index.device == self.device:
            return index.clone() if self.device.type == "cpu" else index
        return index.to(self.device, non_blocking=non_blocking)

    def check_planned(self) -> None:
        """Raises where run() comes before plan()."""
        if self._plan is None:
            raise RuntimeError("run: expected plan() before it, got none")

    def run(self, q: torch.Tensor, kv: Any, out: Any, lse: Any, return_lse: bool,
            **values: Any) -> Any:
        self.check_planned()
        if q.dtype in FP8:
            q = q.to(wide(self.q_dtype))
        o, lse = self._made.run(self._plan, q, kv, out=out, lse=lse, return_lse=return_lse,
                                lse_base2=True, **values)
        return (o, lse) if return_lse else o


def scale_values(q: torch.Tensor, q_dtype: str, num_kv_heads: int, sm_scale: float, q_scale: Any,
                 k_scale: Any, v_scale: Any) -> tuple[torch.Tensor, dict[str, Any]]:
    """Scales as numbers or tensors (of one element, or per head) in weft's words; nothing waits.
    Queries in float8 become those of the plan's `q_dtype`."""
    values: dict[str, Any] = {"sm_scale": sm_scale}
    if torch.is_tensor(q_scale):
        if q_scale.numel() > 1:
            q = (q.float() * q_scale.reshape(-1, 1)).to(
                q.dtype if q.dtype not in FP8 else wide(q_dtype))
        else:
            values["k_scales"] = per_head(q_scale, num_kv_heads)
    elif q_scale is not None:
        values["sm_scale"] = sm_scale * float(q_scale)
    for name, scale in (("k", k_scale), ("v", v_scale)):
        if torch.is_tensor(scale):
            tensor = per_head(scale, num_kv_heads)
            held = values.get(f"{name}_scales")
            values[f"{name}_scales"] = tensor if held is None else held * tensor
        elif scale is not None:
            values[f"{name}_scale"] = float(scale)
    return q, values


def per_head(scale: torch.Tensor, num_heads: int) -> torch.Tensor:
    flat = scale.to(torch.float32).reshape(-1)
    return flat.expand(num_heads).contiguous() if flat.numel() == 1 else flat.contiguous()


def default_scale(sm_scale: float | None, head_dim: int) -> float:
    return head_dim ** -0.5 if sm_scale is None else float(sm_scale)


def sinks_value(sinks: Any) -> torch.Tensor | None:
    return None if sinks is None else sinks.to(torch.float32).reshape(-1).contiguous()


def last_page_lens(kv_lens: torch.Tensor, page_size: int) -> torch.Tensor:
    """Tokens in the last page of requests of given lengths."""
    return ((kv_lens - 1).clamp(min=0) % page_size + 1).to(torch.int32)


def split_config(page_size: int, fixed_split_size: int | None, disable_split_kv: bool) -> dict:
    """Batch invariance: KV split at fixed pages, or not at all (at 2^20 tokens)."""
    if disable_split_kv:
        return {"schedule": "batch_invariant", "split_kv": 1 << 20}
    if fixed_split_size is None or fixed_split_size <= 0:
        return {}
    tokens = -(-fixed_split_size * max(1, page_size) // 64) * 64  # weft splits at multiples of 64
    return {"schedule": "batch_invariant", "split_kv": min(tokens, 1 << 24)}
