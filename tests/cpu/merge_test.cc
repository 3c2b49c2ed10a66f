// SPDX-License-Identifier: Apache-2.0
// merge on the CPU against float64: any number of states, pairs in place and masked, every dtype,
// strides, on every instruction set and pool.
#include "tests/oracle/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/cases/executors.h"
#include "tests/cases/targets.h"
#include "tests/cases/tensors.h"
#include "tests/oracle/numbers.h"
#include "weft/error.h"
#include "weft/merge.h"

namespace weft::cases {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// How far apart the lse of states are, and what else is among them.
enum class Spread { usual, equal, wide, some_empty, all_empty };

struct MergeCase {
  const char* name;
  DType dtype = DType::bf16;
  DType dtype_o = DType::none;
  int n = 5;
  int states = 3;
  int heads = 4;
  int head_dim = 64;
  bool base2 = false;
  bool lse = true;  // is asked for
  Spread spread = Spread::usual;
  int64_t pad = 0;
};

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
    {.name = "equal_lse", .dtype = DType::f32, .states = 7, .spread = Spread::equal},
    {.name = "wide_lse", .dtype = DType::f32, .states = 7, .spread = Spread::wide},
    {.name = "some_empty",
     .dtype = DType::f32,
     .states = 4,
     .heads = 33,
     .spread = Spread::some_empty},
    {.name = "some_empty_base2", .states = 12, .base2 = true, .spread = Spread::some_empty},
    {.name = "all_empty", .dtype = DType::f32, .spread = Spread::all_empty},
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

struct MergeData {
  MergeConfig config;
  MergeArgs args;
  OwnedTensor o_in, lse_in, o, lse;
};

double draw_lse(Spread spread, Random& random) {
  switch (spread) {
    case Spread::usual:
      return 5 + 2 * random.normal();
    case Spread::equal:
      return 3.25;
    case Spread::wide:
      return random.normal() * 400;
    case Spread::some_empty:
      return random.chance(0.5) ? -kInf : random.normal();
    case Spread::all_empty:
      return -kInf;
  }
  return 0;
}

// An empty state's o holds NaN: it must not matter.
void fill_states(const TensorView& o, const TensorView& lse, Spread spread, Random& random) {
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

MergeData make_data(const MergeCase& c, uint64_t seed) {
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

std::string compare(const MergeData& data) {
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

std::string check(const MergeCase& c, uint64_t seed) {
  MergeData data = make_data(c, seed);
  for (const Target& target : host_targets()) {
    const Merge op(data.config, target);
    const AllPools pools;
    std::vector<char> first_o, first_lse;
    for (const TestPool* pool : pools.list()) {
      data.o.poison(), data.lse.poison();
      op.run(data.args, pool->executor());
      const std::vector<char> o = bytes_of(data.o.buffer), lse = bytes_of(data.lse.buffer);
      if (pool == pools.list().front()) first_o = o, first_lse = lse;
      if (o != first_o || lse != first_lse) return "other bits on " + pool->name();
    }
    std::string wrong = compare(data);
    if (wrong.empty()) wrong = find_stray_write(data.o.buffer, data.o.view, kPoisonByte);
    const TensorView written = c.lse ? data.lse.view : data.lse.view.slice(0, 0, 0);
    if (wrong.empty()) wrong = find_stray_write(data.lse.buffer, written, kPoisonByte);
    if (!wrong.empty()) return to_string(target) + ": " + wrong;
  }
  return "";
}

class MergeCases : public testing::TestWithParam<MergeCase> {};

TEST_P(MergeCases, MatchFloat64) { EXPECT_EQ(check(GetParam(), hash_of(GetParam().name)), ""); }

INSTANTIATE_TEST_SUITE_P(Merge, MergeCases, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Merge, RandomCasesMatchFloat64) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::none};
  Random random(99);
  for (int i = 0; i < 100; ++i) {
    MergeCase c{.name = "random"};
    c.dtype = kTypes[random.integer(0, 2)];
    c.dtype_o = kTypes[random.integer(0, 3)];
    c.n = static_cast<int>(random.integer(0, 8));
    c.states = static_cast<int>(random.integer(0, 20));
    c.heads = static_cast<int>(random.integer(1, 36));
    c.head_dim = static_cast<int>(random.integer(1, 150));
    c.base2 = random.chance(0.5);
    c.lse = random.chance(0.7);
    c.spread = static_cast<Spread>(random.integer(0, 3));
    c.pad = random.integer(0, 3);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << to_string(make_data(c, 1).config) << ", states " << c.states;
  }
}

// The pair form is the general form of two states, wherever its outputs lie.
struct PairCase {
  const char* name;
  enum { apart, into_a, into_b } o = apart;
  enum { none, fresh, lse_a, lse_b } lse = fresh;
  bool mask = false;
  int64_t pad = 0;
};

std::string check_pair(const PairCase& c, DType dtype, const Target& target) {
  MergeCase base{.name = c.name,
                 .dtype = dtype,
                 .n = 9,
                 .states = 2,
                 .heads = 19,
                 .head_dim = 72,
                 .spread = Spread::some_empty};
  MergeData data = make_data(base, 5);
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
  OwnedTensor o_a = state(data.args.o_in, 0), o_b = state(data.args.o_in, 1);
  OwnedTensor lse_a = state(data.args.lse_in, 0), lse_b = state(data.args.lse_in, 1);
  const OwnedTensor mask(DType::u8, {base.n});
  for (int64_t n = 0; n < base.n && c.mask; ++n) {
    mask.buffer.data()[n] = static_cast<char>(n % 3);
    if (n % 3 != 0) continue;  // a masked state is an empty one
    for (int h = 0; h < base.heads; ++h) {
      oracle::encode(oracle::address(data.args.lse_in, {n, 1, h}), DType::f32, 0, -kInf);
    }
  }
  MergePairArgs args{.o_a = o_a.view, .lse_a = lse_a.view, .o_b = o_b.view, .lse_b = lse_b.view};
  args.o = c.o == PairCase::into_a ? o_a.view : c.o == PairCase::into_b ? o_b.view : data.o.view;
  args.lse = c.lse == PairCase::none    ? TensorView()
             : c.lse == PairCase::lse_a ? lse_a.view
             : c.lse == PairCase::lse_b ? lse_b.view
                                        : data.lse.view;
  if (c.mask) args.mask = mask.view;
  Merge(data.config, target).run(args);
  data.args.o = args.o, data.args.lse = args.lse;
  return compare(data);
}

TEST(Merge, PairsInPlaceAndMasked) {
  const PairCase cases[] = {
      {.name = "apart"},
      {.name = "apart_padded", .pad = 3},
      {.name = "without_lse", .lse = PairCase::none},
      {.name = "into_a", .o = PairCase::into_a, .lse = PairCase::lse_a},
      {.name = "into_a_padded", .o = PairCase::into_a, .lse = PairCase::lse_a, .pad = 2},
      {.name = "into_a_lse_apart", .o = PairCase::into_a},
      {.name = "into_b", .o = PairCase::into_b, .lse = PairCase::lse_b},
      {.name = "crossed", .o = PairCase::into_b, .lse = PairCase::lse_a},
      {.name = "masked", .mask = true},
      {.name = "masked_into_a", .o = PairCase::into_a, .lse = PairCase::lse_a, .mask = true},
  };
  for (const Target& target : host_targets()) {
    for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      for (const PairCase& c : cases) {
        EXPECT_EQ(check_pair(c, dtype, target), "") << c.name << " " << to_string(target);
      }
    }
  }
}

}  // namespace
}  // namespace weft::cases
