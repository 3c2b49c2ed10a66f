# SPDX-License-Identifier: Apache-2.0
# attention in Python: the config, the batch, the plan and the operator, with the words of
# include/weft/attention.h. Contracts: docs/semantics.md.
"""softmax(q k^T * sm_scale) v over paged or ragged KV."""
from __future__ import annotations

import ctypes
import json
from dataclasses import KW_ONLY, dataclass
from typing import Any

from weft import _compile, _library, _struct, _tensors
from weft._call import Call
from weft._operator import Operator
from weft.rope import RopeForm

_CONFIG = _struct.declare("weft_attention_config", """
    dtype_q:dtype dtype_kv:dtype dtype_o:dtype num_qo_heads:i32 num_kv_heads:i32 head_dim_qk:i32
    head_dim_vo:i32 page_size:i32 kv_layout:kv_layout mask:mask schedule:schedule split_kv:i32
    window_left:i32 checked:bool max_batch_size:i32 max_nnz_qo:i32 reserved:u32 rope:pointer""")
_BATCH = _struct.declare("weft_attention_batch", """
    reserved:u32 qo_indptr:tensor kv_indptr:tensor kv_indices:tensor last_page_len:tensor""")
_ARGS = _struct.declare("weft_attention_args", """
    window_left:i32 logits_soft_cap:f32 k_scale:f32 v_scale:f32 lse_base2:bool sm_scale:f32_pointer
    q:tensor k:tensor v:tensor o:tensor lse:tensor k_scales:tensor v_scales:tensor sink:tensor
    alibi_slopes:tensor custom_mask:tensor mask_indptr:tensor""")
_INFO = _struct.declare("weft_attention_plan_info", """
    batch_size:i32 num_items:i32 num_merges:i32 num_workers:i32 reserved:u32 balance:f64""")

PLAN = Call("weft_attention_plan", _BATCH, "qo_indptr kv_indptr kv_indices last_page_len",
            "args_plan")
RUN = Call("weft_attention_run", _ARGS, """
    q k+v o lse sm_scale logits_soft_cap window_left k_scale v_scale k_scales v_scales sink
    alibi_slopes custom_mask mask_indptr lse_base2""", "plan_args")


@dataclass(frozen=True, repr=False)
class AttentionConfig(_struct.Config):
    """What the model and the engine's limits fix.

    ``dtype_*``: "f32", "f16", "bf16" and for KV "e4m3", "e5m2" (or a framework's dtype);
    ``dtype_o`` "none" is that of q. ``page_size`` 0 is ragged KV. ``mask``: "none", "causal",
    "custom" or "tree". ``max_batch_size`` and ``max_nnz_qo`` (query tokens of one batch) size the
    buffers once.

    >>> AttentionConfig(num_qo_heads=32, num_kv_heads=8, head_dim_qk=128, page_size=16,
    ...                 max_batch_size=256, max_nnz_qo=8192)
    AttentionConfig(num_qo_heads=32, num_kv_heads=8, head_dim_qk=128, max_batch_size=256, \
max_nnz_qo=8192, page_size=16)
    """

    _struct = _CONFIG
    _: KW_ONLY
    num_qo_heads: int
    num_kv_heads: int
    head_dim_qk: int
    max_batch_size: int
    max_nnz_qo: int
    dtype_q: Any = "bf16"
    dtype_kv: Any = "bf16"
    dtype_o: Any = "none"
    head_dim_vo: int = 0
    page_size: int = 0
    kv_layout: str = "nhd"
    mask: str = "causal"
    rope: RopeForm | None = None
    schedule: str = "deterministic"
    split_kv: int = 0
    window_left: int = -1
    checked: bool = False


@dataclass(frozen=True)
class AttentionBatch:
    """What one engine step brings: int32 tensors on the operator's device, or sequences of integers
    on the CPU. The arrays are read by ``plan`` and by each ``run``: leave them unchanged until the
    last one; the plan keeps them alive.

    ``qo_indptr`` [batch_size + 1]; ``kv_indptr`` [batch_size + 1], in tokens (ragged) or pages;
    ``kv_indices`` [kv_indptr[-1]] page ids and ``last_page_len`` [batch_size] with pages only.
    """

    qo_indptr: Any
    kv_indptr: Any
    kv_indices: Any = None
    last_page_len: Any = None


class AttentionPlan:
    """The schedule of one batch: fixed capacity, fixed addresses, rewritten by each ``plan``. One
    run of a plan at a time. Made by :meth:`Attention.create_plan` or :meth:`Attention.plan`."""

    def __init__(self, attention: "Attention", workspace: Any = None) -> None:
        made = ctypes.c_void_p()
        given = None
        if workspace is not None:
            given = _workspace_pointer(workspace)
        lib = _library.library()
        _library.check(lib.weft_attention_create_plan(
            ctypes.c_void_p(attention._handle), given, ctypes.byref(made)))
        self.attention = attention
        self.batch: AttentionBatch | None = None
        self._workspace = workspace
        self._handle: int = made.value or 0
        self._owned = made
        self._token = _compile.number(self)
        self._destroy = lib.weft_attention_plan_destroy

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._destroy(self._owned)

    def _info(self) -> ctypes.Structure:
        info = _struct.initialised(_INFO)
        _library.check(_library.library().weft_attention_plan_get_info(
            ctypes.c_void_p(self._handle), ctypes.byref(info)))
        return info

    # What a plan says of itself is read back from a GPU, and so waits for it.

    @property
    def batch_size(self) -> int:
        return self._info().batch_size

    @property
    def num_workers(self) -> int:
        return self._info().num_workers

    @property
    def num_items(self) -> int:
        """Work items."""
        return self._info().num_items

    @property
    def num_merges(self) -> int:
        """Tiles whose KV range was split."""
        return self._info().num_merges

    @property
    def balance(self) -> float:
        """Load of the busiest worker over the mean load; 1 is perfect."""
        return self._info().balance

    def explain(self) -> str:
        """Which kernel and why, how the work is spread, the lists drawn in text."""
        return _library.text("weft_attention_plan_explain", ctypes.c_void_p(self._handle))

    def to_dict(self) -> dict:
        """The same as data: workers, items, merges."""
        return json.loads(
            _library.text("weft_attention_plan_explain_json", ctypes.c_void_p(self._handle)))

    @property
    def status(self) -> str:
        """What a GPU found wrong with the batch; "" when nothing is."""
        return _library.text("weft_attention_plan_status", ctypes.c_void_p(self._handle))

    def __repr__(self) -> str:
        if self.batch is None:
            return f"AttentionPlan(empty, on {self.attention.device})"
        if self.attention.device != "cpu":
            return f"AttentionPlan(on {self.attention.device}; explain() reads it back)"
        info = self._info()
        return (f"AttentionPlan({info.batch_size} requests, {info.num_items} items on "
                f"{info.num_workers} workers, {info.num_merges} merges, "
                f"balance {info.balance:.3f})")


def _workspace_pointer(workspace: Any) -> Any:
    name = "workspace"
    framework = _tensors.framework_of(name, workspace)
    if isinstance(framework, _tensors.NumPy):
        return _tensors.numpy_pointer(name, workspace, output=True)
    return _tensors.device_pointer(name, workspace)


def _no_plan(plan: Any) -> TypeError:
    return TypeError(f"plan: expected an AttentionPlan, got {type(plan).__name__}")


class Attention(Operator):
    """A config made ready for a device: "cpu" (default), "cuda", "cuda:1", a :class:`weft.Target`
    or a :class:`weft.CudaBackend`. Selects and prepares kernels.

    >>> config = AttentionConfig(dtype_q="f32", dtype_kv="f32", num_qo_heads=2, num_kv_heads=1,
    ...                          head_dim_qk=32, page_size=4, max_batch_size=4, max_nnz_qo=16)
    >>> attn = Attention(config)
    >>> plan = attn.plan(AttentionBatch([0, 1, 3], [0, 2, 3], kv_indices=[5, 0, 2],
    ...                                 last_page_len=[1, 4]))
    >>> plan.batch_size
    2
    >>> import numpy as np
    >>> kv = np.ones((6, 2, 4, 1, 32), np.float32)  # K and V joined: [pages, 2, ...]
    >>> o, lse = attn.run(plan, np.ones((3, 2, 32), np.float32), kv)
    >>> o.shape
    (3, 2, 32)
    """

    _name = "attention"
    config: AttentionConfig

    def __init__(self, config: AttentionConfig, device: Any = None) -> None:
        super().__init__(config, device)
        o = config.dtype_q if config.dtype_o == "none" else config.dtype_o
        self._o_dtype: str = o
        self._heads: int = config.num_qo_heads
        self._head_dim_vo: int = config.head_dim_vo or config.head_dim_qk
        self._token = _compile.number(self)
        self._run, self._run_at = RUN.bound()
        self._plan_at = PLAN.bound()[1]

    @property
    def workspace_bytes(self) -> int:
        """Bytes of plan and partial results of any batch within the limits."""
        size = ctypes.c_size_t()
        _library.check(_library.library().weft_attention_workspace_bytes(
            ctypes.c_void_p(self._handle), ctypes.byref(size)))
        return size.value

    def create_plan(self, workspace: Any = None) -> AttentionPlan:
        """An empty plan, over memory of its own or ``workspace`` (uint8 [workspace_bytes], 64-byte
        aligned, on the operator's device)."""
        return AttentionPlan(self, workspace)

    def plan(self, batch: AttentionBatch, plan: AttentionPlan | None = None, *,
             stream: int | None = None) -> AttentionPlan:
        """Schedules a batch into ``plan`` (a new one when not given) and returns it. Nothing is
        compiled or copied; on a GPU one kernel is enqueued, and nothing waits."""
        if plan is None:
            plan = AttentionPlan(self)
        elif not isinstance(plan, AttentionPlan):
            raise _no_plan(plan)
        elif plan.attention is not self:
            raise ValueError(f"plan: expected one made by this Attention, got {plan!r}")
        if not isinstance(batch, AttentionBatch):
            raise TypeError(f"batch: expected an AttentionBatch, got {type(batch).__name__}")
        arrays = (batch.qo_indptr, batch.kv_indptr, batch.kv_indices, batch.last_page_len)
        call = _tensors.direct_call
        status = -1 if call is None else call(self._plan_at, stream, self._handle, plan._handle,
                                              *arrays)
        if status > 0:
            _library.raise_status(status)
        if status < 0:
            crossed = [_tensors.indices(name, array) for name, array in zip(PLAN.names, arrays)]
            PLAN.slow(stream, self._handle, plan._handle, crossed)
            batch = AttentionBatch(*crossed)
        plan.batch = batch
        return plan

    def run(self, plan: AttentionPlan, q: Any, kv: Any, *, out: Any = None, lse: Any = None,
            return_lse: bool = True, sm_scale: float | None = None, logits_soft_cap: float = 0.0,
            window_left: int = -1, k_scale: float = 1.0, v_scale: float = 1.0,
            k_scales: Any = None, v_scales: Any = None, sink: Any = None, alibi_slopes: Any = None,
            custom_mask: Any = None, mask_indptr: Any = None, lse_base2: bool = False,
            stream: int | None = None) -> tuple[Any, Any]:
        """Attention of the planned batch; returns ``(o, lse)``, lse None without ``return_lse``.

        ``q`` [nnz_qo, num_qo_heads, head_dim_qk]. ``kv``: a pair (k, v), each
        [num_pages, page_size, num_kv_heads, head_dim] (nhd; heads second with hnd), ragged
        [nnz_kv, num_kv_heads, head_dim]; or both in one tensor [num_pages, 2, ...]. ``out``
        [nnz_qo, num_qo_heads, head_dim_vo] and ``lse`` f32 [nnz_qo, num_qo_heads] are written when
        given, else made by the framework of q. ``sm_scale`` None is head_dim_qk ** -0.5;
        ``logits_soft_cap`` 0 and ``window_left`` -1 are off. ``k_scales``, ``v_scales`` f32
        [num_kv_heads]; ``sink``, ``alibi_slopes`` f32 [num_qo_heads]; ``custom_mask`` uint8 bits
        and ``mask_indptr`` int32 [batch_size + 1] with a config whose mask is custom or tree.
        ``lse_base2``: base 2 instead of natural. ``stream``: a CUDA stream's address; by default
        the framework's current one.
        """
        try:
            if plan.attention is not self:
                raise ValueError(f"plan: expected one made by this Attention, got {plan!r}")
        except AttributeError:
            raise _no_plan(plan) from None
        framework = _tensors._BY_TYPE.get(type(q)) or _tensors.framework_of("q", q)
        k, v = kv if isinstance(kv, (tuple, list)) else (kv, None)
        if out is None:
            out = framework.empty(q, (q.shape[0], self._heads, self._head_dim_vo), self._o_dtype)
        if lse is None and return_lse:
            lse = framework.empty(q, (q.shape[0], self._heads), "f32")
        if framework.direct:
            if framework.compiling():
                _compile.attention_run(self, plan, q, k, v, out, lse, sm_scale, logits_soft_cap,
                                       window_left, k_scale, v_scale, k_scales, v_scales, sink,
                                       alibi_slopes, custom_mask, mask_indptr, lse_base2)
                return out, lse
            status = framework.call(
                self._run_at, stream, self._handle, plan._handle, q, k, v, out, lse, sm_scale,
                logits_soft_cap, window_left, k_scale, v_scale, k_scales, v_scales, sink,
                alibi_slopes, custom_mask, mask_indptr, lse_base2)
            if status == 0:
                return out, lse
            if status > 0:
                _library.raise_status(status)
        RUN.slow(stream, self._handle, plan._handle,
                 (q, k, v, out, lse, sm_scale, logits_soft_cap, window_left, k_scale, v_scale,
                  k_scales, v_scales, sink, alibi_slopes, custom_mask, mask_indptr, lse_base2),
                 ("o", "lse"))
        framework.finish(q)
        return out, lse
