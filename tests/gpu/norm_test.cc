// SPDX-License-Identifier: Apache-2.0
// norm on a GPU: the CPU's case table against float64, random cases, one captured graph, and how
// long it takes.
#include "weft/norm.h"

#include "tests/cases/norm_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"

namespace weft::test {
namespace {

using cases::NormCase;
using cases::NormData;

struct DeviceNorm {
  DeviceNorm(const NormData& data, const CudaDevice& device, cu::Stream stream)
      : mirror(device, stream) {
    for (const cases::OwnedTensor* t :
         {&data.x, &data.residual, &data.out, &data.weight, &data.bias, &data.scales}) {
      mirror.add(t->buffer);
    }
    args = mirror.args(data.args);
  }

  BufferMirror mirror;
  NormArgs args;
};

class NormOnGpu : public BackendTest {
 protected:
  static std::string check(const NormCase& c, uint64_t seed) {
    NormData data = cases::make_norm_data(c, seed);
    cases::restore_outputs(c, data);
    const Norm op(data.config, backend());
    const DeviceNorm on_device(data, device(), stream());
    op.run(on_device.args, executor());
    const std::string wrong = on_device.mirror.download();
    return wrong.empty() ? cases::compare_norm(data) : wrong;
  }
};

TEST_F(NormOnGpu, CasesMatchFloat64) {
  for (const NormCase& c : cases::norm_cases()) {
    EXPECT_EQ(check(c, cases::hash_of(c.name)), "") << c.name;
  }
}

TEST_F(NormOnGpu, RandomCasesMatchFloat64) {
  cases::Random random(79);
  for (int i = 0; i < 16; ++i) {
    const NormCase c = cases::random_norm_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << name_of(c.dtype) << " hidden " << c.hidden;
  }
}

// More rows than a chip holds at once.
TEST_F(NormOnGpu, ManyRows) {
  NormCase c{.name = "many", .n = 3001, .hidden = 2048, .residual = true, .in_place = true};
  EXPECT_EQ(check(c, 3), "");
  c.hidden = 128, c.heads = 9, c.residual = false;
  EXPECT_EQ(check(c, 4), "");
}

TEST_F(NormOnGpu, OneGraphServesEveryInput) {
  const NormCase c{.name = "graph", .hidden = 4096, .residual = true};
  NormData data = cases::make_norm_data(c, 9);
  const Norm op(data.config, backend());
  DeviceNorm on_device(data, device(), stream());
  const CapturedGraph graph(device(), stream(), [&] { op.run(on_device.args, executor()); });
  for (int i = 0; i < 10; ++i) {
    cases::Random random(static_cast<uint64_t>(i));
    cases::fill_normal(data.x_given.view, random);
    std::copy_n(data.x_given.buffer.data(), data.x.buffer.size(), data.x.buffer.data());
    cases::restore_outputs(c, data);
    on_device.mirror.upload();
    graph.replay();
    ASSERT_EQ(on_device.mirror.download(), "");
    ASSERT_EQ(cases::compare_norm(data), "") << "replay " << i;
  }
}

TEST_F(NormOnGpu, HostMemoryAndHostPoolsAreRefused) {
  NormData data = cases::make_norm_data({.name = "refused", .residual = true}, 1);
  const Norm op(data.config, backend());
  const DeviceNorm on_device(data, device(), stream());
  for (auto field : {&NormArgs::x, &NormArgs::residual, &NormArgs::out, &NormArgs::weight}) {
    NormArgs args = on_device.args;
    args.*field = data.args.*field;
    EXPECT_NE(error_of([&] { op.run(args, executor()); }).find("expected a tensor on cuda:0"),
              std::string::npos);
  }
  const ParallelFor pool{.num_threads = 1};
  EXPECT_NE(error_of([&] {
              op.run(on_device.args, {.stream = stream(), .parallel_for = &pool});
            }).find("executor.parallel_for"),
            std::string::npos);
}

/// Rows of several sets, so that no call finds its input in the L2.
TEST_F(NormOnGpu, Time) {
  struct Shape {
    int64_t n;
    int hidden;
  };
  for (const Shape shape : {Shape{128, 8192}, {1024, 4096}, {4096, 8192}, {16384, 4096}}) {
    for (const bool adds : {false, true}) {
      const Norm op({.hidden = shape.hidden, .residual = adds}, backend());
      const size_t bytes = static_cast<size_t>(shape.n) * static_cast<size_t>(shape.hidden) * 2;
      const int sets = static_cast<int>(std::max<size_t>(3, (size_t{256} << 20) / bytes));
      const Device on{DeviceType::cuda, device().target().device_index};
      std::vector<std::unique_ptr<DeviceArray<char>>> memory;
      const auto tensor = [&] {
        memory.push_back(std::make_unique<DeviceArray<char>>(device(), bytes));
        memory.back()->write(plain_numbers(bytes), stream());
        return TensorView(memory.back()->data(), DType::bf16, {shape.n, shape.hidden}, on);
      };
      std::vector<NormArgs> args(static_cast<size_t>(sets));
      TensorView weight = tensor();
      weight = TensorView(weight.data, DType::bf16, {shape.hidden}, on);
      for (NormArgs& a : args) {
        a.x = tensor(), a.weight = weight;
        a.out = adds ? a.x : tensor();  // as the field's fused form: in place
        if (adds) a.residual = tensor();
      }
      const double us =
          time_us(24, [&](int i) { op.run(args[static_cast<size_t>(i % sets)], executor()); });
      const std::string id = (adds ? "add_rmsnorm/" : "rmsnorm/") + std::to_string(shape.n) + "x" +
                             std::to_string(shape.hidden);
      report(id, us, (adds ? 4.0 : 2.0) * static_cast<double>(bytes));
      EXPECT_GT(us, 0);
    }
  }
}

}  // namespace
}  // namespace weft::test
