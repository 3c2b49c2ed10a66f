# SPDX-License-Identifier: Apache-2.0
# A small batch over pages for the tests of weft.flashinfer, with its check against the float64
# reference, and the two batch wrappers planned for it.
import math

import numpy as np
import torch

import weft.flashinfer as flashinfer
from reference import Pages, assert_close, attention

HEADS, KV_HEADS, DIM = 4, 2, 64
DTYPE = {"cpu": torch.float32, "cuda": torch.float16}


def tensor(array, device, dtype=None):
    made = torch.as_tensor(np.asarray(array))
    return made.to(device) if dtype is None else made.to(device, dtype)


class Batch:
    """Pages and queries of a batch on a device, with what NumPy holds of them."""

    def __init__(self, rng, device, kv_lens=(5, 33, 1, 16), qo_lens=None, page_size=4,
                 layout="NHD", dim=DIM, dtype=None):
        self.device, self.dtype = device, dtype or DTYPE[device]
        self.qo_lens = list(qo_lens or [1] * len(kv_lens))
        self.pages = Pages(rng, kv_lens, page_size, KV_HEADS, dim, layout=layout)
        self.indptr, self.indices, self.last = (torch.as_tensor(x) for x in (
            self.pages.indptr, self.pages.indices, self.pages.last))
        self.qo_indptr = torch.tensor([0, *np.cumsum(self.qo_lens)], dtype=torch.int32)
        q = rng.standard_normal((int(self.qo_indptr[-1]), HEADS, dim)).astype(np.float32)
        self.q, self.k, self.v = (tensor(x, device, self.dtype)
                                  for x in (q, self.pages.k, self.pages.v))
        self.kv = torch.stack([self.k, self.v], dim=1)
        self.workspace = torch.empty(1 << 20, dtype=torch.uint8, device=device)

    def numpy(self, x):
        return x.detach().float().cpu().numpy()

    def check(self, o, lse=None, **options):
        k, v = self.numpy(self.k), self.numpy(self.v)
        for r in range(len(self.qo_lens)):
            rows = slice(int(self.qo_indptr[r]), int(self.qo_indptr[r + 1]))
            own = {name: value[r] if name == "mask" else value for name, value in options.items()}
            expected = attention(self.numpy(self.q)[rows], *self.pages.request(r, k, v), **own)
            assert_close(self.numpy(o)[rows], expected[0], str(self.dtype)[6:])
            if lse is not None:
                assert_close(self.numpy(lse)[rows], expected[1] / math.log(2), str(self.dtype)[6:])


def decode(b, layout="NHD", **options):
    wrapper = flashinfer.BatchDecodeWithPagedKVCacheWrapper(b.workspace, layout)
    wrapper.plan(b.indptr, b.indices, b.last, HEADS, KV_HEADS, b.q.shape[-1], b.pages.page_size,
                 q_data_type=b.dtype, **options)
    return wrapper


def prefill(b, layout="NHD", **options):
    wrapper = flashinfer.BatchPrefillWithPagedKVCacheWrapper(b.workspace, layout)
    wrapper.plan(b.qo_indptr, b.indptr, b.indices, b.last, HEADS, KV_HEADS, b.q.shape[-1],
                 b.pages.page_size, q_data_type=b.dtype, **options)
    return wrapper
