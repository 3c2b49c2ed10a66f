// SPDX-License-Identifier: Apache-2.0
// See append_case.h.
#include "tests/cases/append_case.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/cases/attention_data.h"
#include "tests/oracle/append.h"
#include "tests/oracle/numbers.h"
#include "tests/oracle/rope.h"

namespace weft::cases {
namespace {

constexpr Rope kNeox{.mode = RopeMode::neox, .theta = 500000.0f};
constexpr Rope kInterleaved{.mode = RopeMode::interleaved, .dim = 16};

constexpr KvLayout kHnd = KvLayout::hnd;

const std::vector<AppendCase> kCases = {
    {.name = "bf16_copy"},
    {.name = "f16_copy_hnd", .dtype = DType::f16, .layout = kHnd},
    {.name = "f32_copy_joined", .dtype = DType::f32, .storage = CacheStorage::joined},
    {.name = "joined_hnd", .layout = kHnd, .storage = CacheStorage::joined},
    {.name = "padded_cache", .storage = CacheStorage::padded, .pad = 3},
    {.name = "padded_cache_hnd", .layout = kHnd, .storage = CacheStorage::padded, .pad = 1},
    {.name = "layer_in_page", .storage = CacheStorage::layer_in_page},
    {.name = "f32_to_e4m3", .dtype = DType::f32, .dtype_kv = DType::e4m3},
    {.name = "bf16_to_e5m2_hnd", .dtype_kv = DType::e5m2, .layout = kHnd},
    {.name = "f16_to_bf16", .dtype = DType::f16, .dtype_kv = DType::bf16},
    {.name = "bf16_to_f32", .dtype_kv = DType::f32},
    {.name = "scales", .dtype_kv = DType::e4m3, .k_scale = 0.03f, .v_scale = 1.7f},
    {.name = "scales_per_head",
     .dtype_kv = DType::e5m2,
     .kv_heads = 3,
     .k_scale = 0.5f,
     .head_scales = true},
    {.name = "scale_same_dtype", .k_scale = 3.0f, .v_scale = 0.25f},
    {.name = "rope", .rope = kNeox},
    {.name = "rope_and_q", .qo_heads = 6, .rope = kNeox},
    {.name = "rope_and_q_in_place",
     .dtype = DType::f16,
     .qo_heads = 4,
     .rope = kInterleaved,
     .in_place = true,
     .pad = 2},
    {.name = "rope_to_fp8",
     .dtype_kv = DType::e4m3,
     .qo_heads = 4,
     .layout = kHnd,
     .rope = kNeox,
     .k_scale = 0.02f,
     .v_scale = 0.01f},
    {.name = "rope_interleaved_f32", .dtype = DType::f32, .rope = kInterleaved, .pad = 3},
    {.name = "rope_partial_neox",
     .dim_qk = 80,
     .rope = {.mode = RopeMode::neox, .dim = 20, .scale = 2.0f}},
    {.name = "rope_positions", .qo_heads = 2, .rope = kNeox, .rope_positions = true},
    {.name = "rope_cache", .dtype = DType::f32, .qo_heads = 2, .rope = kNeox, .cache = true},
    {.name = "rope_cache_interleaved", .rope = kInterleaved, .cache = true, .rope_positions = true},
    {.name = "step", .qo_heads = 6, .dim_qk = 128, .rope = kNeox, .norm = true},
    {.name = "step_to_fp8",
     .dtype_kv = DType::e4m3,
     .qo_heads = 5,
     .dim_qk = 128,
     .rope = kNeox,
     .k_scale = 0.02f,
     .v_scale = 0.05f,
     .norm = true,
     .dtype_q_out = DType::e4m3,
     .q_scale = 0.03f},
    {.name = "step_gemma_in_place",
     .dtype = DType::f16,
     .qo_heads = 4,
     .dim_qk = 256,
     .rope = kInterleaved,
     .in_place = true,
     .norm = true,
     .offset = 1,
     .pad = 8},
    {.name = "step_f32_odd_padded",
     .dtype = DType::f32,
     .kv_heads = 3,
     .qo_heads = 7,
     .dim_qk = 34,
     .rope = {.mode = RopeMode::neox, .dim = 20},
     .norm = true,
     .pad = 1},
    {.name = "step_bf16_80",
     .kv_heads = 5,
     .qo_heads = 3,
     .dim_qk = 80,
     .dim_vo = 64,
     .rope = {.mode = RopeMode::neox, .dim = 32},
     .norm = true},
    {.name = "step_cache_positions",
     .dtype_kv = DType::e5m2,
     .kv_heads = 3,
     .qo_heads = 2,
     .layout = kHnd,
     .rope = kInterleaved,
     .head_scales = true,
     .cache = true,
     .rope_positions = true,
     .norm = true,
     .dtype_q_out = DType::e5m2},
    {.name = "norm_without_rope", .qo_heads = 2, .dim_qk = 96, .norm = true, .q_scale = 2.0f},
    {.name = "norm_of_k_alone", .dim_qk = 192, .norm = true},
    {.name = "norm_largest_head", .dtype = DType::f16, .kv_heads = 1, .dim_qk = 1024, .norm = true},
    {.name = "quantised_q_alone", .qo_heads = 3, .dtype_q_out = DType::e4m3, .q_scale = 0.01f},
    {.name = "scaled_q_in_place_partial",
     .qo_heads = 3,
     .rope = kInterleaved,
     .in_place = true,
     .q_scale = 0.5f},
    {.name = "unequal_head_dims", .dim_qk = 192, .dim_vo = 128, .rope = kNeox},
    {.name = "mla", .kv_heads = 1, .dim_qk = 64, .dim_vo = 512, .rope = kNeox},
    {.name = "page_size_1", .page_size = 1},
    {.name = "page_size_3_joined_hnd",
     .page_size = 3,
     .layout = kHnd,
     .storage = CacheStorage::joined},
    {.name = "page_size_17", .page_size = 17, .rope = kNeox},
    {.name = "page_size_2096", .page_size = 2096},
    {.name = "head_dim_1", .dim_qk = 1},
    {.name = "head_dim_7_to_fp8", .dtype_kv = DType::e4m3, .dim_qk = 7, .dim_vo = 9},
    {.name = "many_heads", .kv_heads = 40, .qo_heads = 80, .dim_qk = 32, .rope = kNeox},
    {.name = "no_tokens", .kv_lens = {4, 0}, .new_tokens = {0, 0}},
    {.name = "no_requests", .kv_lens = {}, .new_tokens = {}},
    {.name = "many_tokens", .kv_lens = {300, 900, 40}, .new_tokens = {300, 500, 3}},
};

// Every cache is a view into memory that holds more than it: the other half of a joined pair, other
// layers, padding.
void give_caches(const AppendCase& c, int64_t num_pages, AppendData& data) {
  const int64_t page = c.page_size, heads = c.kv_heads;
  const auto shape_of = [&](int64_t dim) {
    return c.layout == KvLayout::nhd ? std::vector<int64_t>{num_pages, page, heads, dim}
                                     : std::vector<int64_t>{num_pages, heads, page, dim};
  };
  const DType dtype = data.config.dtype_kv;
  const int64_t dim_vo = data.config.head_dim_vo;
  if (c.storage == CacheStorage::separate || c.storage == CacheStorage::padded) {
    const int64_t pad = c.storage == CacheStorage::padded ? 5 : 0;
    const OwnedTensor k(dtype, shape_of(c.dim_qk), pad), v(dtype, shape_of(dim_vo), pad);
    data.args.k_cache = k.view, data.args.v_cache = v.view;
    data.cache_memory = k.buffer, data.v_cache_memory = v.buffer;
    return;
  }
  // [num_pages, parts, ...]: k and v side by side, or as layer 1 of 3 in every page.
  const int64_t parts = c.storage == CacheStorage::joined ? 2 : 6, first = parts == 2 ? 0 : 2;
  std::vector<int64_t> shape = shape_of(c.dim_qk);
  shape.insert(shape.begin() + 1, parts);
  const OwnedTensor all(dtype, shape);
  data.args.k_cache = all.view.select(1, first);
  data.args.v_cache = all.view.select(1, first + 1);
  data.cache_memory = all.buffer;
}

void give_where(const AppendCase& c, Random& random, AppendData& data) {
  std::vector<int32_t> append_indptr = {0}, kv_indptr = {0};
  for (size_t r = 0; r < c.kv_lens.size(); ++r) {
    append_indptr.push_back(append_indptr.back() + c.new_tokens[r]);
    kv_indptr.push_back(kv_indptr.back() + (c.kv_lens[r] + c.page_size - 1) / c.page_size);
  }
  data.nnz = append_indptr.back();
  const int64_t num_pages = kv_indptr.back() + 3;
  std::vector<int32_t> pages(static_cast<size_t>(num_pages));
  std::iota(pages.begin(), pages.end(), 0);
  random.shuffle(pages);
  std::vector<Buffer>& owners = data.owners;
  data.args.kv_indptr = make_ints(kv_indptr, owners);
  data.args.kv_indices = make_ints(pages, owners);
  const std::vector<int32_t> blank(static_cast<size_t>(data.nnz), -1);
  data.args.batch_indices = make_ints(blank, owners);
  data.args.positions = make_ints(blank, owners);
  batch_indices_positions(make_ints(append_indptr, owners), make_ints(c.kv_lens, owners),
                          data.args.batch_indices, data.args.positions);
  give_caches(c, num_pages, data);
}

void give_angles(const AppendCase& c, Random& random, AppendData& data) {
  if (c.rope_positions) {
    std::vector<int32_t> ids;
    for (int64_t t = 0; t < data.nnz; ++t) {
      ids.push_back(static_cast<int32_t>(random.integer(0, c.cache ? 63 : 1000000)));
    }
    data.args.rope_positions = make_ints(ids, data.owners);
  }
  if (!c.cache) return;
  data.rope_cache = OwnedTensor(DType::f32, {64, c.rope.dim == 0 ? c.dim_qk : c.rope.dim}, c.pad);
  fill_normal(data.rope_cache.view, random);
  data.args.cos_sin_cache = data.rope_cache.view;
}

// Cosines and sines of a token: of the caller's cache, or none.
struct Angles {
  std::vector<double> cosines, sines;
};

Angles cached_angles(const AppendData& data, int64_t position) {
  Angles angles;
  const int64_t pairs = data.args.cos_sin_cache.shape[1] / 2;
  for (int64_t i = 0; i < pairs; ++i) {
    angles.cosines.push_back(oracle::at(data.args.cos_sin_cache, {position, i}));
    angles.sines.push_back(oracle::at(data.args.cos_sin_cache, {position, pairs + i}));
  }
  return angles;
}

// A row of k or q (with its weight, or none) as it leaves, before its scale.
std::vector<double> exact_row(const AppendData& data, const TensorView& x, int64_t token, int head,
                              const TensorView& weight) {
  std::vector<double> row;
  double squares = 0;
  for (int64_t d = 0; d < x.shape[2]; ++d) {
    row.push_back(oracle::at(x, {token, head, d}));
    squares += row.back() * row.back() / static_cast<double>(x.shape[2]);
  }
  const AppendConfig& c = data.config;
  for (size_t d = 0; d < row.size() && weight.given(); ++d) {
    row[d] *= (oracle::at(weight, {static_cast<int64_t>(d)}) + c.norm_weight_offset) /
              std::sqrt(squares + c.norm_eps);
  }
  const AppendArgs& args = data.args;
  const int64_t position =
      oracle::int_at(args.rope_positions.given() ? args.rope_positions : args.positions, token);
  if (c.rope.mode == RopeMode::none) return row;
  if (!args.cos_sin_cache.given()) {
    oracle::rotate(c.rope, position, row);
  } else {
    const Angles angles = cached_angles(data, position);
    oracle::rotate(c.rope, angles.cosines, angles.sines, row);
  }
  return row;
}

std::vector<double> plain_row(const TensorView& x, int64_t token, int head) {
  std::vector<double> row;
  for (int64_t d = 0; d < x.shape[2]; ++d) row.push_back(oracle::at(x, {token, head, d}));
  return row;
}

struct Row {
  std::vector<double> exact;
  double divisor = 1;
  bool rotated = false;  // or normalised
};

// Compares one head that lies dense at `at`, and notes its bytes as owned.
std::string compare_row(const Row& row, const char* at, DType dtype) {
  double amplitude = 0;
  for (const double x : row.exact) amplitude = std::max(amplitude, std::fabs(x));
  for (size_t d = 0; d < row.exact.size(); ++d) {
    const double exact = row.exact[d] / row.divisor;
    // Reciprocal and product: two f32 roundings. A rotation adds its own, see rope_test.cc.
    const double scaled = row.divisor == 1 ? 0 : 1.3e-7 * std::fabs(exact);
    const double error = scaled + (row.rotated ? 2e-6 * amplitude / row.divisor : 0);
    const std::string wrong =
        compare_rounded(at + static_cast<int64_t>(d) * size_of(dtype), dtype, exact, error);
    if (!wrong.empty()) return "element " + std::to_string(d) + ": " + wrong;
  }
  return "";
}

// Bytes of a memory that belong to a token just appended.
class Owned {
 public:
  explicit Owned(const Buffer& memory) : memory_(memory), owned_(memory.size(), false) {}
  void add(const char* at, int64_t bytes) {
    std::fill_n(owned_.begin() + (at - memory_.data()), bytes, true);
  }
  std::string find_stray() const {
    if (!memory_.fences_intact()) return "a fence was written";
    for (size_t i = 0; i < owned_.size(); ++i) {
      if (owned_[i] || static_cast<unsigned char>(memory_.data()[i]) == kPoisonByte) continue;
      return "byte " + std::to_string(i) + " of a cache was written";
    }
    return "";
  }

 private:
  const Buffer& memory_;
  std::vector<bool> owned_;
};

std::string compare_cache(const AppendData& data, bool keys, Owned& owned) {
  const AppendArgs& args = data.args;
  const TensorView& x = keys ? args.k : args.v;
  const TensorView& cache = keys ? args.k_cache : args.v_cache;
  const TensorView& scales = keys ? args.k_scales : args.v_scales;
  const DType dtype = data.config.dtype_kv;
  for (int64_t t = 0; t < data.nnz; ++t) {
    for (int h = 0; h < data.config.num_kv_heads; ++h) {
      Row row{.exact = keys ? exact_row(data, x, t, h, args.k_weight) : plain_row(x, t, h),
              .divisor = keys ? args.k_scale : args.v_scale,
              .rotated = keys && (data.config.qk_norm || data.config.rope.mode != RopeMode::none)};
      if (scales.given()) row.divisor *= oracle::at(scales, {h});
      const oracle::Slot slot = oracle::append_slot(data.config, args, t);
      const char* at = oracle::cache_address(data.config, cache, slot, h, 0);
      owned.add(at, x.shape[2] * size_of(dtype));
      const std::string wrong = compare_row(row, at, dtype);
      if (wrong.empty()) continue;
      return std::string(keys ? "k" : "v") + " token " + std::to_string(t) + " head " +
             std::to_string(h) + " " + wrong;
    }
  }
  return "";
}

std::string compare_q(const AppendData& data) {
  for (int64_t t = 0; t < data.nnz && data.config.num_qo_heads > 0; ++t) {
    for (int h = 0; h < data.config.num_qo_heads; ++h) {
      const Row row{.exact = exact_row(data, data.q_given.view, t, h, data.args.q_weight),
                    .divisor = data.args.q_scale,
                    .rotated = true};
      const std::string wrong =
          compare_row(row, oracle::address(data.args.q_out, {t, h, 0}), data.config.dtype_q_out);
      if (!wrong.empty()) return "q token " + std::to_string(t) + " " + wrong;
    }
  }
  return data.config.num_qo_heads == 0
             ? ""
             : find_stray_write(data.q_out.buffer, data.q_out.view, kPoisonByte);
}

}  // namespace

const std::vector<AppendCase>& append_cases() { return kCases; }

AppendCase random_append_case(Random& random) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::e4m3, DType::e5m2};
  AppendCase c{.name = "random"};
  c.dtype = kTypes[random.integer(0, 2)];
  c.dtype_kv = kTypes[random.integer(0, 4)];
  c.kv_heads = static_cast<int>(random.integer(1, 5));
  c.dim_qk = static_cast<int>(random.integer(2, 100));
  c.layout = static_cast<KvLayout>(random.integer(0, 1));
  c.storage = static_cast<CacheStorage>(random.integer(0, 3));
  const bool apart = c.storage == CacheStorage::separate || c.storage == CacheStorage::padded;
  if (apart) c.dim_vo = static_cast<int>(random.integer(1, 100));
  c.page_size = static_cast<int>(random.integer(1, 40));
  c.rope.mode = static_cast<RopeMode>(random.integer(0, 2));
  if (c.rope.mode != RopeMode::none) {
    c.rope.dim = 2 * static_cast<int>(random.integer(1, c.dim_qk / 2));
    c.qo_heads = static_cast<int>(random.integer(0, 6));
    c.in_place = random.chance(0.5);
    c.rope_positions = random.chance(0.3);
    c.norm = random.chance(0.3);
    if (!c.in_place && random.chance(0.3)) c.dtype_q_out = DType::e4m3, c.q_scale = 0.1f;
  }
  if (random.chance(0.5)) c.k_scale = static_cast<float>(0.01 + random.uniform());
  if (random.chance(0.5)) c.v_scale = static_cast<float>(0.01 + 3 * random.uniform());
  c.pad = random.integer(0, 3);
  c.kv_lens.clear(), c.new_tokens.clear();
  for (int64_t r = random.integer(0, 6); r > 0; --r) {
    c.kv_lens.push_back(static_cast<int>(random.integer(0, 50)));
    c.new_tokens.push_back(static_cast<int>(random.integer(0, c.kv_lens.back())));
  }
  return c;
}

AppendCase append_product_case(DType dtype, DType dtype_kv, KvLayout layout, CacheStorage storage) {
  return {.name = "product",
          .dtype = dtype,
          .dtype_kv = dtype_kv,
          .dim_qk = 40,
          .page_size = 4,
          .layout = layout,
          .storage = storage,
          .rope = kNeox,
          .kv_lens = {9, 2},
          .new_tokens = {6, 2}};
}

AppendData make_append_data(const AppendCase& c, uint64_t seed) {
  AppendData data;
  data.owners.reserve(16);
  Random random(seed);
  data.config = {.dtype = c.dtype,
                 .dtype_kv = c.dtype_kv == DType::none ? c.dtype : c.dtype_kv,
                 .num_kv_heads = c.kv_heads,
                 .num_qo_heads = c.qo_heads,
                 .head_dim_qk = c.dim_qk,
                 .head_dim_vo = c.dim_vo == 0 ? c.dim_qk : c.dim_vo,
                 .page_size = c.page_size,
                 .kv_layout = c.layout,
                 .rope = c.rope,
                 .qk_norm = c.norm,
                 .norm_weight_offset = c.offset,
                 .dtype_q_out = c.dtype_q_out == DType::none ? c.dtype : c.dtype_q_out};
  give_where(c, random, data);
  const auto tensor = [&](int64_t heads, int64_t dim) {
    OwnedTensor t(c.dtype, {data.nnz, heads, dim}, c.pad);
    fill_normal(t.view, random);
    return t;
  };
  data.k = tensor(c.kv_heads, c.dim_qk), data.v = tensor(c.kv_heads, data.config.head_dim_vo);
  data.args.k = data.k.view, data.args.v = data.v.view;
  data.args.k_scale = c.k_scale, data.args.v_scale = c.v_scale;
  if (c.head_scales) {
    data.args.k_scales = make_floats({0.5f, 2.0f, 0.3f}, data.owners);
    data.args.v_scales = make_floats({7.0f, 0.1f, 1.0f}, data.owners);
  }
  give_angles(c, random, data);
  const auto weight = [&] {
    OwnedTensor t(c.dtype, {c.dim_qk});
    fill_normal(t.view, random);
    return t;
  };
  if (c.norm) {
    data.k_weight = weight();
    data.args.k_weight = data.k_weight.view;
  }
  if (c.qo_heads == 0) return data;
  if (c.norm) {
    data.q_weight = weight();
    data.args.q_weight = data.q_weight.view;
  }
  data.args.q_scale = c.q_scale;
  data.q = tensor(c.qo_heads, c.dim_qk);
  data.q_given = data.q.clone();
  data.q_out = c.in_place
                   ? data.q
                   : OwnedTensor(data.config.dtype_q_out, {data.nnz, c.qo_heads, c.dim_qk}, c.pad);
  data.args.q = data.q.view, data.args.q_out = data.q_out.view;
  return data;
}

void restore_outputs(const AppendCase& c, AppendData& data) {
  for (Buffer* b : {&data.cache_memory, &data.v_cache_memory}) {
    if (b->size() > 0) b->fill(kPoisonByte);
  }
  if (data.config.num_qo_heads == 0) return;
  if (!c.in_place) data.q_out.poison();
  if (c.in_place) {
    std::copy_n(data.q_given.buffer.data(), data.q_given.buffer.size(), data.q.buffer.data());
  }
}

std::string compare_append(const AppendData& data) {
  Owned first(data.cache_memory), second(data.v_cache_memory);
  const bool separate = data.v_cache_memory.size() > 0;
  std::string wrong = compare_cache(data, true, first);
  if (wrong.empty()) wrong = compare_cache(data, false, separate ? second : first);
  if (wrong.empty()) wrong = first.find_stray();
  if (wrong.empty() && separate) wrong = second.find_stray();
  return wrong.empty() ? compare_q(data) : wrong;
}

}  // namespace weft::cases
