// SPDX-License-Identifier: Apache-2.0
// See rope_case.h.
#include "tests/cases/rope_case.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/rope.h"
#include "tests/cases/attention_data.h"
#include "tests/oracle/numbers.h"
#include "tests/oracle/rope.h"

namespace weft::cases {
namespace {

const std::vector<RopeCase> kCases = {
    {.name = "f32_neox"},
    {.name = "f16_neox", .dtype = DType::f16},
    {.name = "bf16_neox", .dtype = DType::bf16},
    {.name = "f32_interleaved", .rope = kInterleavedRope},
    {.name = "f16_interleaved_padded", .dtype = DType::f16, .rope = kInterleavedRope, .pad = 3},
    {.name = "bf16_interleaved_in_place",
     .dtype = DType::bf16,
     .rope = kInterleavedRope,
     .in_place = true},
    {.name = "f32_neox_in_place_padded", .in_place = true, .pad = 5},
    {.name = "bf16_neox_padded", .dtype = DType::bf16, .pad = 1},
    {.name = "llama31", .rope = kLlama31Rope, .head_dim = 128},
    {.name = "llama31_bf16", .dtype = DType::bf16, .rope = kLlama31Rope, .head_dim = 128},
    {.name = "llama31_interleaved_partial",
     .rope = {.mode = RopeMode::interleaved,
              .dim = 64,
              .theta = 500000.0f,
              .scale = 32.0f,
              .llama31 = true,
              .low_freq_factor = 1.5f,
              .high_freq_factor = 5.0f,
              .old_context_len = 4096},
     .head_dim = 96},
    {.name = "scaled_frequencies", .rope = {.mode = RopeMode::neox, .scale = 4.0f}},
    {.name = "faster_frequencies", .rope = {.mode = RopeMode::neox, .scale = 0.125f}},
    {.name = "partial_neox", .rope = {.mode = RopeMode::neox, .dim = 20}, .head_dim = 80},
    {.name = "partial_interleaved",
     .rope = {.mode = RopeMode::interleaved, .dim = 22},
     .head_dim = 80},
    {.name = "partial_in_place",
     .dtype = DType::f16,
     .rope = {.mode = RopeMode::neox, .dim = 32},
     .head_dim = 72,
     .in_place = true},
    {.name = "smallest_head", .qo_heads = 1, .kv_heads = 1, .head_dim = 2},
    {.name = "odd_head_dim", .rope = {.mode = RopeMode::neox, .dim = 6}, .head_dim = 7},
    {.name = "head_dim_112", .dtype = DType::bf16, .head_dim = 112},
    {.name = "largest_rotary_dim", .qo_heads = 1, .kv_heads = 1, .head_dim = 1024},
    {.name = "largest_rotary_dim_interleaved",
     .rope = kInterleavedRope,
     .qo_heads = 1,
     .kv_heads = 1,
     .head_dim = 1024},
    {.name = "without_k", .kv_heads = 0},
    {.name = "positions_i64", .where = RopeWhere::i64},
    {.name = "indptr_and_offsets", .where = RopeWhere::indptr},
    {.name = "indptr_in_place_bf16",
     .dtype = DType::bf16,
     .where = RopeWhere::indptr,
     .in_place = true},
    {.name = "cache_neox", .positions = {0, 31, 7, 7}, .cache = true},
    {.name = "cache_interleaved",
     .rope = kInterleavedRope,
     .positions = {31, 0, 3},
     .cache = true,
     .pad = 3},
    {.name = "cache_partial_i64",
     .dtype = DType::f16,
     .rope = {.mode = RopeMode::neox, .dim = 24},
     .where = RopeWhere::i64,
     .positions = {30, 1},
     .cache = true},
    {.name = "no_tokens", .positions = {}},
    {.name = "no_tokens_indptr", .where = RopeWhere::indptr, .positions = {}},
};

// Requests of 0, 2, 1, 0 and the remaining tokens, each at an offset of its own.
void give_indptr(RopeData& data, size_t nnz) {
  const int n = static_cast<int>(nnz);
  const int two = std::min(n, 2), three = std::min(n, 3);
  data.args.indptr = make_ints({0, 0, two, three, three, n}, data.owners);
  data.args.offsets = make_ints({9, 100, 0, 4, 131071}, data.owners);
}

void give_positions(const RopeCase& c, RopeData& data) {
  const size_t nnz = c.positions.size();
  if (c.where == RopeWhere::indptr) return give_indptr(data, nnz);
  if (c.where == RopeWhere::i32) {
    data.args.positions = make_ints({c.positions.begin(), c.positions.end()}, data.owners);
    return;
  }
  Buffer& memory = data.owners.emplace_back(nnz * 8);
  std::copy(c.positions.begin(), c.positions.end(), reinterpret_cast<int64_t*>(memory.data()));
  data.args.positions = TensorView(memory.data(), DType::i64, {static_cast<int64_t>(nnz)});
}

}  // namespace

const std::vector<RopeCase>& rotation_cases() { return kCases; }

RopeCase random_rope_case(Random& random) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16};
  RopeCase c{.name = "random"};
  c.dtype = kTypes[random.integer(0, 2)];
  c.head_dim = static_cast<int>(random.integer(2, 160));
  c.rope = random.chance(0.3) ? kLlama31Rope : random.chance(0.5) ? kNeoxRope : kInterleavedRope;
  c.rope.dim = static_cast<int>(random.integer(1, c.head_dim / 2)) * 2;
  c.rope.theta = static_cast<float>(random.integer(100, 1000000));
  c.qo_heads = static_cast<int>(random.integer(1, 9));
  c.kv_heads = static_cast<int>(random.integer(0, 3));
  c.where = static_cast<RopeWhere>(random.integer(0, 2));
  c.cache = c.where != RopeWhere::indptr && random.chance(0.3);
  c.in_place = random.chance(0.5);
  c.pad = random.integer(0, 4);
  c.positions.resize(static_cast<size_t>(random.integer(0, 20)));
  for (int64_t& p : c.positions) p = random.integer(0, c.cache ? 31 : 200000);
  return c;
}

RopeData make_rope_data(const RopeCase& c, uint64_t seed) {
  RopeData data;
  data.owners.reserve(8);
  Random random(seed);
  data.config = {.dtype = c.dtype,
                 .num_qo_heads = c.qo_heads,
                 .num_kv_heads = c.kv_heads,
                 .head_dim = c.head_dim,
                 .rope = c.rope};
  const auto nnz = static_cast<int64_t>(c.positions.size());
  const auto tensor = [&](int heads) {
    OwnedTensor t(c.dtype, {nnz, heads, c.head_dim}, c.pad);
    fill_normal(t.view, random);
    return t;
  };
  data.q = tensor(c.qo_heads);
  data.q_given = data.q.clone();
  data.q_out = c.in_place ? data.q : OwnedTensor(c.dtype, {nnz, c.qo_heads, c.head_dim}, c.pad);
  data.args.q = data.q.view, data.args.q_out = data.q_out.view;
  if (c.kv_heads > 0) {
    data.k = tensor(c.kv_heads);
    data.k_given = data.k.clone();
    data.k_out = c.in_place ? data.k : OwnedTensor(c.dtype, {nnz, c.kv_heads, c.head_dim}, c.pad);
    data.args.k = data.k.view, data.args.k_out = data.k_out.view;
  }
  give_positions(c, data);
  if (c.cache) {
    data.cache = OwnedTensor(DType::f32, {32, c.rope.dim == 0 ? c.head_dim : c.rope.dim}, c.pad);
    fill_normal(data.cache.view, random);
    data.args.cos_sin_cache = data.cache.view;
  }
  return data;
}

void restore_outputs(const RopeCase& c, RopeData& data) {
  for (auto [out, given] : {std::pair{&data.q_out, &data.q_given}, {&data.k_out, &data.k_given}}) {
    if (out->buffer.size() == 0) continue;
    if (!c.in_place) out->poison();
    if (c.in_place) std::copy_n(given->buffer.data(), given->buffer.size(), out->buffer.data());
  }
}

// Angles are good to 1.3e-7, f32 arithmetic adds about as much; both scale with the pair.
std::string compare_side(const RopeData& data, const OwnedTensor& given, const TensorView& out) {
  if (!out.given()) return "";
  RopeArgs args = data.args;
  for (int64_t t = 0; t < out.shape[0]; ++t) {
    for (int h = 0; h < out.shape[1]; ++h) {
      const std::vector<double> exact = oracle::rope_row(data.config, args, given.view, t, h);
      const int dim = rope_dim(data.config.rope, data.config.head_dim);
      for (int d = 0; d < data.config.head_dim; ++d) {
        const double x = oracle::at(given.view, {t, h, d});
        double error = 0;
        for (int i = 0; i < dim / 2 && d < dim; ++i) {
          const RopePair pair = rope_pair(data.config.rope.mode, dim, i);
          if (pair.first != d && pair.second != d) continue;
          error = 5e-7 * (std::fabs(oracle::at(given.view, {t, h, pair.first})) +
                          std::fabs(oracle::at(given.view, {t, h, pair.second})));
        }
        const std::string wrong =
            compare_rounded(oracle::address(out, {t, h, d}), out.dtype,
                            d < dim ? exact[static_cast<size_t>(d)] : x, error);
        if (wrong.empty()) continue;
        return "token " + std::to_string(t) + " head " + std::to_string(h) + " element " +
               std::to_string(d) + ": " + wrong;
      }
    }
  }
  return "";
}

std::string compare_rope(const RopeData& data) {
  std::string wrong = compare_side(data, data.q_given, data.args.q_out);
  if (wrong.empty()) wrong = compare_side(data, data.k_given, data.args.k_out);
  for (const OwnedTensor* out : {&data.q_out, &data.k_out}) {
    if (wrong.empty() && out->buffer.size() > 0) {
      wrong = find_stray_write(out->buffer, out->view, kPoisonByte);
    }
  }
  return wrong;
}

}  // namespace weft::cases
