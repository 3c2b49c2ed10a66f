// SPDX-License-Identifier: Apache-2.0
// What append does to single values and addresses: every 16-bit pattern into every cache dtype,
// roundings that tie, saturation, offsets beyond 2^32 bytes; and batch_indices_positions.
#include "tests/cases/append_values.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/cases/attention_data.h"
#include "tests/cases/targets.h"
#include "tests/oracle/numbers.h"
#include "weft/append.h"

namespace weft::cases {
namespace {

void check_conversion(const OwnedTensor& values, DType dtype_kv, const Target& target) {
  const ConversionData data = make_conversion_data(values, dtype_kv);
  Append(data.config, target).run(data.args);
  ASSERT_EQ(compare_conversion(data), "") << to_string(target);
}

TEST(AppendValues, Every16BitPattern) {
  for (DType dtype : {DType::f16, DType::bf16}) {
    const OwnedTensor values = all_patterns(dtype);
    for (const Target& target : host_targets()) {
      for (DType dtype_kv : kCacheTypes) check_conversion(values, dtype_kv, target);
    }
  }
}

TEST(AppendValues, TiesAndEdgesOfF32) {
  const OwnedTensor values = ties_and_edges();
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
