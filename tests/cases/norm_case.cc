// SPDX-License-Identifier: Apache-2.0
// See norm_case.h.
#include "tests/cases/norm_case.h"

#include <algorithm>
#include <cmath>

#include "tests/oracle/norm.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {
namespace {

const std::vector<NormCase> kCases = {
    {.name = "bf16"},
    {.name = "f16", .dtype = DType::f16},
    {.name = "f32", .dtype = DType::f32},
    {.name = "bf16_4096", .hidden = 4096},
    {.name = "bf16_8192_residual", .n = 3, .hidden = 8192, .residual = true},
    {.name = "in_place", .hidden = 512, .in_place = true},
    {.name = "residual_in_place", .hidden = 512, .residual = true, .in_place = true},
    {.name = "residual_f16", .dtype = DType::f16, .hidden = 384, .residual = true},
    {.name = "residual_f32_padded", .dtype = DType::f32, .hidden = 100, .residual = true, .pad = 3},
    {.name = "gemma", .hidden = 2304, .offset = 1},
    {.name = "gemma_residual_in_place",
     .hidden = 640,
     .residual = true,
     .in_place = true,
     .offset = 1},
    {.name = "weight_f32", .dtype_weight = DType::f32},
    {.name = "weight_f32_f16", .dtype = DType::f16, .dtype_weight = DType::f32, .hidden = 136},
    {.name = "weight_absent", .weight = NormCase::absent},
    {.name = "eps_only", .magnitude = 1e-4},
    {.name = "large", .magnitude = 1e4},
    {.name = "to_e4m3", .dtype_out = DType::e4m3, .scale = 0.03125f},
    {.name = "to_e4m3_saturates", .dtype_out = DType::e4m3, .hidden = 512, .scale = 0.004f},
    {.name = "to_e5m2", .dtype = DType::f16, .dtype_out = DType::e5m2, .scale = 3.0f},
    {.name = "to_e4m3_residual",
     .dtype_out = DType::e4m3,
     .hidden = 4096,
     .residual = true,
     .scale = 0.02f,
     .scales = true},
    {.name = "to_e5m2_f32_odd", .dtype = DType::f32, .dtype_out = DType::e5m2, .hidden = 37},
    {.name = "f32_to_bf16", .dtype = DType::f32, .dtype_out = DType::bf16},
    {.name = "f16_to_f32_scaled", .dtype = DType::f16, .dtype_out = DType::f32, .scale = 0.7f},
    {.name = "layer", .kind = NormKind::layer, .bias = true, .mean = 0.5},
    {.name = "layer_f32_weight",
     .dtype_weight = DType::f32,
     .kind = NormKind::layer,
     .hidden = 768,
     .bias = true},
    {.name = "layer_far_from_zero",
     .dtype = DType::f32,
     .kind = NormKind::layer,
     .hidden = 1000,
     .mean = 30},
    {.name = "layer_without_affine",
     .dtype = DType::f16,
     .kind = NormKind::layer,
     .hidden = 333,
     .weight = NormCase::absent},
    {.name = "layer_residual_to_e4m3",
     .dtype_out = DType::e4m3,
     .kind = NormKind::layer,
     .hidden = 512,
     .residual = true,
     .bias = true,
     .scale = 0.05f},
    {.name = "layer_one", .dtype = DType::f32, .kind = NormKind::layer, .hidden = 1, .bias = true},
    {.name = "hidden_1", .dtype = DType::f32, .n = 70, .hidden = 1},
    {.name = "hidden_2", .n = 131, .hidden = 2},
    {.name = "hidden_7_padded", .n = 33, .hidden = 7, .pad = 1},
    {.name = "hidden_63", .dtype = DType::f16, .hidden = 63},
    {.name = "hidden_1025_padded", .hidden = 1025, .pad = 5},
    {.name = "hidden_5120", .n = 2, .hidden = 5120},
    {.name = "hidden_12288", .n = 2, .hidden = 12288},
    {.name = "hidden_40000", .n = 2, .hidden = 40000},
    {.name = "hidden_50000_layer_residual",
     .kind = NormKind::layer,
     .n = 2,
     .hidden = 50000,
     .residual = true,
     .in_place = true,
     .mean = 2},
    {.name = "hidden_100001_f32", .dtype = DType::f32, .n = 1, .hidden = 100001},
    {.name = "heads", .n = 4, .hidden = 128, .heads = 7},
    {.name = "heads_in_place_padded", .n = 3, .hidden = 64, .heads = 5, .in_place = true, .pad = 8},
    {.name = "heads_own_weights_layer",
     .kind = NormKind::layer,
     .n = 3,
     .hidden = 96,
     .heads = 6,
     .weight = NormCase::per_head,
     .bias = true},
    {.name = "heads_gemma_256", .n = 3, .hidden = 256, .heads = 4, .offset = 1},
    {.name = "heads_to_e4m3_scales",
     .dtype_out = DType::e4m3,
     .n = 9,
     .hidden = 80,
     .heads = 3,
     .scale = 0.06f,
     .scales = true},
    {.name = "heads_residual_odd",
     .dtype = DType::f16,
     .n = 3,
     .hidden = 33,
     .heads = 3,
     .residual = true,
     .pad = 1},
    {.name = "no_rows", .n = 0},
    {.name = "many_rows", .n = 700, .hidden = 128},
};

std::vector<int64_t> shape_of(const NormCase& c) {
  if (c.heads == 0) return {c.n, c.hidden};
  return {c.n, c.heads, c.hidden};
}

OwnedTensor weights(const NormCase& c, DType dtype, Random& random) {
  const bool rows = c.weight == NormCase::per_head;
  OwnedTensor t(dtype,
                rows ? std::vector<int64_t>{c.heads, c.hidden} : std::vector<int64_t>{c.hidden},
                rows ? c.pad : 0);
  fill_normal(t.view, random);
  return t;
}

std::string compare_row(const NormData& data, const NormArgs& given, int64_t token, int head) {
  const NormConfig& c = data.config;
  const oracle::NormalisedRow row = oracle::norm_row(c, given, token, head);
  const auto address = [&](const TensorView& t, int64_t d) {
    return c.num_heads == 0 ? oracle::address(t, {token, d}) : oracle::address(t, {token, head, d});
  };
  for (int64_t d = 0; d < c.hidden; ++d) {
    const auto i = static_cast<size_t>(d);
    std::string wrong =
        compare_rounded(address(data.args.out, d), c.dtype_out, row.y[i], row.error[i]);
    if (wrong.empty() && c.residual) {
      wrong = compare_rounded(address(data.args.residual, d), c.dtype, row.residual[i], 0);
      if (!wrong.empty()) wrong = "residual " + wrong;
    }
    if (!wrong.empty()) return "element " + std::to_string(d) + ": " + wrong;
  }
  return "";
}

}  // namespace

const std::vector<NormCase>& norm_cases() { return kCases; }

NormCase random_norm_case(Random& random) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::e4m3, DType::e5m2};
  NormCase c{.name = "random"};
  c.dtype = kTypes[random.integer(0, 2)];
  c.dtype_out = random.chance(0.5) ? DType::none : kTypes[random.integer(0, 4)];
  c.dtype_weight = random.chance(0.5) ? DType::none : DType::f32;
  c.kind = random.chance(0.5) ? NormKind::rms : NormKind::layer;
  c.n = static_cast<int>(random.integer(0, 9));
  c.hidden =
      static_cast<int>(random.chance(0.5) ? random.integer(1, 300) * 8 : random.integer(1, 500));
  c.heads = static_cast<int>(random.chance(0.5) ? 0 : random.integer(1, 4));
  c.residual = random.chance(0.5);
  c.in_place = c.dtype_out == DType::none && random.chance(0.5);
  c.weight = random.chance(0.2)                  ? NormCase::absent
             : c.heads > 0 && random.chance(0.5) ? NormCase::per_head
                                                 : NormCase::one;
  c.bias = c.kind == NormKind::layer && random.chance(0.5);
  c.offset = c.weight != NormCase::absent && random.chance(0.3) ? 1.0f : 0.0f;
  c.scale = static_cast<float>(0.05 + random.uniform());
  c.scales = random.chance(0.3);
  c.mean = random.normal();
  c.pad = random.chance(0.4) ? random.integer(1, 9) : 0;
  return c;
}

NormData make_norm_data(const NormCase& c, uint64_t seed) {
  NormData data;
  Random random(seed);
  data.config = {.dtype = c.dtype,
                 .dtype_out = c.dtype_out == DType::none ? c.dtype : c.dtype_out,
                 .dtype_weight = c.dtype_weight == DType::none ? c.dtype : c.dtype_weight,
                 .hidden = c.hidden,
                 .num_heads = c.heads,
                 .kind = c.kind,
                 .residual = c.residual,
                 .weight_offset = c.offset};
  const auto tensor = [&] {
    OwnedTensor t(c.dtype, shape_of(c), c.pad);
    for_each_element(t.view, [&](char* at, int64_t) {
      oracle::encode(at, c.dtype, 0, (random.normal() + c.mean) * c.magnitude);
    });
    return t;
  };
  data.x = tensor();
  data.x_given = data.x.clone();
  data.out = c.in_place ? data.x : OwnedTensor(data.config.dtype_out, shape_of(c), c.pad);
  data.args.x = data.x.view, data.args.out = data.out.view;
  if (c.residual) {
    data.residual = tensor();
    data.residual_given = data.residual.clone();
    data.args.residual = data.residual.view;
  }
  if (c.weight != NormCase::absent) {
    data.weight = weights(c, data.config.dtype_weight, random);
    data.args.weight = data.weight.view;
  }
  if (c.bias) {
    data.bias = weights(c, data.config.dtype_weight, random);
    data.args.bias = data.bias.view;
  }
  data.args.scale = c.scale;
  if (c.scales) {
    data.scales = OwnedTensor(DType::f32, {std::max(1, c.heads)});
    auto* scales = static_cast<float*>(data.scales.view.data);
    for (int h = 0; h < std::max(1, c.heads); ++h) scales[h] = 0.5f + 0.25f * static_cast<float>(h);
    data.args.scales = data.scales.view;
  }
  return data;
}

void restore_outputs(const NormCase& c, NormData& data) {
  const auto copy = [](const OwnedTensor& from, OwnedTensor& to) {
    std::copy_n(from.buffer.data(), from.buffer.size(), to.buffer.data());
  };
  if (c.in_place) copy(data.x_given, data.x);
  if (!c.in_place) data.out.poison();
  if (c.residual) copy(data.residual_given, data.residual);
}

std::string compare_norm(const NormData& data) {
  NormArgs given = data.args;
  given.x = data.x_given.view;
  if (data.config.residual) given.residual = data.residual_given.view;
  for (int64_t t = 0; t < given.x.shape[0]; ++t) {
    for (int h = 0; h < std::max(1, data.config.num_heads); ++h) {
      const std::string wrong = compare_row(data, given, t, h);
      if (wrong.empty()) continue;
      return "token " + std::to_string(t) + " head " + std::to_string(h) + " " + wrong;
    }
  }
  std::string wrong = find_stray_write(data.out.buffer, data.out.view, kPoisonByte);
  if (wrong.empty() && data.config.residual) {
    wrong = find_stray_write(data.residual.buffer, data.residual.view, kPoisonByte);
  }
  return wrong;
}

}  // namespace weft::cases
