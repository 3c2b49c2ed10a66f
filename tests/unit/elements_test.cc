// SPDX-License-Identifier: Apache-2.0
// The command line's own number formats, which the replay's reference trusts.
#include "tools/weft/elements.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tools/weft/synthetic.h"

namespace weft::cli {
namespace {

class HalfFormat : public testing::TestWithParam<DType> {};

TEST_P(HalfFormat, WritesBackEveryNumberItReads) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const double value = read_element(&half, GetParam(), 0);
    if (!std::isfinite(value)) continue;
    uint16_t back = 0;
    write_element(&back, GetParam(), 0, static_cast<float>(value));
    ASSERT_EQ(back, half);
  }
}

TEST_P(HalfFormat, RoundsTiesToEven) {
  for (uint16_t even : {0x3c00, 0x0002, 0x0400, 0x4246}) {
    uint16_t next = even + 1, rounded = 0;
    const double low = read_element(&even, GetParam(), 0);
    const double high = read_element(&next, GetParam(), 0);
    const auto middle = static_cast<float>((low + high) / 2);
    write_element(&rounded, GetParam(), 0, middle);
    EXPECT_EQ(rounded, even);
    write_element(&rounded, GetParam(), 0, std::nextafter(middle, 1e30f));
    EXPECT_EQ(rounded, next);
    write_element(&rounded, GetParam(), 0, -middle);
    EXPECT_EQ(rounded, even | 0x8000);
  }
}

INSTANTIATE_TEST_SUITE_P(All, HalfFormat, testing::Values(DType::f16, DType::bf16),
                         [](const auto& info) { return name_of(info.param); });

TEST(Elements, KnowsSomeNumbers) {
  uint16_t half = 0;
  write_element(&half, DType::f16, 0, 1.0f);
  EXPECT_EQ(half, 0x3c00);
  write_element(&half, DType::f16, 0, 65504.0f);
  EXPECT_EQ(half, 0x7bff);
  write_element(&half, DType::bf16, 0, -2.0f);
  EXPECT_EQ(half, 0xc000);
}

// A check that knows what a key must be is worth nothing if the cache's format cannot hold it.
TEST(Synthetic, IsExactInBothFormats) {
  struct Pair {
    DType q, kv;
    int bits;
  };
  for (const Pair& pair : {Pair{DType::bf16, DType::bf16, 8}, Pair{DType::f16, DType::e4m3, 4},
                           Pair{DType::f32, DType::e5m2, 3}, Pair{DType::bf16, DType::f32, 8}}) {
    const Synthetic data(pair.q, pair.kv, 64, 1);
    for (int position = 0; position < 200; ++position) {
      const VectorName name{VectorName::Kind::k, 0, 1, 7, position};
      for (int d = 0; d < 64; ++d) {
        const double value = data.values(name)[d];
        EXPECT_EQ(read_element(data.vector(name), pair.q, d), value);
        int exponent = 0;
        const double units = std::ldexp(std::frexp(value, &exponent), pair.bits);
        EXPECT_EQ(units, std::nearbyint(units));
        EXPECT_LE(std::abs(value), 1.0);
      }
    }
  }
}

TEST(Synthetic, DependsOnEveryPartOfTheName) {
  const Synthetic data(DType::f32, DType::f32, 8, 1);
  const VectorName base{VectorName::Kind::k, 1, 2, 3, 4};
  VectorName others[] = {base, base, base, base, base};
  others[0].kind = VectorName::Kind::v;
  others[1].layer = 0;
  others[2].head = 0;
  others[3].token = 0;
  others[4].position = 0;
  for (const VectorName& other : others) EXPECT_NE(data.values(base), data.values(other));
  EXPECT_EQ(data.values(base), data.values(VectorName(base)));
}

}  // namespace
}  // namespace weft::cli
