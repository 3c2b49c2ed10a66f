# SPDX-License-Identifier: Apache-2.0
# logprobs in Python, with the words of include/weft/logprobs.h. Contracts: docs/semantics.md.
"""Log-probabilities of the most likely tokens, and of a given one."""
from __future__ import annotations

import ctypes
from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _library, _struct
from weft._call import Call, executor
from weft._operator import Operator
from weft._tensors import framework_of

_CONFIG = _struct.declare("weft_logprobs_config", """
    dtype:dtype vocab_size:i32 num:i32 checked:bool""")
_ARGS = _struct.declare("weft_logprobs_args", """
    reserved:u32 input:tensor indices:tensor temperature:tensor repetition_penalty:tensor
    frequency_penalty:tensor presence_penalty:tensor prompt_mask:tensor output_counts:tensor
    bias:tensor allowed:tensor token:tensor top_tokens:tensor top_logprobs:tensor
    token_logprob:tensor status:tensor""")

RUN = Call("weft_logprobs_run", _ARGS, """
    input indices temperature repetition_penalty frequency_penalty presence_penalty prompt_mask
    output_counts bias allowed token top_tokens top_logprobs token_logprob status""")


@dataclass(frozen=True, repr=False)
class LogprobsConfig(_struct.Config):
    """``num``: tokens reported of each row, 1 to 128. ``checked``: a wrong parameter of a row is an
    error, not only a status."""

    _struct = _CONFIG
    _: KW_ONLY
    vocab_size: int
    num: int
    dtype: Any = "f32"
    checked: bool = True


class Logprobs(Operator):
    """Of the whole row, after penalties, bias, mask and temperature; the same bits on every device.

    >>> import numpy as np
    >>> logprobs = Logprobs(LogprobsConfig(vocab_size=4, num=2))
    >>> tokens, values, own = logprobs.run(np.array([[0.0, 3.0, 1.0, 2.0]], np.float32),
    ...                                    token=np.array([2], np.int32))
    >>> tokens.tolist(), round(float(values[0, 0]), 2), round(float(own[0]), 2)
    ([[1, 3]], -0.44, -2.44)
    """

    _name = "logprobs"
    config: LogprobsConfig

    def run(self, input: Any, *, indices: Any = None, temperature: Any = None,
            repetition_penalty: Any = None, frequency_penalty: Any = None,
            presence_penalty: Any = None, prompt_mask: Any = None, output_counts: Any = None,
            bias: Any = None, allowed: Any = None, token: Any = None, top_tokens: Any = None,
            top_logprobs: Any = None, token_logprob: Any = None, status: Any = None,
            stream: int | None = None) -> tuple[Any, Any, Any]:
        """Returns ``(top_tokens int32 [n, num], top_logprobs f32 [n, num], token_logprob f32
        [n])``, made when not given; the last is None without ``token`` int32 [n].

        ``input`` [rows, vocab_size] logits; the parameters as in :meth:`weft.Sampling.run`.
        Behind the last token that is left stand -1 and -inf. ``status`` uint8 [n] is written when
        given.
        """
        framework, num = framework_of("input", input), self.config.num
        n = input.shape[0] if indices is None else indices.shape[0]
        if top_tokens is None:
            top_tokens = framework.empty(input, (n, num), "i32")
        if top_logprobs is None:
            top_logprobs = framework.empty(input, (n, num), "f32")
        if token_logprob is None and token is not None:
            token_logprob = framework.empty(input, (n,), "f32")
        RUN.call(self, None, (input, indices, temperature, repetition_penalty, frequency_penalty,
                              presence_penalty, prompt_mask, output_counts, bias, allowed, token,
                              top_tokens, top_logprobs, token_logprob, status),
                 ("top_tokens", "top_logprobs", "token_logprob", "status"), stream)
        return top_tokens, top_logprobs, token_logprob

    def check(self, stream: int = 0) -> None:
        """Waits for a GPU's stream; ValueError naming the first parameter found wrong."""
        _library.check(_library.library().weft_logprobs_check(
            ctypes.c_void_p(self._handle), executor(stream)))
