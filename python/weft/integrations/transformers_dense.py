# SPDX-License-Identifier: Apache-2.0
# Attention of transformers over its dense caches. A mask is made once a forward and layer type;
# ours carries the lengths, and the plan that all layers of that type then run. Keys stay where the
# cache has them, so growth and padding copy nothing: one sequence is ragged KV, of several each
# token is a page of one in a view of the cache.
from __future__ import annotations

import threading
from typing import Any

import torch

import weft
from weft._planned import PlanHolder, fixed_indptr, indptr_of, limits
from weft._struct import dtype_name
from weft.integrations.transformers import refuse, run_values

MOST_IDLE = 4


class _Idle(threading.local):
    """Plans of steps that are over, by what they are for: a step of this thread takes one of its
    own stream, where its work comes after theirs, and so makes no memory."""

    def __init__(self) -> None:
        self.plans: dict[Any, list[PlanHolder]] = {}


_idle = _Idle()


class Step:
    """What one forward says of one layer type: who attends to what."""

    def __init__(self, batch_size: int, q_len: int, kv_len: int, mode: str, mask: Any,
                 bits: Any = None) -> None:
        self.batch_size, self.q_len, self.kv_len, self.mode = batch_size, q_len, kv_len, mode
        self.valid = mask        # bool [batch_size, kv_len] or None: keys that are no padding
        self.valid_q: Any = None  # bool [batch_size, q_len] with it
        self.bits = bits         # bool [batch_size, q_len, kv_len] in mode custom
        self.planned: dict[Any, tuple[Any, Any, dict[str, Any]]] = {}  # run, plan, its masks
        self.taken: list[tuple[PlanHolder, list[PlanHolder]]] = []

    @property
    def ragged(self) -> bool:
        return self.batch_size == 1 and self.valid is None

    def holder(self, key: Any, device: torch.device) -> PlanHolder:
        """An idle plan, or a new one; idle again when this step is."""
        stream = torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0
        idle = _idle.plans.setdefault((key, stream), [])
        found = idle.pop() if idle else PlanHolder(device)
        self.taken.append((found, idle))
        return found

    def __del__(self) -> None:
        for holder, idle in self.taken:
            if len(idle) < MOST_IDLE:
                idle.append(holder)


def _kind(mask_function: Any) -> str:
    """Which of the masks weft knows by itself; any other becomes bits."""
    from transformers import masking_utils as m
    if mask_function is m.causal_mask_function:
        return "causal"
    if mask_function is getattr(m, "bidirectional_mask_function", None):
        return "none"
    parts = [cell.cell_contents for cell in (getattr(mask_function, "__closure__", None) or ())]
    functions = [f for part in parts for f in (part if isinstance(part, tuple) else (part,))]
    names = [getattr(f, "__qualname__", "") for f in functions]
    window = any("sliding_window_overlay" in name for name in names)
    return "causal" if window and m.causal_mask_function in functions and len(functions) == 2 \
        else "custom"


def make_mask(batch_size: int, q_length: int, kv_length: int, q_offset: Any = 0, kv_offset: int = 0,
              mask_function: Any = None, attention_mask: torch.Tensor | None = None,
              **kwargs: Any) -> torch.Tensor:
    """The mask of one forward, as transformers asks for it: an empty 4-D tensor, which its models
    hand on as it is, with the Step as its attribute."""
    from transformers import masking_utils as m
    mode = _kind(mask_function or m.causal_mask_function)
    offset = int(q_offset) if not torch.is_tensor(q_offset) else int(q_offset.item())
    seen = min(kv_length, offset + q_length - kv_offset) if mode != "none" else kv_length
    device = kwargs.get("device", "cpu" if attention_mask is None else attention_mask.device)
    bits = None
    if mode == "custom":
        bits = m.sdpa_mask(batch_size, q_length, kv_length, q_offset, kv_offset, mask_function,
                           attention_mask, **{**kwargs, "allow_is_causal_skip": False,
                                              "allow_is_bidirectional_skip": False})
        bits = bits.expand(batch_size, 1, q_length, kv_length)[:, 0]
        attention_mask, seen = None, kv_length
    step = Step(batch_size, q_length, seen, mode, None, bits)
    if attention_mask is not None and attention_mask.shape[1] >= offset + q_length:
        valid = attention_mask[:, kv_offset:kv_offset + seen]
        if _may_be_padded(valid):
            step.valid = valid.to(torch.bool)
            step.valid_q = attention_mask[:, offset:offset + q_length].to(torch.bool)
            if valid.device.type == "cpu":
                _check_contiguous(step)
    made: Any = torch.empty((batch_size, 1, q_length, 0), dtype=torch.bool, device=device)
    made.weft_step = step
    return made


def _may_be_padded(valid: torch.Tensor) -> bool:
    """Waits for a device, as sdpa's mask does: without padding a step has next to nothing to do.
    Nothing waits while a graph is captured."""
    if valid.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return True
    return not bool(valid.all())


def _check_contiguous(step: Step) -> None:
    """On the host what is padding is known; padding inside a sequence has no plan."""
    changes = (step.valid[:, 1:] != step.valid[:, :-1]).sum(1)
    ends = step.valid[:, 0].int() + step.valid[:, -1].int()
    if bool((changes > ends.ne(2).int() * 2 - ends.eq(1).int()).any()):
        raise NotImplementedError("attention_mask: expected padding before or after a sequence, "
                                  "got some inside of one")


def _rows(step: Step, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """qo_indptr and the KV lengths of each request: a sequence, or with padded prompts three
    (leading padding without keys, the sequence, trailing padding without keys). A single query is
    none."""
    n, q_len = step.batch_size, step.q_len
    if q_len == 1:
        return fixed_indptr(n, 1, device), step.valid.to(device).sum(1, dtype=torch.int32)
    valid_q = step.valid_q.to(device)
    count = valid_q.sum(1, dtype=torch.int32)
    lead = torch.where(count > 0, valid_q.int().argmax(1), 0).to(torch.int32)
    parts = torch.stack([lead, count, q_len - lead - count], 1).reshape(-1)
    lens = torch.zeros(n, 3, dtype=torch.int32, device=device)
    lens[:, 1] = step.valid.to(device).sum(1)
    return indptr_of(parts), lens.reshape(-1)


def _batch(step: Step, ratio: int, device: torch.device) -> weft.AttentionBatch:
    """The batch: of one sequence ragged; else over pages of one token, key j of sequence r being
    page r * ratio + j."""
    n = step.batch_size
    if step.ragged:
        return weft.AttentionBatch(*(fixed_indptr(1, rows, device)
                                     for rows in (step.q_len, step.kv_len)))
    pages = torch.arange(step.kv_len, dtype=torch.int32, device=device)
    if n > 1:
        pages = (fixed_indptr(n - 1, ratio, device)[:, None] + pages).reshape(-1)
    if step.valid is None:
        return weft.AttentionBatch(fixed_indptr(n, step.q_len, device),
                                   fixed_indptr(n, step.kv_len, device),
                                   pages, torch.full((n,), min(1, step.kv_len), dtype=torch.int32,
                                                     device=device))
    qo_indptr, lens = _rows(step, device)
    valid = step.valid.to(device).reshape(-1)
    place = torch.where(valid, torch.cumsum(valid, 0) - 1, pages.numel())
    kept = torch.zeros(pages.numel() + 1, dtype=torch.int32, device=device)
    pages = kept.scatter_(0, place, pages)[:-1]
    return weft.AttentionBatch(qo_indptr, indptr_of(lens), pages, torch.ones_like(lens))


def _pages(x: torch.Tensor) -> tuple[torch.Tensor, int]:
    """[batch, heads, tokens, dim] as pages of one token [pages, 1, heads, dim], and how many pages
    lie between two sequences. A view, unless the strides do not allow one."""
    n, heads, tokens, dim = x.shape
    of_n, of_head, of_token, of_dim = x.stride()
    if of_dim != 1 or (n > 1 and (of_token == 0 or of_n % of_token)):
        return _pages(x.contiguous())
    step = of_token if tokens > 1 or n == 1 else of_n
    ratio = of_n // step if n > 1 else 0
    count = (n - 1) * ratio + tokens
    return x.as_strided((count, 1, heads, dim), (step, step, of_head, 1)), ratio


def _caches(step: Step, key: torch.Tensor,
            value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """k and v as weft reads them, and the ratio of _pages."""
    if step.ragged:
        k, v = key[0], value[0]  # [heads, tokens, dim]
        if k.stride(2) == 1 and v.stride(2) == 1:
            return k, v, 0
        return k.contiguous(), v.contiguous(), 0
    k, ratio = _pages(key)
    v, ratio_v = _pages(value)
    if ratio_v != ratio:
        (k, ratio), (v, _) = _pages(key.contiguous()), _pages(value.contiguous())
    return k, v, ratio


def _plan(step: Step, key: Any, query: torch.Tensor, k: torch.Tensor, v: torch.Tensor,
          ratio: int) -> tuple[Any, Any, dict[str, Any]]:
    device, rows = query.device, step.batch_size * step.q_len
    kind = (*key[1:], step.ragged, step.mode, limits(step.batch_size, rows))  # whatever the ratio
    holder, extra = step.holder(kind, device), {}
    batch = _batch(step, ratio, holder.device)
    if step.mode == "custom":
        bits = step.bits.to(holder.device).reshape(step.batch_size, -1)
        width = -(-bits.shape[1] // 8)
        padded = torch.nn.functional.pad(bits, (0, 8 * width - bits.shape[1])).to(torch.uint8)
        weight = torch.pow(2, torch.arange(8, device=holder.device)).to(torch.uint8)
        extra["custom_mask"] = (padded.view(-1, 8) * weight).sum(1, dtype=torch.uint8)
        extra["mask_indptr"] = fixed_indptr(step.batch_size, width, holder.device)
    if holder.attention is not None and batch.qo_indptr.shape[0] - 1 == step.batch_size:
        holder.replan(batch)
    else:
        holder.plan(rows, batch, dtype_q=dtype_name("query", query.dtype),
                    dtype_kv=dtype_name("key", k.dtype), num_qo_heads=query.shape[1],
                    num_kv_heads=key[4], head_dim_qk=query.shape[3], head_dim_vo=v.shape[-1],
                    page_size=0 if step.ragged else 1, mask=step.mode,
                    kv_layout="hnd" if step.ragged else "nhd")
    step.planned[key] = holder.attention.run, holder.current, extra
    return step.planned[key]


def attention(module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
              attention_mask: Any, dropout: float = 0.0, scaling: float | None = None,
              sliding_window: int | None = None, softcap: float | None = None,
              is_causal: bool | None = None, s_aux: Any = None, position_bias: Any = None,
              **kwargs: Any) -> tuple[torch.Tensor, None]:
    """query [batch, heads, q_len, dim], key and value [batch, kv_heads, kv_len, dim]; the result is
    [batch, q_len, heads, dim_vo]."""
    if dropout or position_bias is not None or kwargs.get("output_attentions"):
        refuse(dropout=dropout, position_bias=position_bias,
               output_attentions=kwargs.get("output_attentions"))
    n, heads, q_len, dim = query.shape
    step = _step_of(module, n, q_len, key, attention_mask, is_causal)
    k, v, ratio = _caches(step, key, value)
    kind = (ratio, query.dtype, key.dtype, heads, key.shape[1], dim, value.shape[3], query.device)
    run, plan, extra = step.planned.get(kind) or _plan(step, kind, query, k, v, ratio)
    rows = query.squeeze(2) if q_len == 1 else query.transpose(1, 2).reshape(n * q_len, heads, dim)
    values = run_values(module, scaling, sliding_window, softcap, s_aux, dim)
    o, _ = run(plan, rows, (k, v), return_lse=False, **values, **extra)
    return o.view(n, q_len, heads, value.shape[3]), None


def _step_of(module: Any, n: int, q_len: int, key: torch.Tensor, attention_mask: Any,
             is_causal: bool | None) -> Step:
    step = getattr(attention_mask, "weft_step", None)
    if step is not None:
        if step.kv_len > key.shape[2] or step.q_len != q_len or step.batch_size != n:
            raise ValueError(f"key: expected at least {step.kv_len} tokens and {step.q_len} "
                             f"queries as the mask says, got {tuple(key.shape)} and {q_len}")
        return step
    if attention_mask is None:
        causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
        return Step(n, q_len, key.shape[2], "causal" if causal else "none", None)
    if not torch.is_tensor(attention_mask) or attention_mask.dtype != torch.bool \
            or attention_mask.ndim != 4 or attention_mask.shape[1] != 1:
        raise TypeError("attention_mask: expected the one register() makes, or bool [batch, 1, "
                        f"q_len, kv_len], got {getattr(attention_mask, 'dtype', attention_mask)}")
    bits = attention_mask.expand(n, 1, q_len, attention_mask.shape[3])[:, 0]
    return Step(n, q_len, attention_mask.shape[3], "custom", None, bits)
