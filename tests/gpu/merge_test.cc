// SPDX-License-Identifier: Apache-2.0
// merge on a GPU: the CPU's case table against float64, pairs in place and masked, NaN and
// infinities, captured graphs, and how long it takes.
#include "weft/merge.h"

#include <cmath>
#include <cstring>

#include "tests/cases/merge_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"
#include "tests/oracle/numbers.h"

namespace weft::test {
namespace {

using cases::MergeCase;
using cases::MergeData;
using cases::OwnedTensor;

class MergeOnGpu : public BackendTest {
 protected:
  static void add(BufferMirror& mirror, const MergeData& data) {
    for (const OwnedTensor* t : {&data.o_in, &data.lse_in, &data.o, &data.lse}) {
      mirror.add(t->buffer);
    }
  }

  static std::string run(const MergeData& data) {
    BufferMirror mirror(device(), stream());
    add(mirror, data);
    Merge(data.config, backend()).run(mirror.args(data.args), executor());
    return mirror.download();
  }

  static std::string check(const MergeCase& c, uint64_t seed) {
    const MergeData data = cases::make_merge_data(c, seed);
    const std::string wrong = run(data);
    return wrong.empty() ? cases::compare_merge_exactly(c, data) : wrong;
  }
};

TEST_F(MergeOnGpu, CasesMatchFloat64) {
  for (const MergeCase& c : cases::merge_cases()) {
    EXPECT_EQ(check(c, cases::hash_of(c.name)), "") << c.name;
  }
}

TEST_F(MergeOnGpu, RandomCasesMatchFloat64) {
  cases::Random random(100);
  for (int i = 0; i < 16; ++i) {
    const MergeCase c = cases::random_merge_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "") << "case " << i << ", states " << c.states;
  }
}

TEST_F(MergeOnGpu, PairsInPlaceAndMasked) {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (const cases::MergePairCase& c : cases::merge_pair_cases()) {
      const cases::MergePairData pair = cases::make_pair_data(c, dtype);
      BufferMirror mirror(device(), stream());
      for (const OwnedTensor* t : {&pair.o_a, &pair.o_b, &pair.lse_a, &pair.lse_b, &pair.mask}) {
        mirror.add(t->buffer);
      }
      add(mirror, pair.all);
      const MergePairArgs args = mirror.args(pair.args);
      Merge(pair.all.config, backend()).run(args, executor());
      EXPECT_EQ(mirror.download(), "") << c.name;
      EXPECT_EQ(cases::compare_merge(pair.all), "") << c.name << " " << name_of(dtype);
    }
  }
}

// An lse of NaN or +inf makes its own (row, head) NaN and no other; -inf leaves a state out.
TEST_F(MergeOnGpu, NanAndInfinityStayInTheirHead) {
  const MergeCase c{.name = "nan", .dtype = DType::f32, .n = 6, .states = 3, .heads = 9};
  MergeData data = cases::make_merge_data(c, 2);
  const auto lse = [&](int64_t n, int64_t s, int64_t h) {
    return reinterpret_cast<float*>(oracle::address(data.args.lse_in, {n, s, h}));
  };
  *lse(0, 1, 3) = NAN;
  *lse(2, 0, 8) = INFINITY;
  *lse(5, 2, 0) = INFINITY, *lse(5, 0, 0) = INFINITY;
  *lse(3, 1, 1) = -INFINITY;
  *reinterpret_cast<float*>(oracle::address(data.args.o_in, {3, 1, 1, 0})) = NAN;
  ASSERT_EQ(run(data), "");
  for (int64_t n = 0; n < 6; ++n) {
    for (int64_t h = 0; h < 9; ++h) {
      const bool poisoned = (n == 0 && h == 3) || (n == 2 && h == 8) || (n == 5 && h == 0);
      EXPECT_EQ(std::isnan(oracle::at(data.args.lse, {n, h})), poisoned) << n << " " << h;
      for (int64_t d = 0; d < 64; ++d) {
        EXPECT_EQ(std::isnan(oracle::at(data.args.o, {n, h, d})), poisoned) << n << " " << h;
      }
    }
  }
}

// The state of no key changes nothing, to the bit.
TEST_F(MergeOnGpu, IdentityIsExact) {
  const MergeCase c{.name = "identity", .dtype = DType::f32, .n = 7, .states = 2, .heads = 5};
  MergeData data = cases::make_merge_data(c, 3);
  for (int64_t n = 0; n < 7; ++n) {
    for (int64_t h = 0; h < 5; ++h) {
      oracle::encode(oracle::address(data.args.lse_in, {n, n % 2, h}), DType::f32, 0, -INFINITY);
    }
  }
  ASSERT_EQ(run(data), "");
  for (int64_t n = 0; n < 7; ++n) {
    const int64_t kept = 1 - n % 2;
    EXPECT_EQ(0, std::memcmp(oracle::address(data.args.o, {n, 0, 0}),
                             oracle::address(data.args.o_in, {n, kept, 0, 0}), 5 * 64 * 4));
    EXPECT_EQ(0, std::memcmp(oracle::address(data.args.lse, {n, 0}),
                             oracle::address(data.args.lse_in, {n, kept, 0}), 5 * 4));
  }
}

TEST_F(MergeOnGpu, ReplaysOfAGraphGiveTheSameBits) {
  const MergeCase c{.name = "graph", .n = 33, .states = 5, .heads = 8, .head_dim = 128};
  const MergeData data = cases::make_merge_data(c, 5);
  BufferMirror mirror(device(), stream());
  add(mirror, data);
  const Merge op(data.config, backend());
  const MergeArgs args = mirror.args(data.args);
  const CapturedGraph graph(device(), stream(), [&] { op.run(args, executor()); });
  std::vector<char> first;
  for (int i = 0; i < 3; ++i) {
    mirror.upload();
    graph.replay();
    ASSERT_EQ(mirror.download(), "");
    EXPECT_EQ(cases::compare_merge_exactly(c, data), "");
    if (i == 0) first = cases::bytes_of(data.o.buffer);
    EXPECT_EQ(cases::bytes_of(data.o.buffer), first);
    data.o.buffer.data()[0] = 0;
  }
}

TEST_F(MergeOnGpu, HostMemoryIsRefused) {
  const MergeData data = cases::make_merge_data(MergeCase{.name = "refused"}, 1);
  BufferMirror mirror(device(), stream());
  add(mirror, data);
  const Merge op(data.config, backend());
  for (auto field : {&MergeArgs::o_in, &MergeArgs::lse_in, &MergeArgs::o, &MergeArgs::lse}) {
    MergeArgs args = mirror.args(data.args);
    args.*field = data.args.*field;
    EXPECT_NE(error_of([&] { op.run(args, executor()); }).find("expected a tensor on cuda:0"),
              std::string::npos);
  }
}

TEST_F(MergeOnGpu, ExplainsItself) {
  const Merge op({.num_heads = 8, .head_dim = 128}, backend());
  EXPECT_NE(op.explain().find("some lanes a head on "), std::string::npos) << op.explain();
}

struct TimedCase {
  const char* id;
  int64_t n;
  int64_t states;
  DType dtype;
};

TEST_F(MergeOnGpu, Time) {
  const TimedCase timed_cases[] = {{"merge/8192_2_bf16", 8192, 2, DType::bf16},
                                   {"merge/1024_8_f32", 1024, 8, DType::f32},
                                   {"merge/64_16_f32", 64, 16, DType::f32}};
  constexpr int64_t kHeads = 32, kDim = 128;
  for (const TimedCase& c : timed_cases) {
    const Device on{DeviceType::cuda, device().target().device_index};
    const Merge op(
        {.dtype = c.dtype, .dtype_o = DType::bf16, .num_heads = kHeads, .head_dim = kDim},
        backend());
    const int64_t rows = c.n * kHeads, out = rows * kDim * 2;
    const int64_t in = rows * c.states * kDim * size_of(c.dtype);
    const int64_t lse = rows * (c.states + 1) * 4;
    const std::vector<char> numbers = plain_numbers(static_cast<size_t>(in + lse));
    std::vector<std::unique_ptr<DeviceArray<char>>> memory;
    std::vector<MergeArgs> args;
    for (int i = 0; i < 4; ++i) {
      memory.push_back(
          std::make_unique<DeviceArray<char>>(device(), static_cast<size_t>(in + lse + out)));
      memory.back()->write(numbers, stream());
      char* const at = memory.back()->data();
      args.push_back(
          {.o_in = TensorView(at, c.dtype, {c.n, c.states, kHeads, kDim}, on),
           .lse_in = TensorView(at + in, DType::f32, {c.n, c.states, kHeads}, on),
           .o = TensorView(at + in + lse, DType::bf16, {c.n, kHeads, kDim}, on),
           .lse = TensorView(at + in + rows * c.states * 4, DType::f32, {c.n, kHeads}, on)});
    }
    const double us =
        time_us(16, [&](int i) { op.run(args[static_cast<size_t>(i % 4)], executor()); });
    report(c.id, us, static_cast<double>(in + lse + out));
    EXPECT_GT(us, 0);
  }
}

}  // namespace
}  // namespace weft::test
