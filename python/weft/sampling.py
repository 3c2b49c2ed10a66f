# SPDX-License-Identifier: Apache-2.0
# sampling in Python, with the words of include/weft/sampling.h. Contracts: docs/semantics.md.
"""From logits or probabilities to tokens, filtered distributions and log-probabilities."""
from __future__ import annotations

import ctypes
from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _library, _struct
from weft._call import Call, executor
from weft._operator import Operator
from weft._tensors import framework_of

_CONFIG = _struct.declare("weft_sampling_config", """
    dtype:dtype vocab_size:i32 input:sampling_input order:filter_order checked:bool""")
_ARGS = _struct.declare("weft_sampling_args", """
    reserved:u32 input:tensor indices:tensor seed:tensor offset:tensor temperature:tensor
    top_k:tensor top_p:tensor min_p:tensor repetition_penalty:tensor frequency_penalty:tensor
    presence_penalty:tensor prompt_mask:tensor output_counts:tensor bias:tensor allowed:tensor
    token:tensor logprob:tensor status:tensor""")
_FILTER_ARGS = _struct.declare("weft_filter_args", """
    reserved:u32 input:tensor temperature:tensor top_k:tensor top_p:tensor min_p:tensor
    probs:tensor masked:tensor status:tensor""")

RUN = Call("weft_sampling_run", _ARGS, """
    input indices seed offset temperature top_k top_p min_p repetition_penalty frequency_penalty
    presence_penalty prompt_mask output_counts bias allowed token logprob status""")
FILTER = Call("weft_sampling_filter", _FILTER_ARGS,
              "input temperature top_k top_p min_p probs masked status")


@dataclass(frozen=True, repr=False)
class SamplingConfig(_struct.Config):
    """``input``: rows hold "logits" or "probs". ``order``: top-p counts the mass of what top-k left
    ("top_k_first") or of the whole row ("joint"). ``checked``: a wrong parameter of a row is an
    error, not only a status."""

    _struct = _CONFIG
    _: KW_ONLY
    vocab_size: int
    dtype: Any = "f32"
    input: str = "logits"
    order: str = "top_k_first"
    checked: bool = True


class Sampling(Operator):
    """Draws tokens; a row's token depends on its own logits, parameters, seed and offset alone.

    >>> import numpy as np
    >>> sampling = Sampling(SamplingConfig(vocab_size=4))
    >>> logits = np.array([[0.0, 3.0, 1.0, 2.0]], np.float32)
    >>> seed, greedy = np.array([7]), np.zeros(1, np.float32)
    >>> sampling.run(logits, seed=seed, temperature=greedy).tolist()
    [1]
    >>> kept = sampling.filter(logits, top_k=np.array([2], np.int32))
    >>> kept.round(3).tolist()[0][0], round(float(kept[0, 1]), 3)
    (0.0, 0.731)
    """

    _name = "sampling"
    config: SamplingConfig

    def run(self, input: Any, *, seed: Any, indices: Any = None, offset: Any = None,
            temperature: Any = None, top_k: Any = None, top_p: Any = None, min_p: Any = None,
            repetition_penalty: Any = None, frequency_penalty: Any = None,
            presence_penalty: Any = None, prompt_mask: Any = None, output_counts: Any = None,
            bias: Any = None, allowed: Any = None, token: Any = None, logprob: Any = None,
            status: Any = None, stream: int | None = None) -> Any:
        """Returns ``token`` int32 [n], made when not given; ``logprob`` f32 [n] and ``status``
        uint8 [n] are written when given.

        ``input`` [rows, vocab_size]; ``indices`` int32 [n]: the row of each sample (else n = rows).
        Of each sample: ``seed``, ``offset`` int64; ``temperature`` (0 takes the largest),
        ``top_p``, ``min_p`` and the penalties f32; ``top_k`` int32. Of each row: ``prompt_mask``
        and ``allowed`` int32 bits [rows, ceil(vocab_size / 32)], ``output_counts`` int32 and
        ``bias`` f32 [rows, vocab_size].
        """
        if token is None:
            n = input.shape[0] if indices is None else indices.shape[0]
            token = framework_of("input", input).empty(input, (n,), "i32")
        RUN.call(self, None, (input, indices, seed, offset, temperature, top_k, top_p, min_p,
                              repetition_penalty, frequency_penalty, presence_penalty, prompt_mask,
                              output_counts, bias, allowed, token, logprob, status),
                 ("token", "logprob", "status"), stream)
        return token

    def filter(self, input: Any, *, temperature: Any = None, top_k: Any = None, top_p: Any = None,
               min_p: Any = None, probs: Any = None, masked: Any = None, status: Any = None,
               stream: int | None = None) -> Any:
        """The distribution a sample would be drawn from: returns ``probs`` [n, vocab_size] (f32
        when made here), or ``masked`` when that is given: the input, -inf where left out."""
        if probs is None and masked is None:
            probs = framework_of("input", input).empty(input, tuple(input.shape), "f32")
        FILTER.call(self, None, (input, temperature, top_k, top_p, min_p, probs, masked, status),
                    ("probs", "masked", "status"), stream)
        return masked if probs is None else probs

    def check(self, stream: int = 0) -> None:
        """Waits for a GPU's stream; ValueError naming the first parameter found wrong."""
        _library.check(_library.library().weft_sampling_check(
            ctypes.c_void_p(self._handle), executor(stream)))
