// SPDX-License-Identifier: Apache-2.0
// See topk_case.h.
#include "tests/cases/topk_case.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/oracle/numbers.h"
#include "tests/oracle/topk.h"

namespace weft::cases {
namespace {

const std::vector<TopkCase> kCases = {
    {.name = "k50"},
    {.name = "k50_sorted", .sorted = true},
    {.name = "k1", .k = 1},
    {.name = "k300", .k = 300},
    {.name = "k1999", .k = 1999, .sorted = true},
    {.name = "k_is_len", .k = 2000},
    {.name = "k_beyond_len", .max_len = 700, .k = 2048, .sorted = true},
    {.name = "k4096", .max_len = 9000, .k = 4096, .n = 2, .sorted = true},
    {.name = "f16", .dtype = DType::f16, .sorted = true},
    {.name = "bf16", .k = 200, .dtype = DType::bf16, .pad = 1},
    {.name = "few_values", .k = 700, .spread = TopkValues::few},
    {.name = "few_values_sorted", .k = 700, .sorted = true, .spread = TopkValues::few},
    {.name = "all_equal", .k = 33, .spread = TopkValues::equal},
    {.name = "all_equal_long", .max_len = 9000, .k = 3000, .n = 2, .spread = TopkValues::equal},
    {.name = "special", .k = 1900, .sorted = true, .spread = TopkValues::special},
    {.name = "wide", .k = 600, .sorted = true, .spread = TopkValues::wide},
    {.name = "len_1", .max_len = 1, .k = 1},
    {.name = "len_3", .max_len = 3, .k = 2, .sorted = true, .pad = 3},
    {.name = "lengths", .k = 100, .n = 9, .lengths = true},
    {.name = "lengths_sorted", .k = 100, .n = 9, .sorted = true, .lengths = true},
    {.name = "starts", .k = 100, .n = 6, .lengths = true, .starts = true},
    {.name = "pages", .k = 64, .lengths = true, .pages = true, .values = false},
    {.name = "pages_of_64", .k = 64, .pages = true, .batches = true, .page_size = 64},
    {.name = "offsets", .k = 64, .lengths = true, .offsets = true, .values = false},
    {.name = "no_rows", .n = 0},
    {.name = "k257", .max_len = 16384, .k = 257, .n = 2},
    {.name = "k1000", .max_len = 16384, .k = 1000, .n = 2, .sorted = true},
    {.name = "k2048", .max_len = 16387, .k = 2048, .n = 2},
    {.name = "k2048_lengths", .max_len = 16384, .k = 2048, .n = 6, .lengths = true},
    {.name = "k2048_of_few_more", .max_len = 4100, .k = 2048, .n = 2},
    {.name = "k4096_by_position", .max_len = 16384, .k = 4096, .n = 2},
    {.name = "k4096_of_one_more", .max_len = 4097, .k = 4096, .n = 2, .sorted = true},
    {.name = "many_f16", .max_len = 16384, .k = 1000, .n = 2, .dtype = DType::f16},
    {.name = "many_bf16",
     .max_len = 16384,
     .k = 1000,
     .n = 2,
     .dtype = DType::bf16,
     .sorted = true},
    {.name = "many_rising", .max_len = 16384, .k = 600, .n = 2, .spread = TopkValues::rising},
    {.name = "many_falling",
     .max_len = 16384,
     .k = 1500,
     .n = 2,
     .sorted = true,
     .spread = TopkValues::falling},
    {.name = "many_clustered",
     .max_len = 16384,
     .k = 1000,
     .n = 3,
     .spread = TopkValues::clustered},
    {.name = "many_masked", .max_len = 16384, .k = 1000, .n = 2, .spread = TopkValues::masked},
    {.name = "more_than_masks_leave",
     .max_len = 16384,
     .k = 2048,
     .n = 2,
     .sorted = true,
     .spread = TopkValues::masked},
    {.name = "many_equal", .max_len = 16384, .k = 1000, .n = 2, .spread = TopkValues::equal},
    {.name = "many_ties",
     .max_len = 16384,
     .k = 3000,
     .n = 2,
     .sorted = true,
     .spread = TopkValues::few},
    {.name = "many_special", .max_len = 16384, .k = 1000, .n = 2, .spread = TopkValues::special},
    {.name = "many_pages",
     .max_len = 16384,
     .k = 512,
     .lengths = true,
     .pages = true,
     .batches = true,
     .page_size = 64},
    {.name = "many_offsets", .max_len = 16384, .k = 512, .lengths = true, .offsets = true},
};

double value_of(TopkValues spread, Random& random, double where) {
  switch (spread) {
    case TopkValues::normal:
      return random.normal();
    case TopkValues::few:
      return static_cast<double>(random.integer(-2, 2));
    case TopkValues::equal:
      return -7.5;
    case TopkValues::special: {
      constexpr double kSpecial[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e-40, -1e-40, 1.0};
      return kSpecial[random.integer(0, 7)];
    }
    case TopkValues::wide:
      return random.normal() * std::exp(30 * random.normal());
    case TopkValues::rising:
      return where;
    case TopkValues::falling:
      return -where;
    case TopkValues::clustered:
      return random.normal() + (where > 0.3 && where < 0.35 ? 50 : 0);
    case TopkValues::masked:
      return random.chance(0.1) ? random.normal() : -INFINITY;
  }
  return 0;
}

template <class F>
TensorView integers(TopkData& data, std::vector<int64_t> shape, F&& value) {
  data.inputs.emplace_back(DType::i32, shape);
  const TensorView& view = data.inputs.back().view;
  for (int64_t i = 0; i < view.numel(); ++i) {
    static_cast<int32_t*>(view.data)[i] = static_cast<int32_t>(value(i));
  }
  return view;
}

bool same_value(const char* got, const char* wanted, DType dtype) {
  return std::memcmp(got, wanted, static_cast<size_t>(size_of(dtype))) == 0;
}

std::string compare_row(const TopkData& data, int64_t i) {
  const TopkArgs& args = data.args;
  const std::vector<oracle::TopkEntry> row = oracle::topk_row(data.config, args, i);
  const int64_t start = args.row_starts.given() ? oracle::int_at(args.row_starts, i) : 0;
  for (int64_t e = 0; e < data.config.k; ++e) {
    const bool exists = e < static_cast<int64_t>(row.size());
    const int64_t wanted = exists ? row[static_cast<size_t>(e)].index : -1;
    const int32_t got = *reinterpret_cast<const int32_t*>(oracle::address(args.indices, {i, e}));
    if (got != wanted) {
      return "index " + std::to_string(e) + " expected " + std::to_string(wanted) + ", got " +
             std::to_string(got);
    }
    if (!args.values.given()) continue;
    const char* value = oracle::address(args.values, {i, e});
    const bool right =
        exists ? same_value(
                     value,
                     oracle::address(args.input, {i, start + row[static_cast<size_t>(e)].position}),
                     args.values.dtype)
               : std::isinf(oracle::at(args.values, {i, e}));
    if (!right) return "value " + std::to_string(e);
  }
  return "";
}

}  // namespace

const std::vector<TopkCase>& topk_cases() { return kCases; }

TopkCase random_topk_case(Random& random, int max_len) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16};
  TopkCase c{.name = "random"};
  c.max_len = static_cast<int>(random.integer(1, max_len));
  c.k = static_cast<int>(random.integer(1, random.chance(0.5) ? 60 : 2500));
  c.n = static_cast<int>(random.integer(0, 4));
  c.dtype = kTypes[random.integer(0, 2)];
  c.sorted = random.chance(0.5);
  c.spread = static_cast<TopkValues>(random.integer(0, 8));
  c.lengths = random.chance(0.5);
  c.starts = random.chance(0.2);
  c.pages = random.chance(0.3);
  c.batches = c.pages && random.chance(0.5);
  c.offsets = !c.pages && random.chance(0.3);
  c.page_size = static_cast<int>(random.integer(1, 20));
  c.pad = random.integer(0, 3);
  return c;
}

TopkData make_topk_data(const TopkCase& c, uint64_t seed) {
  TopkData data;
  Random random(seed);
  data.config = {.dtype = c.dtype,
                 .max_len = c.max_len,
                 .k = c.k,
                 .sorted = c.sorted,
                 .page_size = c.page_size};
  const int64_t n = c.n;
  data.inputs.reserve(8);
  data.inputs.emplace_back(c.dtype, std::vector<int64_t>{n, c.max_len}, c.pad);
  TopkArgs& args = data.args;
  args.input = data.inputs.back().view;
  for_each_element(args.input, [&](char* at, int64_t i) {
    const double where = static_cast<double>(i % c.max_len) / c.max_len;
    oracle::encode(at, c.dtype, 0, value_of(c.spread, random, where));
  });
  std::vector<int64_t> starts(static_cast<size_t>(n));
  if (c.starts) {
    args.row_starts = integers(data, {n}, [&](int64_t i) {
      return starts[static_cast<size_t>(i)] = random.integer(0, c.max_len);
    });
  }
  if (c.lengths) {
    args.lengths = integers(data, {n}, [&](int64_t i) {
      const int64_t most = c.max_len - starts[static_cast<size_t>(i)];
      return i == 0 ? most
                    : random.integer(0, random.chance(0.5) ? most : std::min<int64_t>(most, c.k));
    });
  }
  if (c.pages) {
    const int64_t pages = (c.max_len + c.page_size - 1) / c.page_size;
    args.page_table =
        integers(data, {n + 2, pages}, [&](int64_t) { return random.integer(0, 100000); });
  }
  if (c.batches) {
    args.row_to_batch = integers(data, {n}, [&](int64_t i) { return n + 1 - i; });
  }
  if (c.offsets) {
    args.offsets = integers(data, {n}, [&](int64_t) { return random.integer(-50, 1000000); });
  }
  data.indices = OwnedTensor(DType::i32, {n, c.k}, c.pad);
  data.values = OwnedTensor(c.dtype, {n, c.k}, c.pad);
  args.indices = data.indices.view;
  if (c.values) args.values = data.values.view;
  return data;
}

std::string compare_topk(const TopkData& data) {
  for (int64_t i = 0; i < data.args.input.shape[0]; ++i) {
    const std::string wrong = compare_row(data, i);
    if (!wrong.empty()) return "row " + std::to_string(i) + " " + wrong;
  }
  return find_stray_write(data.indices.buffer, data.indices.view, kPoisonByte);
}

}  // namespace weft::cases
