// SPDX-License-Identifier: Apache-2.0
// Builds the inputs of a case: the batch arrays, q and outputs, the optional tensors. The cache is
// built in attention_cache.cc.
#include "tests/cases/attention_data.h"

#include <cmath>
#include <cstring>

#include "tests/cases/attention_cache.h"
#include "tests/cases/random.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {
namespace {

enum Tag : uint64_t { kQuery = 1, kMask, kSink, kScale };

int id_of(const AttentionCase& c, size_t r) {
  return c.requests[r].id < 0 ? static_cast<int>(r) : c.requests[r].id;
}

Random random_for(uint64_t seed, Tag tag, int id, int64_t token, int head) {
  Random mix(seed + 0x1000003 * static_cast<uint64_t>(tag));
  uint64_t state = mix.next() ^ (static_cast<uint64_t>(id) << 40);
  state ^= static_cast<uint64_t>(token) << 12 ^ static_cast<uint64_t>(head);
  return Random(Random(state).next());
}

int total_qo(const AttentionCase& c) {
  int n = 0;
  for (const Lengths& r : c.requests) n += r.qo;
  return n;
}

TensorView make_tensor(Buffer& owner, DType dtype, const std::vector<int64_t>& shape, bool padded) {
  const std::vector<int64_t> strides = padded_strides(shape, padded ? 3 : 0);
  TensorView view = make_view(nullptr, dtype, shape, strides);
  const auto element = static_cast<size_t>(size_of(dtype));
  owner = Buffer(span_bytes(view), kPoisonByte, padded ? element : 0);
  view.data = owner.data();
  return view;
}

void fill_queries(const AttentionCase& c, uint64_t seed, const TensorView& q) {
  int64_t token = 0;
  for (size_t r = 0; r < c.requests.size(); ++r) {
    for (int i = 0; i < c.requests[r].qo; ++i, ++token) {
      for (int h = 0; h < c.qo_heads; ++h) {
        // Counted from the end, so that a request keeps its last rows when its prefix is longer.
        Random random = random_for(seed, kQuery, id_of(c, r), c.requests[r].qo - i, h);
        char* row = oracle::address(q, {token, h, 0});
        for (int d = 0; d < c.head_dim; ++d) {
          oracle::encode(row, c.q, d, random.normal() * c.magnitude);
        }
      }
    }
  }
}

/// Custom: about 60 % of the keys, and the first row of every second request sees nothing. Tree:
/// each draft token sees itself, a random parent and what the parent sees.
std::vector<bool> mask_bits(const AttentionCase& c, uint64_t seed, size_t r) {
  const Lengths& request = c.requests[r];
  Random random = random_for(seed, kMask, id_of(c, r), 0, 0);
  const size_t width = static_cast<size_t>(c.mask == MaskMode::tree ? request.qo : request.kv);
  std::vector<bool> bits(static_cast<size_t>(request.qo) * width);
  for (size_t i = 0; i < static_cast<size_t>(request.qo); ++i) {
    if (c.mask == MaskMode::tree) {
      bits[i * width + i] = true;
      if (i == 0) continue;
      const auto parent = static_cast<size_t>(random.integer(0, static_cast<int64_t>(i) - 1));
      for (size_t j = 0; j < i; ++j) bits[i * width + j] = bits[parent * width + j];
      continue;
    }
    for (size_t j = 0; j < width; ++j) bits[i * width + j] = random.chance(0.6);
    if (i == 0 && id_of(c, r) % 2 == 1) {
      for (size_t j = 0; j < width; ++j) bits[j] = false;
    }
  }
  return bits;
}

void make_mask(const AttentionCase& c, uint64_t seed, AttentionData& data) {
  std::vector<uint8_t> bytes;
  std::vector<int32_t> indptr{0};
  for (size_t r = 0; r < c.requests.size(); ++r) {
    const std::vector<bool> bits = mask_bits(c, seed, r);
    const size_t first = bytes.size();
    bytes.resize(first + (bits.size() + 7) / 8, 0);
    // Bits past the end of a request's last byte are set: they belong to nobody.
    if (bits.size() % 8 != 0) {
      bytes.back() = static_cast<uint8_t>(0xff << (bits.size() % 8));
    }
    for (size_t b = 0; b < bits.size(); ++b) {
      if (bits[b]) bytes[first + b / 8] |= static_cast<uint8_t>(1u << (b % 8));
    }
    indptr.push_back(static_cast<int32_t>(bytes.size()));
  }
  data.inputs.emplace_back(bytes.size());
  if (!bytes.empty()) std::memcpy(data.inputs.back().data(), bytes.data(), bytes.size());
  data.args.custom_mask =
      TensorView(data.inputs.back().data(), DType::u8, {static_cast<int64_t>(bytes.size())});
  data.args.mask_indptr = make_ints(indptr, data.inputs);
}

std::vector<float> random_floats(uint64_t seed, Tag tag, int id, int n, float mean, float spread) {
  Random random = random_for(seed, tag, id, 0, 0);
  std::vector<float> out;
  for (int i = 0; i < n; ++i) out.push_back(mean + spread * static_cast<float>(random.normal()));
  return out;
}

void make_values(const AttentionCase& c, uint64_t seed, AttentionData& data) {
  AttentionArgs& args = data.args;
  args.sm_scale = c.sm_scale;
  args.logits_soft_cap = c.soft_cap;
  args.window_left = c.window;
  args.k_scale = c.k_scale;
  args.v_scale = c.v_scale;
  args.lse_base2 = c.base2;
  if (c.head_scales) {
    args.k_scales = make_floats(random_floats(seed, kScale, 0, c.kv_heads, 1, 0.3f), data.inputs);
    args.v_scales = make_floats(random_floats(seed, kScale, 1, c.kv_heads, 1, 0.3f), data.inputs);
  }
  if (c.sink) {
    args.sink = make_floats(random_floats(seed, kSink, 0, c.qo_heads, 1, 2), data.inputs);
  }
  if (c.alibi) {
    std::vector<float> slopes;
    for (int h = 0; h < c.qo_heads; ++h) {
      slopes.push_back(
          std::exp2(-8.0f * static_cast<float>(h + 1) / static_cast<float>(c.qo_heads)));
    }
    args.alibi_slopes = make_floats(slopes, data.inputs);
  }
  if (c.mask == MaskMode::custom || c.mask == MaskMode::tree) make_mask(c, seed, data);
}

}  // namespace

AttentionConfig config_of(const AttentionCase& c) {
  return {.dtype_q = c.q,
          .dtype_kv = c.kv,
          .dtype_o = c.o,
          .num_qo_heads = c.qo_heads,
          .num_kv_heads = c.kv_heads,
          .head_dim_qk = c.head_dim,
          .head_dim_vo = c.head_dim_vo,
          .page_size = c.page_size,
          .kv_layout = c.layout,
          .mask = c.mask,
          .rope = c.rope,
          .schedule = c.schedule,
          .split_kv = c.split_kv,
          .window_left = c.window_hint,
          .checked = true,
          .max_batch_size = static_cast<int>(c.requests.size()) + 3,
          .max_nnz_qo = total_qo(c) + 5};
}

std::vector<int64_t> padded_strides(const std::vector<int64_t>& shape, int64_t pad) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * shape[i] + pad;
  return strides;
}

TensorView make_view(void* data, DType dtype, const std::vector<int64_t>& shape,
                     const std::vector<int64_t>& strides) {
  TensorView view;
  view.data = data;
  view.dtype = dtype;
  view.ndim = static_cast<int>(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    view.shape[i] = shape[i];
    view.strides[i] = strides[i];
  }
  return view;
}

TensorView make_ints(const std::vector<int32_t>& values, std::vector<Buffer>& owners) {
  owners.emplace_back(values.size() * sizeof(int32_t));
  if (!values.empty()) {
    std::memcpy(owners.back().data(), values.data(), values.size() * sizeof(int32_t));
  }
  return make_view(owners.back().data(), DType::i32, {static_cast<int64_t>(values.size())}, {1});
}

TensorView make_floats(const std::vector<float>& values, std::vector<Buffer>& owners) {
  TensorView view = make_ints(std::vector<int32_t>(values.size()), owners);
  view.dtype = DType::f32;
  if (!values.empty()) std::memcpy(view.data, values.data(), values.size() * sizeof(float));
  return view;
}

int pages_of(const AttentionCase& c, const Lengths& request) {
  return (request.kv + c.page_size - 1) / c.page_size;
}

AttentionBatch make_batch(const AttentionCase& c, std::vector<int32_t> pages,
                          std::vector<Buffer>& owners) {
  std::vector<int32_t> qo_indptr{0};
  std::vector<int32_t> kv_indptr{0};
  std::vector<int32_t> last_page_len;
  for (const Lengths& r : c.requests) {
    qo_indptr.push_back(qo_indptr.back() + r.qo);
    kv_indptr.push_back(kv_indptr.back() + (c.page_size > 0 ? pages_of(c, r) : r.kv));
    // A request without pages: the entry is ignored, whatever it holds.
    last_page_len.push_back(r.kv == 0 ? -7 : c.page_size > 0 ? (r.kv - 1) % c.page_size + 1 : 0);
  }
  AttentionBatch batch;
  batch.qo_indptr = make_ints(qo_indptr, owners);
  batch.kv_indptr = make_ints(kv_indptr, owners);
  if (c.page_size > 0) {
    pages.insert(pages.end(), 4, -1);  // past the end of the batch: never read
    batch.kv_indices = make_ints(pages, owners);
    batch.last_page_len = make_ints(last_page_len, owners);
  }
  return batch;
}

void AttentionData::poison_outputs() {
  o.fill(kPoisonByte);
  lse.fill(kPoisonByte);
}

uint64_t AttentionData::input_hash() const {
  uint64_t h = 0;
  for (const Buffer& b : inputs) h = h * 31 + b.hash();
  return h;
}

AttentionData make_attention_data(const AttentionCase& c, uint64_t seed, uint64_t layout_seed) {
  AttentionData data;
  data.config = config_of(c);
  const int64_t nnz = total_qo(c);
  std::vector<int> ids;
  for (size_t r = 0; r < c.requests.size(); ++r) ids.push_back(id_of(c, r));

  Cache cache = make_cache(c, ids, seed, layout_seed);
  data.num_pages = cache.num_pages;
  data.args.k = cache.k;
  data.args.v = cache.v;
  data.inputs = std::move(cache.owners);
  data.batch = make_batch(c, cache.pages, data.inputs);

  if (cache.q.given()) {
    data.args.q = cache.q;
  } else {
    data.inputs.emplace_back();
    data.args.q = make_tensor(data.inputs.back(), c.q, {nnz, c.qo_heads, c.head_dim}, c.strided_io);
  }
  fill_queries(c, seed, data.args.q);
  make_values(c, seed, data);

  const DType dtype_o = c.o == DType::none ? c.q : c.o;
  const int dim_o = c.head_dim_vo == 0 ? c.head_dim : c.head_dim_vo;
  data.args.o = make_tensor(data.o, dtype_o, {nnz, c.qo_heads, dim_o}, c.strided_io);
  if (c.lse) data.args.lse = make_tensor(data.lse, DType::f32, {nnz, c.qo_heads}, c.strided_io);
  return data;
}

}  // namespace weft::cases
