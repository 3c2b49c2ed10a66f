# SPDX-License-Identifier: Apache-2.0
# Sampling of the de-facto API. Its filters are exact here: nothing is drawn again, and `valid` is
# False only for rows without anything to draw.
"""Tokens from probabilities or logits, renormalised and masked rows."""
from __future__ import annotations

from typing import Any

import torch

import weft
from weft.flashinfer._common import operator

_STEP = 0x9E3779B97F4A7C15 - (1 << 64)  # between the seeds of two rows


def _operator(x: torch.Tensor, kind: str, order: str = "top_k_first") -> weft.Sampling:
    if order not in ("top_k_first", "joint"):
        raise ValueError(f"filter_apply_order: expected top_k_first or joint, got {order!r}")
    return operator(weft.Sampling, weft.SamplingConfig, x.device, vocab_size=x.shape[-1],
                    dtype=x.dtype, input=kind, order=order)


def _each(name: str, value: Any, n: int, like: torch.Tensor, dtype: torch.dtype,
          one_for_all: bool = False) -> torch.Tensor | None:
    """A parameter of each request: a number for all, or a tensor [n]; with `one_for_all` a tensor
    of one element, too, is for all."""
    if value is None:
        return None
    if not torch.is_tensor(value):
        return torch.full((n,), value, dtype=dtype, device=like.device)
    whole = one_for_all and value.numel() == 1
    if not whole and tuple(value.shape) != (n,):
        raise ValueError(f"{name}: expected a number or shape [{n}], the batch size, got "
                         f"{list(value.shape)}")
    value = value.to(like.device, dtype).reshape(-1)
    return value.expand(n).contiguous() if whole else value.contiguous()


def _seeds(n: int, like: torch.Tensor, generator: Any, seed: Any,
           offset: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A seed of each sample: drawn by torch, or the caller's. With one seed and one offset for all
    there is a step from row to row; else a request draws what it would alone."""
    if seed is None:
        return torch.randint(1 << 62, (n,), dtype=torch.int64, device=like.device,
                             generator=generator), None
    start: Any = _each("seed", seed, n, like, torch.int64, True)
    if not any(torch.is_tensor(x) and x.numel() > 1 for x in (seed, offset)):
        start = start + torch.arange(n, device=like.device) * _STEP
    return start, _each("offset", offset, n, like, torch.int64, True)


def draw(x: torch.Tensor, kind: str, *, indices: Any, generator: Any, check_nan: bool, seed: Any,
          offset: Any, return_valid: bool = False, order: str = "top_k_first", top_k: Any = None,
          top_p: Any = None, min_p: Any = None) -> Any:
    if check_nan and bool(torch.isnan(x).any()):
        raise ValueError("Input probs contains NaN.")
    n = x.shape[0] if indices is None else indices.shape[0]
    seeds, offsets = _seeds(n, x, generator, seed, offset)
    rows = None if indices is None else indices.to(torch.int32)
    status = torch.empty(n, dtype=torch.uint8, device=x.device) if return_valid else None
    token = _operator(x, kind, order).run(
        x, seed=seeds, offset=offsets, indices=rows, status=status,
        top_k=_each("top_k", top_k, n, x, torch.int32),
        top_p=_each("top_p", top_p, n, x, torch.float32),
        min_p=_each("min_p", min_p, n, x, torch.float32))
    if indices is not None and indices.dtype != torch.int32:
        token = token.to(indices.dtype)
    return (token, status == 0) if return_valid else token


def softmax(logits, temperature=None, enable_pdl=None):
    """f32 [n, vocab_size]; temperature a number or one of each row."""
    return _operator(logits, "logits").filter(
        logits, temperature=_each("temperature", temperature, logits.shape[0], logits,
                                  torch.float32))


def sampling_from_probs(probs, indices=None, deterministic=True, generator=None, check_nan=False,
                        seed=None, offset=None, return_valid=False):
    """int32 [n]: a token of each row, or of row indices[i]."""
    return draw(probs, "probs", indices=indices, generator=generator, check_nan=check_nan,
                 seed=seed, offset=offset, return_valid=return_valid)


def sampling_from_logits(logits, indices=None, deterministic=True, generator=None, check_nan=False,
                         seed=None, offset=None):
    """sampling_from_probs of softmax(logits)."""
    return draw(logits, "logits", indices=indices, generator=generator, check_nan=check_nan,
                 seed=seed, offset=offset)


def top_p_sampling_from_probs(probs, top_p, indices=None, deterministic=True, generator=None,
                              check_nan=False, seed=None, offset=None, return_valid=False):
    """From the largest probabilities whose sum reaches top_p."""
    return draw(probs, "probs", indices=indices, generator=generator, check_nan=check_nan,
                 seed=seed, offset=offset, return_valid=return_valid, top_p=top_p)


def top_k_sampling_from_probs(probs, top_k, indices=None, deterministic=True, generator=None,
                              check_nan=False, seed=None, offset=None, return_valid=False):
    """From the top_k largest."""
    return draw(probs, "probs", indices=indices, generator=generator, check_nan=check_nan,
                 seed=seed, offset=offset, return_valid=return_valid, top_k=top_k)


def min_p_sampling_from_probs(probs, min_p, indices=None, deterministic=True, generator=None,
                              check_nan=False, seed=None, offset=None, return_valid=False):
    """From those of at least min_p times the largest."""
    return draw(probs, "probs", indices=indices, generator=generator, check_nan=check_nan,
                 seed=seed, offset=offset, return_valid=return_valid, min_p=min_p)


def top_k_top_p_sampling_from_probs(probs, top_k, top_p, indices=None,
                                    filter_apply_order="top_k_first", deterministic=True,
                                    generator=None, check_nan=False, seed=None, offset=None,
                                    return_valid=False):
    """Both; `filter_apply_order` "joint" measures top_p over the whole row."""
    return draw(probs, "probs", indices=indices, generator=generator, check_nan=check_nan,
                 seed=seed, offset=offset, return_valid=return_valid, order=filter_apply_order,
                 top_k=top_k, top_p=top_p)


def top_k_top_p_sampling_from_logits(logits, top_k, top_p, indices=None,
                                     filter_apply_order="top_k_first", deterministic=True,
                                     generator=None, check_nan=False, seed=None, offset=None):
    """The same from logits, in one launch."""
    return draw(logits, "logits", indices=indices, generator=generator, check_nan=check_nan,
                 seed=seed, offset=offset, order=filter_apply_order, top_k=top_k, top_p=top_p)


def top_p_renorm_probs(probs, top_p, is_deterministic=False):
    """probs, 0 where top_p leaves out, and of sum 1 again."""
    return _operator(probs, "probs").filter(
        probs, top_p=_each("top_p", top_p, probs.shape[0], probs, torch.float32))


def top_k_renorm_probs(probs, top_k):
    """probs, 0 beyond the top_k largest, and of sum 1 again."""
    return _operator(probs, "probs").filter(
        probs, top_k=_each("top_k", top_k, probs.shape[0], probs, torch.int32))


def top_k_mask_logits(logits, top_k):
    """logits, -inf beyond the top_k largest."""
    return _operator(logits, "logits").filter(
        logits, masked=torch.empty_like(logits),
        top_k=_each("top_k", top_k, logits.shape[0], logits, torch.int32))


top_p_renorm_prob, top_k_renorm_prob = top_p_renorm_probs, top_k_renorm_probs

def chain_speculative_sampling(draft_probs, draft_token_ids, target_probs,
                               maybe_output_accepted_token_num=None,
                               maybe_output_emitted_draft_token_num=None, deterministic=True,
                               generator=None, seed=None, offset=None):
    """(tokens int32 [n, drafts + 1]: the drafts that stand, one more, then -1; drafts that pass
    their own test; drafts that stand), the counts int32 [n] and added to those that are given.
    draft_probs [n, drafts, vocab_size], draft_token_ids [n, drafts], target_probs
    [n, drafts + 1, vocab_size]."""
    n, drafts, vocab = draft_probs.shape
    made = operator(weft.Verify, weft.VerifyConfig, draft_probs.device, vocab_size=vocab,
                    num_draft=drafts, dtype=draft_probs.dtype)
    seeds, offsets = _seeds(n, draft_probs, generator, seed, offset)
    counts = torch.empty((2, n), dtype=torch.int32, device=draft_probs.device)
    tokens = made.run(target_probs, draft_token_ids.to(torch.int32), draft_probs=draft_probs,
                      seed=seeds, offset=offsets, accepted=counts[0], emitted=counts[1])
    given = (maybe_output_accepted_token_num, maybe_output_emitted_draft_token_num)
    return tokens, *(count if out is None else out.add_(count)
                     for out, count in zip(given, counts))
