// SPDX-License-Identifier: Apache-2.0
// Lays out K and V. Every row starts as NaN or Inf; only rows that hold a token get numbers.
#include "tests/cases/attention_cache.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tests/cases/attention_data.h"
#include "tests/cases/random.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {
namespace {

int value_dim(const AttentionCase& c) { return c.head_dim_vo == 0 ? c.head_dim : c.head_dim_vo; }

int64_t tokens_of(const AttentionCase& c) {
  int64_t n = 0;
  for (const Lengths& r : c.requests) n += r.kv;
  return n;
}

/// How a storage places the two tensors: `copies` blocks of equal size per outermost index.
struct Placement {
  bool shared = false;  // one buffer
  int64_t copies = 1;
  int64_t key_copy = 0;
  int64_t value_copy = 0;
  int64_t pad = 0;
};

Placement placement_of(Storage storage) {
  switch (storage) {
    case Storage::joined:
      return {.shared = true, .copies = 2, .value_copy = 1};
    case Storage::layer_in_page:
      return {.shared = true, .copies = 6, .key_copy = 2, .value_copy = 3};
    case Storage::value_in_key:
      return {.shared = true};
    case Storage::strided:
      return {.pad = 3};
    default:
      return {};
  }
}

std::vector<int64_t> cache_shape(const AttentionCase& c, int64_t num_pages, int dim) {
  const bool nhd = c.layout == KvLayout::nhd;
  if (c.page_size == 0) {
    const int64_t n = tokens_of(c);
    return nhd ? std::vector<int64_t>{n, c.kv_heads, dim}
               : std::vector<int64_t>{c.kv_heads, n, dim};
  }
  return nhd ? std::vector<int64_t>{num_pages, c.page_size, c.kv_heads, dim}
             : std::vector<int64_t>{num_pages, c.kv_heads, c.page_size, dim};
}

/// Page ids on both sides of every offset at which a narrow multiplication would wrap.
std::vector<int32_t> huge_page_ids(const AttentionCase& c, size_t n) {
  const int64_t page = int64_t{c.page_size} * c.kv_heads * c.head_dim;
  const int64_t bytes = page * size_of(c.kv);
  const int64_t k31 = int64_t{1} << 31;
  std::vector<int32_t> ids;
  for (int64_t i = 0; ids.size() < n; ++i) {
    for (const int64_t edge : {2 * k31 / page, k31 / bytes, 2 * k31 / bytes, k31 / page}) {
      for (const int64_t id : {edge + i, edge - 1 - i}) {
        bool fresh = true;
        for (const int32_t other : ids) fresh = fresh && other != id;
        if (fresh && ids.size() < n) ids.push_back(static_cast<int32_t>(id));
      }
    }
  }
  return ids;
}

std::vector<int32_t> page_ids(const AttentionCase& c, uint64_t layout_seed, int64_t& num_pages) {
  size_t used = 0;
  for (const Lengths& r : c.requests) used += static_cast<size_t>(pages_of(c, r));
  if (c.storage == Storage::huge_pages) {
    std::vector<int32_t> ids = huge_page_ids(c, used);
    for (const int32_t id : ids) num_pages = std::max<int64_t>(num_pages, id + 1);
    return ids;
  }
  std::vector<int32_t> ids(used + 3);
  std::iota(ids.begin(), ids.end(), 0);
  num_pages = static_cast<int64_t>(ids.size());
  Random random(layout_seed);
  random.shuffle(ids);
  ids.resize(used);
  return ids;
}

/// Bits of a number that spoils every sum it enters; e4m3 has no infinity, its 448 stands in.
uint32_t poison_bits(const AttentionCase& c) {
  if (c.poison == Poison::nan) return 0xffffffffu;
  switch (c.kv) {
    case DType::f32:
      return 0x7f800000u;
    case DType::f16:
      return 0x7c00u;
    case DType::bf16:
      return 0x7f80u;
    case DType::e5m2:
      return 0x7cu;
    default:
      return 0x7eu;
  }
}

void poison(const AttentionCase& c, char* at, int64_t n) {
  const uint32_t bits = poison_bits(c);
  const auto element = static_cast<size_t>(size_of(c.kv));
  for (int64_t i = 0; i < n; ++i, at += element) std::memcpy(at, &bits, element);
}

TensorView place(const AttentionCase& c, const Placement& p, int64_t num_pages, int dim, int row,
                 int64_t copy, Buffer& buffer) {
  std::vector<int64_t> strides = padded_strides(cache_shape(c, num_pages, row), p.pad);
  const int64_t block = strides[0];
  strides[0] *= p.copies;
  const std::vector<int64_t> shape = cache_shape(c, num_pages, dim);
  if (buffer.data() == nullptr) {
    const auto element = static_cast<size_t>(size_of(c.kv));
    const size_t bytes = static_cast<size_t>(shape[0] * strides[0]) * element;
    if (c.storage == Storage::huge_pages) {
      buffer = Buffer::reserve(bytes);
    } else {
      buffer = Buffer(bytes, kPoisonByte, p.pad > 0 ? element : 0);
      poison(c, buffer.data(), shape[0] * strides[0]);  // padding as well
    }
  }
  return make_view(buffer.data() + copy * block * size_of(c.kv), c.kv, shape, strides);
}

void make_packed(const AttentionCase& c, Cache& cache) {
  const int64_t heads = c.qo_heads + 2 * c.kv_heads;
  const std::vector<int64_t> shape{tokens_of(c), heads, c.head_dim};
  const TensorView all = make_view(nullptr, c.kv, shape, padded_strides(shape, 0));
  cache.owners.emplace_back(span_bytes(all));
  const auto part = [&](int64_t first, int64_t n) {
    char* data = cache.owners.back().data() + first * c.head_dim * size_of(c.kv);
    return make_view(data, c.kv, {shape[0], n, c.head_dim}, padded_strides(shape, 0));
  };
  cache.q = part(0, c.qo_heads);
  cache.k = part(c.qo_heads, c.kv_heads);
  cache.v = part(c.qo_heads + c.kv_heads, c.kv_heads);
}

void make_tensors(const AttentionCase& c, Cache& cache) {
  if (c.storage == Storage::packed_qkv) return make_packed(c, cache);
  const Placement p = placement_of(c.storage);
  const int row = std::max(c.head_dim, value_dim(c));
  Buffer first;
  Buffer second;
  cache.k =
      place(c, p, cache.num_pages, c.head_dim, p.shared ? row : c.head_dim, p.key_copy, first);
  cache.owners.push_back(first);
  if (p.shared) {
    cache.v = place(c, p, cache.num_pages, value_dim(c), row, p.value_copy, first);
  } else {
    cache.v = place(c, p, cache.num_pages, value_dim(c), value_dim(c), 0, second);
    cache.owners.push_back(second);
  }
}

char* row_address(const AttentionCase& c, const TensorView& x, int64_t page, int64_t token,
                  int head) {
  const bool nhd = c.layout == KvLayout::nhd;
  if (c.page_size == 0) {
    return nhd ? oracle::address(x, {token, head}) : oracle::address(x, {head, token});
  }
  return nhd ? oracle::address(x, {page, token, head}) : oracle::address(x, {page, head, token});
}

void write_row(const AttentionCase& c, char* at, const std::vector<double>& row) {
  for (size_t d = 0; d < row.size(); ++d) {
    oracle::encode(at, c.kv, static_cast<int64_t>(d), row[d]);
  }
}

/// Writes tokens [0, kv) of a request and, in reserved memory, poison behind them.
void write_request(const AttentionCase& c, uint64_t seed, int id, int kv, int64_t first,
                   Cache& cache) {
  const int step = c.page_size == 0 ? std::max(kv, 1) : c.page_size;
  const int end = c.storage == Storage::huge_pages ? (kv + step - 1) / step * step : kv;
  for (int t = 0; t < end; ++t) {
    const int64_t page = c.page_size == 0 ? 0 : cache.pages[static_cast<size_t>(first + t / step)];
    const int64_t token = c.page_size == 0 ? first + t : t % step;
    for (int h = 0; h < c.kv_heads; ++h) {
      char* key = row_address(c, cache.k, page, token, h);
      char* value = row_address(c, cache.v, page, token, h);
      if (t >= kv) {
        poison(c, key, c.head_dim);
        poison(c, value, value_dim(c));
        continue;
      }
      write_row(c, key, kv_row(c, seed, false, id, t, h));
      if (c.storage == Storage::value_in_key) continue;
      write_row(c, value, kv_row(c, seed, true, id, t, h));
    }
  }
}

}  // namespace

std::vector<double> kv_row(const AttentionCase& c, uint64_t seed, bool value, int id, int64_t token,
                           int head) {
  Random mix(seed ^ (value ? 0x76616c7565u : 0x6b6579u));
  uint64_t state = mix.next() ^ (static_cast<uint64_t>(id) << 40);
  state ^= static_cast<uint64_t>(token) << 12 ^ static_cast<uint64_t>(head);
  Random random(Random(state).next());
  std::vector<double> row(static_cast<size_t>(value ? value_dim(c) : c.head_dim));
  for (double& x : row) x = random.normal();
  return row;
}

Cache make_cache(const AttentionCase& c, const std::vector<int>& ids, uint64_t seed,
                 uint64_t layout_seed) {
  Cache cache;
  if (c.page_size > 0) cache.pages = page_ids(c, layout_seed, cache.num_pages);
  make_tensors(c, cache);
  int64_t first = 0;
  for (size_t r = 0; r < c.requests.size(); ++r) {
    write_request(c, seed, ids[r], c.requests[r].kv, first, cache);
    first += c.page_size > 0 ? pages_of(c, c.requests[r]) : c.requests[r].kv;
  }
  return cache;
}

}  // namespace weft::cases
