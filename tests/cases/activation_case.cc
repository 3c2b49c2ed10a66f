// SPDX-License-Identifier: Apache-2.0
// See activation_case.h.
#include "tests/cases/activation_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/oracle/activation.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {
namespace {

constexpr ActivationKind kGelu = ActivationKind::gelu, kTanh = ActivationKind::gelu_tanh;

const std::vector<ActivationCase> kCases = {
    {.name = "bf16_silu"},
    {.name = "f16_silu", .dtype = DType::f16},
    {.name = "f32_silu", .dtype = DType::f32},
    {.name = "bf16_gelu", .kind = kGelu},
    {.name = "f16_gelu", .dtype = DType::f16, .kind = kGelu},
    {.name = "f32_gelu", .dtype = DType::f32, .kind = kGelu},
    {.name = "bf16_gelu_tanh", .kind = kTanh},
    {.name = "f16_gelu_tanh", .dtype = DType::f16, .kind = kTanh},
    {.name = "f32_gelu_tanh", .dtype = DType::f32, .kind = kTanh},
    {.name = "silu_large", .dtype = DType::f32, .magnitude = 60},
    {.name = "gelu_large", .dtype = DType::f32, .kind = kGelu, .magnitude = 40},
    {.name = "gelu_tanh_large", .dtype = DType::f32, .kind = kTanh, .magnitude = 40},
    {.name = "gelu_small", .dtype = DType::f32, .kind = kGelu, .magnitude = 1e-3},
    {.name = "to_e4m3", .dtype_out = DType::e4m3, .scale = 0.05f},
    {.name = "to_e4m3_gelu_tanh", .dtype_out = DType::e4m3, .kind = kTanh, .scales = true},
    {.name = "to_e5m2_f32", .dtype = DType::f32, .dtype_out = DType::e5m2, .scale = 1.5f},
    {.name = "f32_to_bf16", .dtype = DType::f32, .dtype_out = DType::bf16},
    {.name = "f16_to_f32", .dtype = DType::f16, .dtype_out = DType::f32},
    {.name = "in_place", .in_place = true},
    {.name = "in_place_gelu_padded", .kind = kGelu, .hidden = 72, .in_place = true, .pad = 8},
    {.name = "width_1", .n = 40, .hidden = 1},
    {.name = "width_7_padded", .hidden = 7, .pad = 1},
    {.name = "width_100", .dtype = DType::f16, .hidden = 100, .pad = 4},
    {.name = "width_1001", .hidden = 1001},
    {.name = "width_14336", .n = 2, .hidden = 14336},
    {.name = "width_20003_f32", .dtype = DType::f32, .n = 1, .hidden = 20003},
    {.name = "no_rows", .n = 0},
    {.name = "many_rows", .n = 600, .hidden = 64},
};

}  // namespace

const std::vector<ActivationCase>& activation_cases() { return kCases; }

ActivationCase random_activation_case(Random& random) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::e4m3, DType::e5m2};
  ActivationCase c{.name = "random"};
  c.dtype = kTypes[random.integer(0, 2)];
  c.dtype_out = random.chance(0.5) ? DType::none : kTypes[random.integer(0, 4)];
  c.kind = static_cast<ActivationKind>(random.integer(0, 2));
  c.n = static_cast<int>(random.integer(0, 9));
  c.hidden =
      static_cast<int>(random.chance(0.5) ? random.integer(1, 60) * 8 : random.integer(1, 500));
  c.in_place = c.dtype_out == DType::none && random.chance(0.5);
  c.scale = static_cast<float>(0.05 + random.uniform());
  c.scales = random.chance(0.3);
  c.pad = random.chance(0.4) ? random.integer(1, 9) : 0;
  return c;
}

ActivationData make_activation_data(const ActivationCase& c, uint64_t seed) {
  ActivationData data;
  Random random(seed);
  data.config = {.dtype = c.dtype,
                 .dtype_out = c.dtype_out == DType::none ? c.dtype : c.dtype_out,
                 .kind = c.kind,
                 .hidden = c.hidden};
  data.x = OwnedTensor(c.dtype, {c.n, 2 * c.hidden}, c.pad);
  fill_normal(data.x.view, random, c.magnitude);
  data.x_given = data.x.clone();
  data.args.x = data.x.view;
  if (c.in_place) {
    data.args.out = data.x.view.slice(1, 0, c.hidden);
  } else {
    data.out = OwnedTensor(data.config.dtype_out, {c.n, c.hidden}, c.pad);
    data.args.out = data.out.view;
  }
  data.args.scale = c.scale;
  if (c.scales) {
    data.scales = OwnedTensor(DType::f32, {1});
    *static_cast<float*>(data.scales.view.data) = 0.375f;
    data.args.scales = data.scales.view;
  }
  return data;
}

void restore_outputs(const ActivationCase& c, ActivationData& data) {
  if (!c.in_place) return data.out.poison();
  std::copy_n(data.x_given.buffer.data(), data.x_given.buffer.size(), data.x.buffer.data());
}

std::string compare_activation(const ActivationCase& c, const ActivationData& data) {
  ActivationArgs given = data.args;
  given.x = data.x_given.view;
  for (int64_t row = 0; row < c.n; ++row) {
    for (int64_t d = 0; d < c.hidden; ++d) {
      const double exact = oracle::activated(data.config, given, row, d);
      // An exponent is off by 6e-8 of itself; results below 2^-126 may be flushed.
      const double x = oracle::at(given.x, {row, d});
      const double up = std::fabs(oracle::at(given.x, {row, c.hidden + d}));
      const double error = std::fabs(exact) * (1.5e-6 + 3e-7 * std::fmin(x * x, 200)) +
                           1e-30 * (1 + up / static_cast<double>(c.scale));
      const std::string wrong = compare_rounded(oracle::address(data.args.out, {row, d}),
                                                data.config.dtype_out, exact, error);
      if (wrong.empty()) continue;
      return "row " + std::to_string(row) + " element " + std::to_string(d) + " of x " +
             std::to_string(x) + ": " + wrong;
    }
  }
  if (!c.in_place) return find_stray_write(data.out.buffer, data.out.view, kPoisonByte);
  for (int64_t row = 0; row < c.n; ++row) {
    if (std::memcmp(oracle::address(data.x.view, {row, c.hidden}),
                    oracle::address(given.x, {row, c.hidden}),
                    static_cast<size_t>(c.hidden * size_of(c.dtype))) != 0) {
      return "the right half was written";
    }
  }
  return data.x.buffer.fences_intact() ? "" : "a fence was written";
}

}  // namespace weft::cases
