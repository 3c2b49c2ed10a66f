// SPDX-License-Identifier: Apache-2.0
// NaN and Inf stay where they are: a spoilt query spoils its row, spoilt keys and values their
// request, and every other row keeps its bits.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/cases/run_case.h"
#include "tests/cases/targets.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

AttentionCase mixed(DType dtype) {
  return {.name = "mixed",
          .q = is_fp8(dtype) ? DType::bf16 : dtype,
          .kv = dtype,
          .page_size = 0,
          .requests = {{1, 700}, {60, 300}, {5, 66}, {1, 1}}};
}

/// One row of o and lse.
struct RowBits {
  std::vector<char> bytes;
  bool nan = true;  // all of o
};

RowBits row_bits(const AttentionData& data, int64_t token, int head) {
  RowBits row;
  const char* at = oracle::address(data.args.o, {token, head, 0});
  const int64_t dims = data.args.o.shape[2];
  row.bytes.assign(at, at + dims * size_of(data.args.o.dtype));
  const char* lse = oracle::address(data.args.lse, {token, head});
  row.bytes.insert(row.bytes.end(), lse, lse + sizeof(float));
  for (int64_t d = 0; d < dims; ++d) {
    row.nan = row.nan && std::isnan(oracle::at(data.args.o, {token, head, d}));
  }
  return row;
}

class Isolation : public testing::TestWithParam<Target> {
 protected:
  /// Runs clean, spoils, runs again; `hit` says which rows may differ, and those must be NaN.
  template <class Spoil, class Hit>
  void check(DType dtype, Spoil&& spoil, Hit&& hit) {
    AttentionData data = make_attention_data(mixed(dtype), 12);
    AttentionData clean = make_attention_data(mixed(dtype), 12);
    spoil(data);
    Runner runner(data.config, GetParam());
    runner.plan(clean.batch);
    runner.run(clean);
    runner.plan(data.batch);
    runner.run(data);
    for (int64_t token = 0; token < data.args.q.shape[0]; ++token) {
      for (int head = 0; head < data.config.num_qo_heads; ++head) {
        const RowBits got = row_bits(data, token, head);
        if (hit(token, head)) {
          EXPECT_TRUE(got.nan) << name_of(dtype) << " token " << token << " head " << head;
        } else {
          EXPECT_EQ(got.bytes, row_bits(clean, token, head).bytes)
              << name_of(dtype) << " token " << token << " head " << head;
        }
      }
    }
  }
};

TEST_P(Isolation, ANanInAQuerySpoilsItsRowOnly) {
  for (const DType dtype : {DType::bf16, DType::f32, DType::f16}) {
    for (const int64_t at : {0, 20, 63}) {
      for (const int64_t token : {0, 1, 31, 60, 65}) {
        check(
            dtype,
            [&](AttentionData& data) {
              oracle::encode(oracle::address(data.args.q, {token, 2, at}), dtype, 0, kNan);
            },
            [&](int64_t t, int head) { return t == token && head == 2; });
      }
    }
  }
}

TEST_P(Isolation, SpoiltKeysSpoilTheirHeadOfTheirRequestOnly) {
  // The first key of the second request, tokens 1 to 60, is seen by all its queries.
  for (const DType dtype : {DType::bf16, DType::f32, DType::f16}) {
    for (const bool value : {false, true}) {
      check(
          dtype,
          [&](AttentionData& data) {
            const TensorView& x = value ? data.args.v : data.args.k;
            for (int64_t d = 0; d < x.shape[2]; ++d) {
              oracle::encode(oracle::address(x, {700, 1, d}), dtype, 0, kNan);
            }
          },
          [](int64_t t, int head) { return t >= 1 && t <= 60 && head >= 2; });
    }
  }
}

/// The next request's first keys follow a request's last ones in ragged memory.
TEST_P(Isolation, WhatFollowsARequestIsNotItsKeys) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    for (const double poison : {kNan, kInfinity}) {
      AttentionData data = make_attention_data(mixed(dtype), 12);
      for (int64_t t = 1000; t < 1066; ++t) {  // all of the third request
        for (const TensorView* x : {&data.args.k, &data.args.v}) {
          for (int64_t d = 0; d < x->shape[2]; ++d) {
            for (int64_t h = 0; h < 2; ++h) {
              oracle::encode(oracle::address(*x, {t, h, d}), dtype, 0, poison);
            }
          }
        }
      }
      Expected expected = expect_rows(data, 3, 2e6);
      std::erase_if(expected.rows, [](const Expected::Row& row) { return row.request == 2; });
      Runner runner(data.config, GetParam());
      runner.plan(data.batch);
      runner.run(data);
      EXPECT_EQ(compare_rows(data, expected).failure, "") << name_of(dtype);
    }
  }
}

/// Decode widens FP8 by its bits; the codes of NaN, of either sign, must come out as NaN. Request 0
/// has one token and takes that way, request 1 has 60.
TEST_P(Isolation, ANanInFp8SpoilsItsRequest) {
  for (const DType dtype : {DType::e4m3, DType::e5m2}) {
    for (const int sign : {0x00, 0x80}) {
      for (const int64_t key : {5, 699, 705}) {
        const int64_t first = key < 700 ? 0 : 1, last = key < 700 ? 0 : 60;
        check(
            dtype,
            [&](AttentionData& data) {
              for (int64_t d = 0; d < data.args.k.shape[2]; ++d) {
                char* code = oracle::address(data.args.k, {key, 1, d});
                *code = static_cast<char>(0x7f | sign);
              }
            },
            [&](int64_t t, int head) { return t >= first && t <= last && head >= 2; });
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Host, Isolation, testing::ValuesIn(host_targets()),
                         [](const testing::TestParamInfo<Target>& info) {
                           return std::string(name_of(info.param.isa)) +
                                  (info.param.fast_bf16 ? "_fast_bf16" : "");
                         });

}  // namespace
}  // namespace weft::cases
