# SPDX-License-Identifier: Apache-2.0
# verify in Python, with the words of include/weft/verify.h. Contracts: docs/semantics.md.
"""Which tokens of a draft model stand, and the token behind them."""
from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _struct
from weft._call import Call
from weft._operator import Operator
from weft._tensors import framework_of

_CONFIG = _struct.declare("weft_verify_config", """
    dtype:dtype vocab_size:i32 num_draft:i32 tree:bool""")
_ARGS = _struct.declare("weft_verify_args", """
    reserved:u32 draft_probs:tensor target_probs:tensor draft_tokens:tensor first_child:tensor
    next_sibling:tensor seed:tensor offset:tensor tokens:tensor accepted:tensor emitted:tensor
    status:tensor""")

RUN = Call("weft_verify_run", _ARGS, """
    draft_probs target_probs draft_tokens first_child next_sibling seed offset tokens accepted
    emitted status""")


@dataclass(frozen=True, repr=False)
class VerifyConfig(_struct.Config):
    """``num_draft`` tokens are proposed to each request: a chain with the draft model's
    probabilities, or a ``tree`` of proposals without."""

    _struct = _CONFIG
    _: KW_ONLY
    vocab_size: int
    num_draft: int
    dtype: Any = "f32"
    tree: bool = False


class Verify(Operator):
    """Speculative verification; the text is distributed as the target model's own.

    >>> import numpy as np
    >>> verify = Verify(VerifyConfig(vocab_size=3, num_draft=1))
    >>> draft = np.array([[[1.0, 0.0, 0.0]]], np.float32)
    >>> target = np.array([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]], np.float32)
    >>> tokens = verify.run(target, np.array([[0]], np.int32), draft_probs=draft,
    ...                     seed=np.array([7]))
    >>> tokens.tolist()  # the draft stands, and one more
    [[0, 2]]
    """

    _name = "verify"
    config: VerifyConfig

    def run(self, target_probs: Any, draft_tokens: Any, *, seed: Any, draft_probs: Any = None,
            first_child: Any = None, next_sibling: Any = None, offset: Any = None,
            tokens: Any = None, accepted: Any = None, emitted: Any = None, status: Any = None,
            stream: int | None = None) -> Any:
        """Returns ``tokens`` int32 [n, num_draft + 1], made when not given: the drafts that stand,
        one more token, then -1. ``accepted`` and ``emitted`` int32 [n] (drafts that pass their own
        test; drafts that stand) and ``status`` uint8 [n] are written when given.

        ``target_probs`` [n, num_draft + 1, vocab_size], ``draft_tokens`` int32 [n, num_draft],
        ``seed``, ``offset`` int64 [n]. A chain: ``draft_probs`` [n, num_draft, vocab_size]. A tree,
        whose node 0 is the last token known and node j + 1 draft j: ``first_child``,
        ``next_sibling`` int32 [n, num_draft + 1], below 1 for none.
        """
        if tokens is None:
            tokens = framework_of("target_probs", target_probs).empty(
                target_probs, (target_probs.shape[0], self.config.num_draft + 1), "i32")
        RUN.call(self, None, (draft_probs, target_probs, draft_tokens, first_child, next_sibling,
                              seed, offset, tokens, accepted, emitted, status),
                 ("tokens", "accepted", "emitted", "status"), stream)
        return tokens
