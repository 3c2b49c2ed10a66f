# SPDX-License-Identifier: Apache-2.0
# Attention in float64 NumPy, written from docs/semantics.md for the Python tests alone. Slow,
# plain, one request and one head at a time; shares no code with the package.
import numpy as np


def softmax_rows(logits, sink=None):
    """(weights, lse) of rows of logits; a row of -inf has weights 0 and lse -inf."""
    most = logits.max(axis=1, initial=-np.inf)
    if sink is not None:
        most = np.maximum(most, np.where(np.isneginf(most), -np.inf, sink))
    safe = np.where(np.isneginf(most), 0.0, most)
    parts = np.exp(logits - safe[:, None])
    total = parts.sum(axis=1)
    seen = total > 0
    if sink is not None:
        total = total + np.where(seen, np.exp(sink - safe), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(seen[:, None], parts / total[:, None], 0.0)
        lse = np.where(seen, safe + np.log(total), -np.inf)
    return weights, lse


def visible(qo_len, kv_len, causal, window_left):
    i = np.arange(qo_len)[:, None] + kv_len - qo_len
    j = np.arange(kv_len)[None, :]
    mask = np.ones((qo_len, kv_len), bool)
    if causal:
        mask &= j <= i
    if window_left >= 0:
        mask &= j >= i - window_left
    return mask


def attention(q, k, v, *, causal=True, window_left=-1, sm_scale=None, soft_cap=0.0, sink=None,
              mask=None, slopes=None):
    """One request: q [qo, heads, d], k and v [kv, kv_heads, d] -> o, natural lse, in float64."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    qo_len, heads, dim = q.shape
    kv_len, group = k.shape[0], heads // k.shape[1]
    scale = dim ** -0.5 if sm_scale is None else sm_scale
    seen = visible(qo_len, kv_len, causal, window_left) if mask is None else mask
    if mask is not None and window_left >= 0:
        seen = seen & visible(qo_len, kv_len, False, window_left)
    o = np.zeros((qo_len, heads, v.shape[2]))
    lse = np.full((qo_len, heads), -np.inf)
    for h in range(heads):
        logits = scale * (q[:, h] @ k[:, h // group].T)
        if soft_cap > 0:
            logits = soft_cap * np.tanh(logits / soft_cap)
        if slopes is not None:
            i = np.arange(qo_len)[:, None] + kv_len - qo_len
            logits = logits + slopes[h] * (np.arange(kv_len)[None, :] - i)
        logits = np.where(seen, logits, -np.inf)
        weights, lse[:, h] = softmax_rows(logits, None if sink is None else sink[h])
        o[:, h] = weights @ v[:, h // group]
    return o, lse


def rotate(x, positions, theta=1e4, scale=1.0, interleave=False, dim=None):
    """x [n, heads, d] rotated at positions [n], in float64."""
    x = np.asarray(x, np.float64).copy()
    dim = dim or x.shape[2]
    angle = np.asarray(positions)[:, None] * theta ** (-2.0 * np.arange(dim // 2) / dim) / scale
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    first = slice(0, dim, 2) if interleave else slice(0, dim // 2)
    second = slice(1, dim, 2) if interleave else slice(dim // 2, dim)
    a, b = x[..., first].copy(), x[..., second].copy()
    x[..., first], x[..., second] = a * cos - b * sin, b * cos + a * sin
    return x


class Pages:
    """Requests of given lengths spread over shuffled pages; k and v of one are gathered back."""

    def __init__(self, rng, kv_lens, page_size, heads, dim, dim_vo=None, layout="NHD", extra=3):
        pages = [-(-n // page_size) for n in kv_lens]
        total = sum(pages) + extra
        self.kv_lens, self.page_size, self.layout = list(kv_lens), page_size, layout
        self.indptr = np.concatenate([[0], np.cumsum(pages)]).astype(np.int32)
        self.indices = rng.permutation(total)[:sum(pages)].astype(np.int32)
        self.last = np.array([(n - 1) % page_size + 1 if n else 0 for n in kv_lens], np.int32)
        inner = (page_size, heads) if layout == "NHD" else (heads, page_size)
        self.k = rng.standard_normal((total, *inner, dim)).astype(np.float32)
        self.v = rng.standard_normal((total, *inner, dim_vo or dim)).astype(np.float32)

    def request(self, r, k=None, v=None):
        """k and v [kv_len, heads, dim] of request r, from other caches when given."""
        ids = self.indices[self.indptr[r]:self.indptr[r + 1]]
        out = []
        for cache in (self.k if k is None else k, self.v if v is None else v):
            pages = cache[ids] if self.layout == "NHD" else cache[ids].swapaxes(1, 2)
            out.append(pages.reshape(-1, *pages.shape[2:])[:self.kv_lens[r]])
        return out


TOLERANCE = {"float32": 2e-5, "float16": 2e-3, "bfloat16": 2e-2}


def assert_close(got, expected, dtype="float32"):
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape, (got.shape, expected.shape)
    same = np.isneginf(got) == np.isneginf(expected)
    assert same.all(), "-inf in other places"
    finite = np.isfinite(expected)
    assert np.isfinite(got[finite]).all(), "NaN or inf"
    error = np.abs(got[finite] - expected[finite])
    bound = TOLERANCE[dtype] * (1 + np.abs(expected[finite]))
    assert (error <= bound).all(), f"error {error.max():.2e} beyond {TOLERANCE[dtype]:.0e}"
