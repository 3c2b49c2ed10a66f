// SPDX-License-Identifier: Apache-2.0
// rope on a GPU: the CPU's case table against float64, random cases, captured graphs over changing
// positions, what it does about wrong ones, and how long it takes.
#include "weft/rope.h"

#include <algorithm>
#include <cstring>

#include "tests/cases/attention_data.h"
#include "tests/cases/rope_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"

namespace weft::test {
namespace {

using cases::Buffer;
using cases::RopeCase;
using cases::RopeData;

/// The tensors of a case on the device.
struct DeviceRope {
  DeviceRope(const RopeData& data, const CudaDevice& device, cu::Stream stream)
      : mirror(device, stream) {
    for (const cases::OwnedTensor* t : {&data.q, &data.k, &data.q_out, &data.k_out, &data.cache}) {
      mirror.add(t->buffer);
    }
    mirror.add(data.owners);
    args = mirror.args(data.args);
  }

  BufferMirror mirror;
  RopeArgs args;
};

class RopeOnGpu : public BackendTest {
 protected:
  static std::string check(const RopeCase& c, uint64_t seed) {
    RopeData data = cases::make_rope_data(c, seed);
    cases::restore_outputs(c, data);
    const RopeOp op(data.config, backend());
    const DeviceRope on_device(data, device(), stream());
    op.run(on_device.args, executor());
    op.check(executor());
    const std::string wrong = on_device.mirror.download();
    return wrong.empty() ? cases::compare_rope(data) : wrong;
  }
};

TEST_F(RopeOnGpu, CasesMatchFloat64) {
  for (const RopeCase& c : cases::rotation_cases()) {
    EXPECT_EQ(check(c, cases::hash_of(c.name)), "") << c.name;
  }
}

TEST_F(RopeOnGpu, RandomCasesMatchFloat64) {
  cases::Random random(2025);
  for (int i = 0; i < 16; ++i) {
    const RopeCase c = cases::random_rope_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << name_of(c.dtype) << " head_dim " << c.head_dim << " dim "
        << c.rope.dim << " " << name_of(c.rope.mode) << " tokens " << c.positions.size();
  }
}

// Enough tokens that a warp does all heads of one, and as many more as make a last CTA ragged.
TEST_F(RopeOnGpu, ManyTokens) {
  RopeCase c{.name = "many", .dtype = DType::bf16, .qo_heads = 7, .kv_heads = 2, .head_dim = 128};
  c.positions.resize(4229);
  for (size_t t = 0; t < c.positions.size(); ++t) c.positions[t] = static_cast<int64_t>(31 * t);
  for (cases::RopeWhere where : {cases::RopeWhere::i32, cases::RopeWhere::indptr}) {
    c.where = where;
    EXPECT_EQ(check(c, 3), "") << static_cast<int>(where);
  }
}

TEST_F(RopeOnGpu, OneGraphServesEveryPosition) {
  RopeCase c{.name = "graph", .dtype = DType::bf16, .head_dim = 128, .positions = {0, 0, 0, 0, 0}};
  RopeData data = cases::make_rope_data(c, 9);
  const RopeOp op(data.config, backend());
  DeviceRope on_device(data, device(), stream());
  const CapturedGraph graph(device(), stream(), [&] { op.run(on_device.args, executor()); });
  cases::Random random(10);
  for (int i = 0; i < 50; ++i) {
    auto* positions = static_cast<int32_t*>(data.args.positions.data);
    for (int t = 0; t < 5; ++t) positions[t] = static_cast<int32_t>(random.integer(0, 1 << 30));
    cases::restore_outputs(c, data);
    on_device.mirror.upload();
    graph.replay();
    ASSERT_EQ(on_device.mirror.download(), "");
    ASSERT_EQ(cases::compare_rope(data), "") << "replay " << i;
  }
}

/// Runs `data` as it is and once more after `spoil`; rows of `wrong` tokens must then be untouched
/// and all others the same bits.
std::string run_spoilt(const RopeOp& op, const RopeCase& c, RopeData& data,
                       const std::function<void()>& spoil, const std::vector<int64_t>& wrong,
                       const CudaDevice& device, const Executor& executor) {
  cases::restore_outputs(c, data);
  DeviceRope on_device(data, device, static_cast<cu::Stream>(executor.stream));
  op.run(on_device.args, executor);
  op.check(executor);
  on_device.mirror.download();
  const std::vector<char> right = cases::bytes_of(data.q_out.buffer);
  spoil();
  cases::restore_outputs(c, data);
  on_device.mirror.upload();
  op.run(on_device.args, executor);
  on_device.mirror.download();
  const std::vector<char> got = cases::bytes_of(data.q_out.buffer);
  const size_t row = right.size() / c.positions.size();
  for (size_t t = 0; t < c.positions.size(); ++t) {
    const char* at = got.data() + t * row;
    const bool left_out = std::count(wrong.begin(), wrong.end(), static_cast<int64_t>(t)) > 0;
    const bool untouched = std::all_of(at, at + row, [](char b) { return b == '\xff'; });
    if (left_out ? untouched : std::memcmp(at, right.data() + t * row, row) == 0) continue;
    return "token " + std::to_string(t) + (left_out ? " was written" : " is not right");
  }
  return "";
}

TEST_F(RopeOnGpu, WrongPositionsAreLeftOutAndNamed) {
  RopeCase c{.name = "wrong", .dtype = DType::bf16, .positions = {3, 7, 5, 31}, .cache = true};
  for (cases::RopeWhere where : {cases::RopeWhere::i32, cases::RopeWhere::i64}) {
    c.where = where;
    RopeData data = cases::make_rope_data(c, 4);
    const RopeOp op(data.config, backend());
    const auto spoil = [&] {
      if (where == cases::RopeWhere::i32) {
        auto* p = static_cast<int32_t*>(data.args.positions.data);
        p[1] = -1, p[3] = 32;
      } else {
        auto* p = static_cast<int64_t*>(data.args.positions.data);
        p[1] = int64_t{1} << 40, p[3] = INT64_MIN;
      }
    };
    EXPECT_EQ(run_spoilt(op, c, data, spoil, {1, 3}, device(), executor()), "");
    EXPECT_EQ(error_of([&] { op.check(executor()); }),
              "invalid_argument: positions: expected every element in its range, got positions[1] "
              "out of it");
    EXPECT_EQ(error_of([&] { op.check(executor()); }), "") << "a fault is told once";
  }
}

TEST_F(RopeOnGpu, WrongRequestsAreLeftOutAndNamed) {
  RopeCase c{.name = "wrong",
             .dtype = DType::bf16,
             .where = cases::RopeWhere::indptr,
             .positions = std::vector<int64_t>(6)};
  RopeData data = cases::make_rope_data(c, 4);
  const RopeOp op(data.config, backend());
  int32_t* const indptr = static_cast<int32_t*>(data.args.indptr.data);
  int32_t* const offsets = static_cast<int32_t*>(data.args.offsets.data);
  // Requests hold tokens 0-1, 2, and 3-5: the last array element says that there are only five.
  EXPECT_EQ(run_spoilt(
                op, c, data, [&] { indptr[5] = 5; }, {5}, device(), executor()),
            "");
  EXPECT_NE(error_of([&] { op.check(executor()); }).find("got indptr[5] out of it"),
            std::string::npos);
  indptr[5] = 6;
  EXPECT_EQ(run_spoilt(
                op, c, data, [&] { offsets[2] = -1; }, {2}, device(), executor()),
            "");
  EXPECT_NE(error_of([&] { op.check(executor()); }).find("got offsets[2] out of it"),
            std::string::npos);
}

TEST_F(RopeOnGpu, HostMemoryAndHostPoolsAreRefused) {
  RopeData data = cases::make_rope_data(RopeCase{.name = "refused"}, 1);
  const RopeOp op(data.config, backend());
  const DeviceRope on_device(data, device(), stream());
  for (auto field :
       {&RopeArgs::q, &RopeArgs::k, &RopeArgs::q_out, &RopeArgs::k_out, &RopeArgs::positions}) {
    RopeArgs args = on_device.args;
    args.*field = data.args.*field;
    EXPECT_NE(error_of([&] { op.run(args, executor()); }).find("expected a tensor on cuda:0"),
              std::string::npos);
  }
  const ParallelFor pool{.num_threads = 1};
  EXPECT_NE(error_of([&] {
              op.run(on_device.args, {.stream = stream(), .parallel_for = &pool});
            }).find("executor.parallel_for"),
            std::string::npos);
  EXPECT_NE(
      error_of([&] { RopeOp(data.config).run(on_device.args); }).find("expected a tensor on cpu"),
      std::string::npos);
}

TEST_F(RopeOnGpu, ExplainsItself) {
  const RopeOp op({.num_qo_heads = 32, .head_dim = 128, .rope = cases::kLlama31Rope}, backend());
  EXPECT_NE(
      op.explain().find("a warp a token on " + backend().device_name() + ", accesses of 16 bytes"),
      std::string::npos)
      << op.explain();
}

/// q and k of several sets, so that no call finds its input in the L2.
struct TimedRope {
  TimedRope(const CudaDevice& device, int64_t tokens, int sets, const std::vector<char>& numbers)
      : positions(device, static_cast<size_t>(tokens)) {
    std::vector<int32_t> ids(static_cast<size_t>(tokens));
    for (size_t t = 0; t < ids.size(); ++t) ids[t] = static_cast<int32_t>(t);
    positions.write(ids, nullptr);
    const Device on{DeviceType::cuda, device.target().device_index};
    for (int i = 0; i < sets; ++i) {
      memory.push_back(std::make_unique<DeviceArray<char>>(device, numbers.size()));
      memory.back()->write(numbers, nullptr);
      RopeArgs a;
      a.q = a.q_out = TensorView(memory.back()->data(), DType::bf16, {tokens, 32, 128}, on);
      a.k = a.k_out = TensorView(memory.back()->data() + tokens * 32 * 128 * 2, DType::bf16,
                                 {tokens, 8, 128}, on);
      a.positions = TensorView(positions.data(), DType::i32, {tokens}, on);
      args.push_back(a);
    }
  }

  DeviceArray<int32_t> positions;
  std::vector<std::unique_ptr<DeviceArray<char>>> memory;
  std::vector<RopeArgs> args;
};

TEST_F(RopeOnGpu, Time) {
  const RopeOp op(
      {.num_qo_heads = 32, .num_kv_heads = 8, .head_dim = 128, .rope = cases::kLlama31Rope},
      backend());
  for (int64_t tokens : {1, 64, 1024, 8192}) {
    const TimedRope timed(device(), tokens, tokens < 1024 ? 16 : 4,
                          plain_numbers(static_cast<size_t>(tokens) * 40 * 128 * 2));
    const int sets = static_cast<int>(timed.args.size());
    const double us =
        time_us(24, [&](int i) { op.run(timed.args[static_cast<size_t>(i % sets)], executor()); });
    op.check(executor());
    report("rope/" + std::to_string(tokens), us, 2.0 * 2 * 40 * 128 * static_cast<double>(tokens));
    EXPECT_GT(us, 0);
  }
}

}  // namespace
}  // namespace weft::test
