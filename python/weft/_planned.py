# SPDX-License-Identifier: Apache-2.0
# A plan for callers who name no limits: adapters get an Attention whose limits fit the batch, in
# few steps, kept by config, and a plan in memory of torch. Called by weft.flashinfer and
# integrations.
from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

import weft

PREFILL_ROWS = 1 << 20  # query tokens of a batch whose count only the device knows


def device_word(device: torch.device) -> str:
    return "cpu" if device.type == "cpu" else f"cuda:{device.index or 0}"


@lru_cache(maxsize=256)
def _attention(device: str, config: weft.AttentionConfig) -> weft.Attention:
    return weft.Attention(config, device)


def limits(batch_size: int, nnz_qo: int | None) -> tuple[int, int]:
    """max_batch_size and max_nnz_qo, in few steps: a kernel is made for each pair. Their ratio says
    whether tiles are those of decode."""
    most = 16
    while most < batch_size:
        most *= 4
    if nnz_qo is not None:
        mean, ratio = -(-nnz_qo // max(1, batch_size)), 1
        while ratio < mean:
            ratio *= 2
        if ratio <= 8 and nnz_qo <= most * ratio:
            return most, most * ratio
    rows = max(PREFILL_ROWS, most * 64)
    while nnz_qo is not None and rows < nnz_qo:
        rows *= 4
    return most, rows


def fixed_indptr(counts: int, step: int, device: torch.device) -> torch.Tensor:
    """0, step, 2 step, ... as int32 [counts + 1], made on the device."""
    if step == 0:
        return torch.zeros(counts + 1, dtype=torch.int32, device=device)
    return torch.arange(0, counts * step + 1, step, dtype=torch.int32, device=device)


def indptr_of(counts: torch.Tensor, dtype: torch.dtype = torch.int32) -> torch.Tensor:
    """0 and the sums of counts [n] so far: [n + 1], made where they lie."""
    indptr = torch.zeros(counts.shape[0] + 1, dtype=dtype, device=counts.device)
    torch.cumsum(counts, 0, dtype=dtype, out=indptr[1:])
    return indptr


class PlanHolder:
    """A weft plan in memory of torch, remade by each `plan` at the same addresses in graph mode."""

    def __init__(self, device: torch.device, graph: bool = False) -> None:
        self.device = torch.device(device)
        if self.device.type == "cuda" and self.device.index is None:
            self.device = torch.device("cuda", torch.cuda.current_device())
        self.graph = graph
        self._made: Any = None  # the Attention of the last plan
        self._plan: Any = None
        self._wanted: Any = None  # limits and config of the last plan: a step mostly asks again

    def _operator(self, batch_size: int, nnz_qo: int | None, config: dict) -> weft.Attention:
        most, rows = limits(batch_size, nnz_qo)
        wanted = weft.AttentionConfig(max_batch_size=most, max_nnz_qo=rows, **config)
        if not self.graph or self._made is None:
            return _attention(device_word(self.device), wanted)
        held = self._made.config
        same = weft.AttentionConfig(max_batch_size=held.max_batch_size,
                                    max_nnz_qo=held.max_nnz_qo, **config)
        if same != held or batch_size > held.max_batch_size or (nnz_qo or 0) > held.max_nnz_qo:
            raise ValueError(
                "plan: in CUDA graph mode expected the configuration of the first plan and at most "
                f"{held.max_nnz_qo} query tokens, got {nnz_qo} and {wanted}")
        return self._made

    def plan(self, nnz_qo: int | None, batch: weft.AttentionBatch, **config: Any) -> None:
        batch_size = batch.qo_indptr.shape[0] - 1
        wanted = (*limits(batch_size, nnz_qo), *config.items())
        if wanted != self._wanted:
            made = self._operator(batch_size, nnz_qo, config)
            if made is not self._made:
                memory = torch.empty(made.workspace_bytes, dtype=torch.uint8, device=self.device)
                self._plan = made.create_plan(memory)
                self._made = made
            self._wanted = wanted
        made = self._made
        made.plan(batch, self._plan)
        self.q_dtype = made.config.dtype_q

    def replan(self, batch: weft.AttentionBatch) -> None:
        """Another batch of the last plan's configuration and limits."""
        self._made.plan(batch, self._plan)

    @property
    def attention(self) -> weft.Attention:
        """The operator of the last plan."""
        return self._made

    @property
    def current(self) -> weft.AttentionPlan:
        return self._plan

    @property
    def workspace_bytes(self) -> int:
        return self._made.workspace_bytes if self._made else 0
