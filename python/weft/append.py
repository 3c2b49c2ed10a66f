# SPDX-License-Identifier: Apache-2.0
# append in Python, with the words of include/weft/append.h. Contracts: docs/semantics.md.
"""New keys and values into the pages of a cache, rotated and quantised on the way."""
from __future__ import annotations

import ctypes
from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _library, _struct, _tensors
from weft._call import Call, executor
from weft._operator import Operator
from weft.rope import RopeForm

_CONFIG = _struct.declare("weft_append_config", """
    dtype:dtype dtype_kv:dtype num_kv_heads:i32 num_qo_heads:i32 head_dim_qk:i32 head_dim_vo:i32
    page_size:i32 kv_layout:kv_layout checked:bool rope:pointer qk_norm:bool norm_eps:f32
    norm_weight_offset:f32 dtype_q_out:dtype""")
_ARGS = _struct.declare("weft_append_args", """
    reserved:u32 k_scale:f32 v_scale:f32 k:tensor v:tensor batch_indices:tensor positions:tensor
    kv_indptr:tensor kv_indices:tensor k_cache:tensor v_cache:tensor k_scales:tensor
    v_scales:tensor q:tensor q_out:tensor rope_positions:tensor cos_sin_cache:tensor
    k_weight:tensor q_weight:tensor q_scale:f32 reserved_1:u32""")

RUN = Call("weft_append_run", _ARGS, """
    k v batch_indices positions kv_indptr kv_indices k_cache+v_cache k_scale v_scale k_scales
    v_scales q q_out rope_positions cos_sin_cache k_weight q_weight q_scale""")


@dataclass(frozen=True, repr=False)
class AppendConfig(_struct.Config):
    """``dtype`` of k, v and q; ``dtype_kv`` of the cache ("none": the same, else "e4m3", "e5m2",
    ...). ``num_qo_heads`` > 0 only when q is rotated, normalised or quantised in the same call.
    ``checked``: every index is read before anything is written. ``qk_norm``: heads of k, and of q,
    are RMS-normalised before they are rotated (``norm_eps``; ``norm_weight_offset`` is added to
    their weights); ``dtype_q_out`` of q_out: "none" (dtype), "e4m3", "e5m2"."""

    _struct = _CONFIG
    _: KW_ONLY
    num_kv_heads: int
    head_dim_qk: int
    page_size: int
    dtype: Any = "bf16"
    dtype_kv: Any = "none"
    num_qo_heads: int = 0
    head_dim_vo: int = 0
    kv_layout: str = "nhd"
    rope: RopeForm | None = None
    checked: bool = True
    qk_norm: bool = False
    norm_eps: float = 1e-6
    norm_weight_offset: float = 0.0
    dtype_q_out: Any = "none"


class Append(Operator):
    """Writes tokens into pages.

    >>> import numpy as np
    >>> append = Append(AppendConfig(dtype="f32", num_kv_heads=1, head_dim_qk=8, page_size=2))
    >>> cache = np.zeros((3, 2, 2, 1, 8), np.float32)  # K and V joined: [pages, 2, ...]
    >>> ids, positions = batch_indices_positions([0, 1], [3])
    >>> token = np.ones((1, 1, 8), np.float32)
    >>> append.run(token, token, cache, batch_indices=ids, positions=positions,
    ...            kv_indptr=[0, 2], kv_indices=[1, 2])
    >>> np.argwhere(cache[:, 0, :, 0, 0]).tolist()  # request 0, position 2: page 2, row 0
    [[2, 0]]
    """

    _name = "append"
    config: AppendConfig

    def run(self, k: Any, v: Any, cache: Any, *, batch_indices: Any, positions: Any,
            kv_indptr: Any, kv_indices: Any, k_scale: float = 1.0, v_scale: float = 1.0,
            k_scales: Any = None, v_scales: Any = None, q: Any = None, q_out: Any = None,
            rope_positions: Any = None, cos_sin_cache: Any = None, k_weight: Any = None,
            q_weight: Any = None, q_scale: float = 1.0, stream: int | None = None) -> Any:
        """Writes ``k`` [nnz, num_kv_heads, head_dim_qk] and ``v`` [nnz, num_kv_heads, head_dim_vo]
        into ``cache``: a pair (k_cache, v_cache), or one tensor [num_pages, 2, ...].

        ``batch_indices``, ``positions`` int32 [nnz]: token t is at positions[t] of request
        batch_indices[t]. ``kv_indptr`` int32 [batch_size + 1] in pages, ``kv_indices`` int32 page
        ids. The cache stores k / k_scale. With ``q`` [nnz, num_qo_heads, head_dim_qk] returns its
        ``q_out`` (made when not given; may be q), which holds q / q_scale, else None.
        ``k_weight``, ``q_weight`` [head_dim_qk] with ``qk_norm``.
        """
        k_cache, v_cache = cache if isinstance(cache, (tuple, list)) else (cache, None)
        if q is not None and q_out is None:
            c = self.config
            dtype = c.dtype if c.dtype_q_out == "none" else c.dtype_q_out
            q_out = _tensors.framework_of("q", q).empty(q, tuple(q.shape), dtype)
        arrays = [_tensors.indices(name, value) for name, value in (
            ("batch_indices", batch_indices), ("positions", positions), ("kv_indptr", kv_indptr),
            ("kv_indices", kv_indices))]
        RUN.call(self, None, (k, v, *arrays, k_cache, v_cache, k_scale, v_scale, k_scales,
                              v_scales, q, q_out, rope_positions, cos_sin_cache, k_weight,
                              q_weight, q_scale),
                 ("k_cache", "v_cache", "q_out"), stream)
        return q_out

    def check(self, stream: int = 0) -> None:
        """Waits for a GPU's stream; ValueError naming the first element that a run found wrong."""
        _library.check(_library.library().weft_append_check(
            ctypes.c_void_p(self._handle), executor(stream)))


def batch_indices_positions(append_indptr: Any, kv_lens: Any) -> tuple[Any, Any]:
    """Batch index and position of each new token, on the CPU: ``append_indptr`` int32
    [batch_size + 1] counts new tokens, ``kv_lens`` int32 [batch_size] counts them in.

    >>> [a.tolist() for a in batch_indices_positions([0, 2, 3], [5, 1])]
    [[0, 0, 1], [3, 4, 0]]
    """
    import numpy
    indptr = numpy.ascontiguousarray(append_indptr, numpy.int32)
    lens = numpy.ascontiguousarray(kv_lens, numpy.int32)
    nnz = int(indptr[-1]) if indptr.size else 0
    outputs = numpy.empty(max(nnz, 0), numpy.int32), numpy.empty(max(nnz, 0), numpy.int32)
    pointers = [_tensors.numpy_pointer(name, array) for name, array in (
        ("append_indptr", indptr), ("kv_lens", lens), ("batch_indices", outputs[0]),
        ("positions", outputs[1]))]
    _library.check(_library.library().weft_batch_indices_positions(*pointers))
    return outputs
