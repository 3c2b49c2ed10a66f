// SPDX-License-Identifier: Apache-2.0
// See merge_case.h.
#include "tests/cases/merge_case.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/oracle/merge.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

const std::vector<MergeCase> kCases = {
    {.name = "bf16"},
    {.name = "f16", .dtype = DType::f16, .states = 2},
    {.name = "f32", .dtype = DType::f32},
    {.name = "f32_to_bf16", .dtype = DType::f32, .dtype_o = DType::bf16, .heads = 17},
    {.name = "f32_to_f16", .dtype = DType::f32, .dtype_o = DType::f16, .pad = 3},
    {.name = "bf16_to_f32", .dtype_o = DType::f32},
    {.name = "f16_to_bf16", .dtype = DType::f16, .dtype_o = DType::bf16},
    {.name = "base2", .dtype = DType::f32, .base2 = true},
    {.name = "without_lse", .lse = false},
    {.name = "no_state", .dtype = DType::f32, .states = 0},
    {.name = "one_state", .dtype = DType::f32, .states = 1},
    {.name = "eight_states", .dtype = DType::f32, .states = 8},
    {.name = "nine_states", .dtype = DType::f32, .states = 9},
    {.name = "hundred_states_padded", .states = 100, .heads = 5, .pad = 1},
    {.name = "equal_lse", .dtype = DType::f32, .states = 7, .spread = LseSpread::equal},
    {.name = "wide_lse", .dtype = DType::f32, .states = 7, .spread = LseSpread::wide},
    {.name = "some_empty",
     .dtype = DType::f32,
     .states = 4,
     .heads = 33,
     .spread = LseSpread::some_empty},
    {.name = "some_empty_base2", .states = 12, .base2 = true, .spread = LseSpread::some_empty},
    {.name = "all_empty", .dtype = DType::f32, .spread = LseSpread::all_empty},
    {.name = "one_head", .heads = 1, .pad = 2},
    {.name = "heads_16", .heads = 16},
    {.name = "heads_40_padded", .heads = 40, .pad = 3},
    {.name = "head_dim_1", .dtype = DType::f32, .head_dim = 1},
    {.name = "head_dim_7_padded", .head_dim = 7, .pad = 1},
    {.name = "head_dim_80", .dtype = DType::f16, .head_dim = 80},
    {.name = "head_dim_128", .states = 20, .heads = 32, .head_dim = 128},
    {.name = "head_dim_576", .heads = 16, .head_dim = 576},
    {.name = "head_dim_1024", .dtype = DType::f32, .states = 11, .heads = 6, .head_dim = 1024},
    {.name = "no_rows", .n = 0},
    {.name = "many_rows", .n = 300, .states = 2, .heads = 8, .head_dim = 128},
};

const std::vector<MergePairCase> kPairCases = {
    {.name = "apart"},
    {.name = "apart_padded", .pad = 3},
    {.name = "without_lse", .lse = MergePairCase::none},
    {.name = "into_a", .o = MergePairCase::into_a, .lse = MergePairCase::lse_a},
    {.name = "into_a_padded", .o = MergePairCase::into_a, .lse = MergePairCase::lse_a, .pad = 2},
    {.name = "into_a_lse_apart", .o = MergePairCase::into_a},
    {.name = "into_b", .o = MergePairCase::into_b, .lse = MergePairCase::lse_b},
    {.name = "crossed", .o = MergePairCase::into_b, .lse = MergePairCase::lse_a},
    {.name = "masked", .mask = true},
    {.name = "masked_into_a",
     .o = MergePairCase::into_a,
     .lse = MergePairCase::lse_a,
     .mask = true},
};

double draw_lse(LseSpread spread, Random& random) {
  switch (spread) {
    case LseSpread::usual:
      return 5 + 2 * random.normal();
    case LseSpread::equal:
      return 3.25;
    case LseSpread::wide:
      return random.normal() * 400;
    case LseSpread::some_empty:
      return random.chance(0.5) ? -kInf : random.normal();
    case LseSpread::all_empty:
      return -kInf;
  }
  return 0;
}

// An empty state's o holds NaN: it must not matter.
void fill_states(const TensorView& o, const TensorView& lse, LseSpread spread, Random& random) {
  fill_normal(o, random);
  for (int64_t n = 0; n < o.shape[0]; ++n) {
    for (int64_t s = 0; s < o.shape[1]; ++s) {
      for (int64_t h = 0; h < o.shape[2]; ++h) {
        const double x = draw_lse(spread, random);
        oracle::encode(oracle::address(lse, {n, s, h}), DType::f32, 0, x);
        if (!std::isinf(x)) continue;
        for (int64_t d = 0; d < o.shape[3]; ++d) {
          oracle::encode(oracle::address(o, {n, s, h, d}), o.dtype, 0, NAN);
        }
      }
    }
  }
}

// One (row, head) against its exact state. An f32 lse near L is spaced 6e-8 L: that is the relative
// error of a weight, and more states add more roundings.
std::string compare_state(const oracle::State& exact, const std::vector<double>& abs_o, int states,
                          double largest_lse, const char* o, DType dtype_o, const char* lse) {
  const double relative = 1e-6 + 1.2e-7 * (states + std::fabs(largest_lse));
  for (size_t d = 0; d < exact.o.size(); ++d) {
    const std::string wrong = compare_rounded(o + static_cast<int64_t>(d) * size_of(dtype_o),
                                              dtype_o, exact.o[d], relative * abs_o[d]);
    if (!wrong.empty()) return "o[" + std::to_string(d) + "] " + wrong;
  }
  if (lse == nullptr) return "";
  const std::string wrong = compare_rounded(lse, DType::f32, exact.lse, relative);
  return wrong.empty() ? "" : "lse " + wrong;
}

}  // namespace

const std::vector<MergeCase>& merge_cases() { return kCases; }
const std::vector<MergePairCase>& merge_pair_cases() { return kPairCases; }

MergeCase random_merge_case(Random& random) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::none};
  MergeCase c{.name = "random"};
  c.dtype = kTypes[random.integer(0, 2)];
  c.dtype_o = kTypes[random.integer(0, 3)];
  c.n = static_cast<int>(random.integer(0, 8));
  c.states = static_cast<int>(random.integer(0, 20));
  c.heads = static_cast<int>(random.integer(1, 36));
  c.head_dim = static_cast<int>(random.integer(1, 150));
  c.base2 = random.chance(0.5);
  c.lse = random.chance(0.7);
  c.spread = static_cast<LseSpread>(random.integer(0, 3));
  c.pad = random.integer(0, 3);
  return c;
}

MergeData make_merge_data(const MergeCase& c, uint64_t seed) {
  MergeData data;
  Random random(seed);
  data.config = {.dtype = c.dtype,
                 .dtype_o = c.dtype_o,
                 .num_heads = c.heads,
                 .head_dim = c.head_dim,
                 .lse_base2 = c.base2};
  data.o_in = OwnedTensor(c.dtype, {c.n, c.states, c.heads, c.head_dim}, c.pad);
  data.lse_in = OwnedTensor(DType::f32, {c.n, c.states, c.heads}, c.pad);
  fill_states(data.o_in.view, data.lse_in.view, c.spread, random);
  const DType dtype_o = c.dtype_o == DType::none ? c.dtype : c.dtype_o;
  data.o = OwnedTensor(dtype_o, {c.n, c.heads, c.head_dim}, c.pad);
  data.lse = OwnedTensor(DType::f32, {c.n, c.heads}, c.pad);
  data.args = {.o_in = data.o_in.view, .lse_in = data.lse_in.view, .o = data.o.view};
  if (c.lse) data.args.lse = data.lse.view;
  return data;
}

std::string compare_merge(const MergeData& data) {
  const TensorView& o_in = data.args.o_in;
  for (int64_t n = 0; n < o_in.shape[0]; ++n) {
    for (int h = 0; h < data.config.num_heads; ++h) {
      const oracle::State exact = oracle::merge_row(data.config, data.args, n, h);
      std::vector<double> abs_o(static_cast<size_t>(data.config.head_dim));
      double largest = 0;
      for (int64_t s = 0; s < o_in.shape[1]; ++s) {
        const double lse = oracle::at(data.args.lse_in, {n, s, h});
        if (std::isinf(lse)) continue;
        largest = std::max(largest, std::fabs(lse));
        const double w =
            data.config.lse_base2 ? std::exp2(lse - exact.lse) : std::exp(lse - exact.lse);
        for (int64_t d = 0; d < data.config.head_dim; ++d) {
          abs_o[static_cast<size_t>(d)] += w * std::fabs(oracle::at(o_in, {n, s, h, d}));
        }
      }
      const char* lse = data.args.lse.given() ? oracle::address(data.args.lse, {n, h}) : nullptr;
      const std::string wrong =
          compare_state(exact, abs_o, static_cast<int>(o_in.shape[1]), largest,
                        oracle::address(data.args.o, {n, h, 0}), data.args.o.dtype, lse);
      if (!wrong.empty()) {
        return "row " + std::to_string(n) + " head " + std::to_string(h) + " " + wrong;
      }
    }
  }
  return "";
}

std::string compare_merge_exactly(const MergeCase& c, const MergeData& data) {
  std::string wrong = compare_merge(data);
  if (wrong.empty()) wrong = find_stray_write(data.o.buffer, data.o.view, kPoisonByte);
  const TensorView written = c.lse ? data.lse.view : data.lse.view.slice(0, 0, 0);
  if (wrong.empty()) wrong = find_stray_write(data.lse.buffer, written, kPoisonByte);
  return wrong;
}

MergePairData make_pair_data(const MergePairCase& c, DType dtype) {
  MergeCase base{.name = c.name,
                 .dtype = dtype,
                 .n = 9,
                 .states = 2,
                 .heads = 19,
                 .head_dim = 72,
                 .spread = LseSpread::some_empty};
  MergePairData pair{.all = make_merge_data(base, 5)};
  MergeData& data = pair.all;
  const auto state = [&](const TensorView& all, int64_t s) {
    const TensorView from = all.select(1, s);
    OwnedTensor t(from.dtype, {from.shape.begin(), from.shape.begin() + from.ndim}, c.pad);
    std::vector<char*> source;
    for_each_element(from, [&](char* at, int64_t) { source.push_back(at); });
    for_each_element(t.view, [&](char* at, int64_t n) {
      std::copy_n(source[static_cast<size_t>(n)], size_of(from.dtype), at);
    });
    return t;
  };
  pair.o_a = state(data.args.o_in, 0), pair.o_b = state(data.args.o_in, 1);
  pair.lse_a = state(data.args.lse_in, 0), pair.lse_b = state(data.args.lse_in, 1);
  pair.mask = OwnedTensor(DType::u8, {base.n});
  for (int64_t n = 0; n < base.n && c.mask; ++n) {
    pair.mask.buffer.data()[n] = static_cast<char>(n % 3);
    if (n % 3 != 0) continue;  // a masked state is an empty one
    for (int h = 0; h < base.heads; ++h) {
      oracle::encode(oracle::address(data.args.lse_in, {n, 1, h}), DType::f32, 0, -kInf);
    }
  }
  MergePairArgs& args = pair.args;
  args = {.o_a = pair.o_a.view,
          .lse_a = pair.lse_a.view,
          .o_b = pair.o_b.view,
          .lse_b = pair.lse_b.view};
  args.o = c.o == MergePairCase::into_a   ? pair.o_a.view
           : c.o == MergePairCase::into_b ? pair.o_b.view
                                          : data.o.view;
  args.lse = c.lse == MergePairCase::none    ? TensorView()
             : c.lse == MergePairCase::lse_a ? pair.lse_a.view
             : c.lse == MergePairCase::lse_b ? pair.lse_b.view
                                             : data.lse.view;
  if (c.mask) args.mask = pair.mask.view;
  data.args.o = args.o, data.args.lse = args.lse;
  return pair;
}

}  // namespace weft::cases
