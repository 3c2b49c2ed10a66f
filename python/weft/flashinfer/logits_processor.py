# SPDX-License-Identifier: Apache-2.0
# Pipelines of logits processors of the de-facto API. A pipeline is a list of steps by name; what
# stands at its end and draws becomes one launch, what does not becomes a filter each.
"""Pipelines from logits to probabilities and tokens."""
from __future__ import annotations

import enum
from typing import Any

import torch

from weft.flashinfer import sampling
from weft.flashinfer._common import refuse


class TensorType(enum.Enum):
    """What a tensor of a pipeline holds."""

    LOGITS = 0
    PROBS = 1
    INDICES = 2


class TaggedTensor:
    """A tensor with what it holds."""

    def __init__(self, data: torch.Tensor, type: TensorType) -> None:
        self.data, self.type = data, type

    @classmethod
    def logits(cls, data: torch.Tensor) -> "TaggedTensor":
        return cls(data, TensorType.LOGITS)

    @classmethod
    def probs(cls, data: torch.Tensor) -> "TaggedTensor":
        return cls(data, TensorType.PROBS)

    @property
    def shape(self):
        return self.data.shape


class LogitsProcessor:
    """A step. `takes` are the types it may stand behind, `gives` the type behind it (None: the
    same), `needs` its value at run."""

    takes: tuple[TensorType, ...] = (TensorType.LOGITS, TensorType.PROBS)
    gives: TensorType | None = None
    needs: str | None = None

    def __init__(self, **params: Any) -> None:
        self.params = params

    def apply(self, x: torch.Tensor, kind: TensorType, value: Any) -> torch.Tensor:
        """The step alone, outside of a drawing tail."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return type(self).__name__


def _column(value: Any) -> Any:
    return value.reshape(-1, 1) if torch.is_tensor(value) and value.numel() > 1 else value


class Temperature(LogitsProcessor):
    """Logits over `temperature`."""

    takes, needs = (TensorType.LOGITS,), "temperature"

    def apply(self, x, kind, value):
        return x / _column(value)


class Softmax(LogitsProcessor):
    """Logits to probabilities."""

    takes, gives = (TensorType.LOGITS,), TensorType.PROBS

    def __init__(self, enable_pdl: Any = None, **params: Any) -> None:
        super().__init__(**params)

    def apply(self, x, kind, value):
        return sampling.softmax(x)


class TopK(LogitsProcessor):
    """The `top_k` largest; with `joint_topk_topp` a TopP behind it measures the whole row."""

    needs = "top_k"

    def __init__(self, joint_topk_topp: bool = False, **params: Any) -> None:
        super().__init__(**params)
        self.joint = joint_topk_topp

    def apply(self, x, kind, value):
        return (sampling.top_k_mask_logits(x, value) if kind is TensorType.LOGITS
                else sampling.top_k_renorm_probs(x, value))


class TopP(LogitsProcessor):
    """The largest probabilities whose sum reaches `top_p`."""

    takes, needs = (TensorType.PROBS,), "top_p"

    def apply(self, x, kind, value):
        return sampling.top_p_renorm_probs(x, value)


class MinP(LogitsProcessor):
    """Probabilities of at least `min_p` times the largest, and of sum 1 again."""

    takes, needs = (TensorType.PROBS,), "min_p"

    def apply(self, x, kind, value):
        kept = torch.where(x >= x.amax(-1, keepdim=True) * _column(value), x, 0)
        return kept / kept.sum(-1, keepdim=True)


class Sample(LogitsProcessor):
    """Tokens; ends a pipeline. Always deterministic."""

    gives = TensorType.INDICES

    def __init__(self, deterministic: bool = True, **params: Any) -> None:
        super().__init__(**params)


# Filters that may precede Sample in one launch, in the order the launch takes them.
_TAIL = (TopK, TopP)


class LogitsPipe:
    """pipe(logits, temperature=..., top_k=..., top_p=..., min_p=..., indices=..., generator=...,
    seed=..., offset=...): values that its steps need, numbers or one of each row."""

    def __init__(self, processors: list[LogitsProcessor], compile: bool = True,
                 input_type: TensorType | None = None, custom_fusion_rules: Any = None,
                 custom_validity_checks: Any = None) -> None:
        refuse(custom_fusion_rules=custom_fusion_rules or None,
               custom_validity_checks=custom_validity_checks or None)
        if not processors:
            raise ValueError("processors: expected at least one, got none")
        self.processors = list(processors)
        first = self.processors[0]
        if input_type is None and len(first.takes) > 1:
            raise ValueError(f"input_type: expected one, as {first} takes logits and probabilities")
        self.initial_type = input_type or first.takes[0]
        self._kinds = self._check()
        self.compile()

    def _check(self) -> list[TensorType]:
        """What each step takes; ValueError where one may not stand behind the other."""
        kind, kinds = self.initial_type, []
        for step in self.processors:
            if not isinstance(step, LogitsProcessor):
                raise TypeError(f"processors: expected LogitsProcessors, got {step!r}")
            if kind not in step.takes:
                raise ValueError(f"processors: expected {step} behind "
                                 f"{' or '.join(t.name for t in step.takes)}, got {kind.name}")
            kinds.append(kind)
            kind = step.gives or kind
        return kinds

    def compile(self) -> None:
        """Finds the steps that one launch can take: Sample with the TopK and TopP before it."""
        self._split = len(self.processors)
        if not isinstance(self.processors[-1], Sample):
            return
        self._split -= 1
        for kind in reversed(_TAIL):
            if self._split and type(self.processors[self._split - 1]) is kind \
                    and self._kinds[self._split - 1] is TensorType.PROBS:
                self._split -= 1

    def __call__(self, x: Any, **values: Any) -> Any:
        tagged = isinstance(x, TaggedTensor)
        if tagged and x.type is not self.initial_type:
            raise ValueError(f"x: expected {self.initial_type.name}, got {x.type.name}")
        x = x.data if tagged else x
        for step in self.processors:
            if step.needs and values.get(step.needs) is None:
                raise ValueError(f"{step.needs}: expected a value for {step}, got none")
        self._check_joint(values)
        for step, kind in zip(self.processors[:self._split], self._kinds):
            x = step.apply(x, kind, values.get(step.needs or ""))
        tail = self.processors[self._split:]
        if tail:
            x = self._draw(x, tail, values)
        return TaggedTensor(x, self._end()) if tagged else x

    def _end(self) -> TensorType:
        return self.processors[-1].gives or self._kinds[-1]

    def _check_joint(self, values: dict[str, Any]) -> None:
        joint = [i for i, step in enumerate(self.processors) if getattr(step, "joint", False)]
        if joint and joint[0] < self._split:
            raise NotImplementedError("weft.flashinfer: joint_topk_topp is supported where TopK, "
                                      "TopP and Sample end the pipe, on probabilities")

    def _draw(self, x: torch.Tensor, tail: list[LogitsProcessor], values: dict[str, Any]) -> Any:
        kind = "logits" if self._kinds[self._split] is TensorType.LOGITS else "probs"
        joint = any(getattr(step, "joint", False) for step in tail)
        filters = {step.needs: values[step.needs] for step in tail if step.needs}
        return sampling.draw(
            x, kind, indices=values.get("indices"), generator=values.get("generator"),
            check_nan=False, seed=values.get("seed"), offset=values.get("offset"),
            order="joint" if joint else "top_k_first", **filters)

    def __repr__(self) -> str:
        return f"LogitsPipe([{' -> '.join(map(repr, self.processors))}])"
