// SPDX-License-Identifier: Apache-2.0
// What append does to single values and addresses: every 16-bit pattern into every cache dtype,
// roundings that tie, saturation, offsets beyond 2^32 bytes; and batch_indices_positions.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/cases/attention_data.h"
#include "tests/cases/targets.h"
#include "tests/cases/tensors.h"
#include "tests/oracle/numbers.h"
#include "weft/append.h"

namespace weft::cases {
namespace {

constexpr DType kCacheTypes[] = {DType::f32, DType::f16, DType::bf16, DType::e4m3, DType::e5m2};

/// Appends `values` [nnz, 1, 64] as k and as v of one request to one big page and compares every
/// element with the oracle's rounding, signs of zeros and NaN included.
void check_conversion(const OwnedTensor& values, DType dtype_kv, const Target& target) {
  const DType dtype = values.view.dtype;
  const int64_t nnz = values.view.shape[0];
  const AppendConfig config{.dtype = dtype,
                            .dtype_kv = dtype_kv,
                            .num_kv_heads = 1,
                            .head_dim_qk = 64,
                            .page_size = static_cast<int>(nnz)};
  const OwnedTensor k(dtype_kv, {1, nnz, 1, 64}), v(dtype_kv, {1, nnz, 1, 64});
  std::vector<Buffer> owners;
  owners.reserve(4);
  std::vector<int32_t> positions(static_cast<size_t>(nnz));
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int32_t>(i);
  AppendArgs args;
  args.k = args.v = values.view;
  args.batch_indices = make_ints(std::vector<int32_t>(positions.size(), 0), owners);
  args.positions = make_ints(positions, owners);
  args.kv_indptr = make_ints({0, 1}, owners);
  args.kv_indices = make_ints({0}, owners);
  args.k_cache = k.view, args.v_cache = v.view;
  Append(config, target).run(args);
  for (int64_t i = 0; i < nnz * 64; ++i) {
    const double exact = oracle::decode(values.buffer.data(), dtype, i);
    const double want = oracle::rounded(dtype_kv, exact);
    for (const OwnedTensor* cache : {&k, &v}) {
      const double got = oracle::decode(cache->buffer.data(), dtype_kv, i);
      ASSERT_TRUE(std::isnan(want) ? std::isnan(got)
                                   : got == want && std::signbit(got) == std::signbit(want))
          << to_string(target) << " " << name_of(dtype) << " to " << name_of(dtype_kv) << ": "
          << exact << " expected " << want << ", got " << got;
    }
  }
}

TEST(AppendValues, Every16BitPattern) {
  for (DType dtype : {DType::f16, DType::bf16}) {
    const OwnedTensor values(dtype, {1024, 1, 64});
    auto* bits = reinterpret_cast<uint16_t*>(values.buffer.data());
    for (int i = 0; i < 65536; ++i) bits[i] = static_cast<uint16_t>(i);
    for (const Target& target : host_targets()) {
      for (DType dtype_kv : kCacheTypes) check_conversion(values, dtype_kv, target);
    }
  }
}

// f32 numbers at, just below and just above the midpoints of two neighbours of each format, random
// bits, and the edges of the ranges.
TEST(AppendValues, TiesAndEdgesOfF32) {
  const OwnedTensor values(DType::f32, {1024, 1, 64});
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
  for (const Target& target : host_targets()) {
    for (DType dtype_kv : kCacheTypes) check_conversion(values, dtype_kv, target);
  }
}

// Pages whose first byte lies beyond 2^31 elements and 2^32 bytes: address space, little memory.
TEST(AppendValues, OffsetsBeyond32Bits) {
  constexpr int64_t kPageStride = int64_t{1} << 30;
  const Buffer memory = Buffer::reserve(static_cast<size_t>(5 * kPageStride * 2));
  const auto cache = [&](int64_t first) {
    TensorView view(memory.data() + first * 2, DType::bf16, {5, 4, 2, 64});
    view.strides[0] = kPageStride;
    return view;
  };
  for (const Target& target : host_targets()) {
    OwnedTensor x(DType::bf16, {3, 2, 64});
    Random random(static_cast<uint64_t>(target.isa));
    fill_normal(x.view, random);
    std::vector<Buffer> owners;
    owners.reserve(4);
    AppendArgs args;
    args.k = args.v = x.view;
    args.batch_indices = make_ints({0, 0, 0}, owners);
    args.positions = make_ints({0, 7, 8}, owners);
    args.kv_indptr = make_ints({0, 3}, owners);
    args.kv_indices = make_ints({4, 0, 3}, owners);
    args.k_cache = cache(0), args.v_cache = cache(4096);
    const AppendConfig config{.num_kv_heads = 2, .head_dim_qk = 64, .page_size = 4};
    Append(config, target).run(args);
    const int64_t slots[][2] = {{4, 0}, {0, 3}, {3, 0}};
    for (int64_t t = 0; t < 3; ++t) {
      for (int64_t first : {0, 4096}) {
        const char* at =
            memory.data() + (slots[t][0] * kPageStride + slots[t][1] * 128 + first) * 2;
        EXPECT_EQ(0, std::memcmp(at, oracle::address(x.view, {t, 0, 0}), 256)) << "token " << t;
      }
    }
  }
}

TEST(AppendValues, BatchIndicesAndPositions) {
  std::vector<Buffer> owners;
  owners.reserve(8);
  const TensorView indptr = make_ints({0, 3, 3, 4, 6}, owners);
  const TensorView lens = make_ints({3, 9, 100, 2}, owners);
  const TensorView requests = make_ints(std::vector<int32_t>(8, -7), owners);
  const TensorView positions = make_ints(std::vector<int32_t>(8, -7), owners);
  batch_indices_positions(indptr, lens, requests, positions);
  const int32_t want_requests[] = {0, 0, 0, 2, 3, 3, -7, -7};
  const int32_t want_positions[] = {0, 1, 2, 99, 0, 1, -7, -7};
  for (int64_t t = 0; t < 8; ++t) {
    EXPECT_EQ(oracle::int_at(requests, t), want_requests[t]) << t;
    EXPECT_EQ(oracle::int_at(positions, t), want_positions[t]) << t;
  }
  const TensorView empty = make_ints({0}, owners), none = make_ints({}, owners);
  EXPECT_NO_THROW(batch_indices_positions(empty, none, requests, positions));
}

TEST(AppendValues, ExplainsItself) {
  const AppendConfig config{.dtype_kv = DType::e4m3,
                            .num_kv_heads = 8,
                            .num_qo_heads = 32,
                            .head_dim_qk = 128,
                            .page_size = 16,
                            .rope = {.mode = RopeMode::neox, .theta = 500000.0f}};
  const std::string text = Append(config).explain();
  EXPECT_NE(
      text.find("append bf16 into e4m3, kv heads 8, head_dim 128, page_size 16 nhd, rope neox "
                "dim 128 theta 500000, q heads 32, checked"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("unit: cpu_"), std::string::npos) << text;
  EXPECT_EQ(Append(config).config().head_dim_vo, 128);
}

}  // namespace
}  // namespace weft::cases
