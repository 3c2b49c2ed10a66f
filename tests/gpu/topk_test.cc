// SPDX-License-Identifier: Apache-2.0
// topk on a GPU: the CPU's case table against a sort, long rows, wrong contents, captured graphs,
// and how long it takes.
#include "weft/topk.h"

#include "tests/cases/topk_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"

namespace weft::test {
namespace {

using cases::TopkCase;
using cases::TopkData;

class TopkOnGpu : public BackendTest {
 protected:
  static TopkArgs upload(BufferMirror& mirror, const TopkData& data) {
    for (const cases::OwnedTensor& t : data.inputs) mirror.add(t.buffer);
    mirror.add(data.indices.buffer), mirror.add(data.values.buffer);
    return mirror.args(data.args);
  }

  static std::string check(const TopkCase& c, uint64_t seed) {
    const TopkData data = cases::make_topk_data(c, seed);
    BufferMirror mirror(device(), stream());
    const TopkArgs args = upload(mirror, data);
    Topk(data.config, backend()).run(args, executor());
    const std::string wrong = mirror.download();
    return wrong.empty() ? cases::compare_topk(data) : wrong;
  }
};

TEST_F(TopkOnGpu, CasesMatchASort) {
  for (const TopkCase& c : cases::topk_cases()) {
    EXPECT_EQ(check(c, cases::hash_of(c.name)), "") << c.name;
  }
}

TEST_F(TopkOnGpu, LongRowsMatchASort) {
  for (const int max_len : {32768, 128256, 300000}) {
    for (const int k : {50, 2048}) {
      const TopkCase c{.name = "long", .max_len = max_len, .k = k, .n = 2, .sorted = k == 50};
      EXPECT_EQ(check(c, 1), "") << max_len << " " << k;
    }
  }
}

// The more rows there are, the fewer CTAs has each.
TEST_F(TopkOnGpu, ManyRowsMatchASort) {
  const int sms = device().target().num_sms;
  for (const int n : {sms / 8 + 1, sms / 4 + 1, sms + 1}) {
    for (const bool lengths : {false, true}) {
      const TopkCase c{
          .name = "many", .max_len = 20000, .k = 40, .n = n, .sorted = lengths, .lengths = lengths};
      EXPECT_EQ(check(c, 1), "") << n << " rows";
    }
  }
}

// Each deal of CTAs to rows.
TEST_F(TopkOnGpu, ManyOfManyRowsMatchASort) {
  const int sms = device().target().num_sms;
  for (const int n : {3, sms / 8, sms / 2, sms, sms + 1}) {
    const TopkCase shorter{.name = "many", .max_len = 20000, .k = 1000, .n = n, .lengths = true};
    EXPECT_EQ(check(shorter, 1), "") << n << " rows";
    const TopkCase sorted{.name = "many", .max_len = 20000, .k = 1000, .n = n, .sorted = true};
    EXPECT_EQ(check(sorted, 2), "") << n << " rows";
  }
  for (const int n : {3, sms / 8}) {
    const TopkCase c{.name = "many", .max_len = 128256, .k = n == 3 ? 4096 : 2048, .n = n};
    EXPECT_EQ(check(c, 3), "") << n << " long rows";
  }
}

TEST_F(TopkOnGpu, WrongContentsAreNamed) {
  TopkData data = cases::make_topk_data({.name = "wrong", .k = 64, .lengths = true}, 1);
  static_cast<int32_t*>(data.args.lengths.data)[2] = 2001;
  BufferMirror mirror(device(), stream());
  const TopkArgs args = upload(mirror, data);
  const Topk op(data.config, backend());
  op.run(args, executor());
  EXPECT_NE(error_of([&] { op.check(executor()); }).find("lengths[2]"), std::string::npos);
  ASSERT_EQ(mirror.download(), "");
  EXPECT_EQ(static_cast<const int32_t*>(data.args.indices.data)[2 * 64], -1);
}

// Beyond what the shared memory of a cluster holds; of odd lengths, and read element by element.
TEST_F(TopkOnGpu, RowsThatFitNoClusterMatchASort) {
  for (const int max_len : {360001, 524288, 1 << 20}) {
    for (const int k : {5, 50, 300, 2048, 4096}) {
      const TopkCase c{.name = "longest",
                       .max_len = max_len,
                       .k = k,
                       .n = 2,
                       .sorted = k % 100 == 50,
                       .lengths = k == 300,
                       .starts = k == 50 && max_len == 524288};
      EXPECT_EQ(check(c, 1), "") << max_len << " " << k;
    }
  }
}

TEST_F(TopkOnGpu, Time) {
  constexpr int64_t kLength = 128256, kRows = 512;
  DeviceArray<float> values(device(), kRows * kLength);
  std::vector<float> some(16 * kLength), all;
  cases::Random random(3);
  for (float& x : some) x = static_cast<float>(random.normal());
  for (int i = 0; i < kRows / 16; ++i) all.insert(all.end(), some.begin(), some.end());
  values.write(all, stream());
  DeviceArray<int32_t> indices(device(), 256 * 4096);
  DeviceArray<float> best(device(), 256 * 4096);
  const Device on{DeviceType::cuda, device().target().device_index};
  for (const int k : {50, 300, 2048, 4096}) {
    const Topk op({.max_len = kLength, .k = k, .checked = false}, backend());
    for (const int64_t n : {1, 8, 32, 128, 256}) {
      const int sets = static_cast<int>(std::min<int64_t>(kRows / n, 256));
      const double us = time_us(std::max(sets, 8), [&](int i) {
        op.run({.input = TensorView(values.data() + i % sets * n * kLength, DType::f32,
                                    {n, kLength}, on),
                .indices = TensorView(indices.data(), DType::i32, {n, k}, on),
                .values = TensorView(best.data(), DType::f32, {n, k}, on)},
               executor());
      });
      report("topk/k" + std::to_string(k) + "_b" + std::to_string(n), us,
             static_cast<double>(n * kLength) * 4);
      EXPECT_GT(us, 0);
    }
  }
}

}  // namespace
}  // namespace weft::test
