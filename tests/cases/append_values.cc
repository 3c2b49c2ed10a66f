// SPDX-License-Identifier: Apache-2.0
// See append_values.h.
#include "tests/cases/append_values.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "tests/cases/attention_data.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {

OwnedTensor all_patterns(DType dtype) {
  OwnedTensor values(dtype, {1024, 1, 64});
  auto* bits = reinterpret_cast<uint16_t*>(values.buffer.data());
  for (int i = 0; i < 65536; ++i) bits[i] = static_cast<uint16_t>(i);
  return values;
}

OwnedTensor ties_and_edges() {
  OwnedTensor values(DType::f32, {1024, 1, 64});
  auto* x = reinterpret_cast<float*>(values.buffer.data());
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float edges[] = {0.0f,       -0.0f,    kInf,       -kInf,    NAN,      -NAN,       448.0f,
                         464.0f,     464.1f,   57344.0f,   61440.0f, 65504.0f, 65519.9f,   65520.0f,
                         3.4e38f,    -3.4e38f, 1e-45f,     0x1p-9f,  0x1p-10f, 0x1.8p-10f, 0x1p-17f,
                         0x1.8p-17f, 0x1p-25f, 0x1.8p-25f, 0x1p-133f};
  size_t n = 0;
  for (const float edge : edges) x[n++] = edge;
  Random random(1);
  while (n + 3 <= 1024 * 64) {
    // The bits that a format drops set to exactly one half: 20, 21, 13 or 16 of them.
    constexpr int kDropped[] = {20, 21, 13, 16};
    const int dropped = kDropped[random.integer(0, 3)];
    // Magnitudes from 2^-30 to 2^20 half of the time, anything otherwise.
    uint32_t bits = static_cast<uint32_t>(random.next());
    if (random.chance(0.5)) {
      bits = (bits & 0x807fffff) | static_cast<uint32_t>(random.integer(97, 147)) << 23;
    }
    bits = (bits >> dropped << dropped) | 1u << (dropped - 1);
    for (uint32_t b : {bits, bits - 1, bits + 1}) std::memcpy(&x[n++], &b, 4);
  }
  while (n < 1024 * 64) x[n++] = 1.0f;
  return values;
}

ConversionData make_conversion_data(const OwnedTensor& values, DType dtype_kv) {
  const int64_t nnz = values.view.shape[0];
  ConversionData data;
  data.config = {.dtype = values.view.dtype,
                 .dtype_kv = dtype_kv,
                 .num_kv_heads = 1,
                 .head_dim_qk = 64,
                 .page_size = static_cast<int>(nnz)};
  data.values = values;
  data.k = OwnedTensor(dtype_kv, {1, nnz, 1, 64}), data.v = OwnedTensor(dtype_kv, {1, nnz, 1, 64});
  data.owners.reserve(4);
  std::vector<int32_t> positions(static_cast<size_t>(nnz));
  std::iota(positions.begin(), positions.end(), 0);
  AppendArgs& args = data.args;
  args.k = args.v = values.view;
  args.batch_indices = make_ints(std::vector<int32_t>(positions.size(), 0), data.owners);
  args.positions = make_ints(positions, data.owners);
  args.kv_indptr = make_ints({0, 1}, data.owners);
  args.kv_indices = make_ints({0}, data.owners);
  args.k_cache = data.k.view, args.v_cache = data.v.view;
  return data;
}

std::string compare_conversion(const ConversionData& data) {
  const DType dtype = data.config.dtype, dtype_kv = data.config.dtype_kv;
  for (int64_t i = 0; i < data.values.view.numel(); ++i) {
    const double exact = oracle::decode(data.values.buffer.data(), dtype, i);
    const double want = oracle::rounded(dtype_kv, exact);
    for (const OwnedTensor* cache : {&data.k, &data.v}) {
      const double got = oracle::decode(cache->buffer.data(), dtype_kv, i);
      const bool same = std::isnan(want) ? std::isnan(got)
                                         : got == want && std::signbit(got) == std::signbit(want);
      if (same) continue;
      return std::string(name_of(dtype)) + " to " + name_of(dtype_kv) + ": " +
             std::to_string(exact) + " expected " + std::to_string(want) + ", got " +
             std::to_string(got);
    }
  }
  return "";
}

}  // namespace weft::cases
