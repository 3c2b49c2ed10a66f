// SPDX-License-Identifier: Apache-2.0
// activation on a GPU: the CPU's case table against float64, random cases, and how long it takes.
#include "weft/activation.h"

#include "tests/cases/activation_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"

namespace weft::test {
namespace {

using cases::ActivationCase;
using cases::ActivationData;

class ActivationOnGpu : public BackendTest {
 protected:
  static std::string check(const ActivationCase& c, uint64_t seed) {
    ActivationData data = cases::make_activation_data(c, seed);
    cases::restore_outputs(c, data);
    const Activation op(data.config, backend());
    BufferMirror mirror(device(), stream());
    for (const cases::OwnedTensor* t : {&data.x, &data.out, &data.scales}) mirror.add(t->buffer);
    op.run(mirror.args(data.args), executor());
    const std::string wrong = mirror.download();
    return wrong.empty() ? cases::compare_activation(c, data) : wrong;
  }
};

TEST_F(ActivationOnGpu, CasesMatchFloat64) {
  for (const ActivationCase& c : cases::activation_cases()) {
    EXPECT_EQ(check(c, cases::hash_of(c.name)), "") << c.name;
  }
}

TEST_F(ActivationOnGpu, RandomCasesMatchFloat64) {
  cases::Random random(80);
  for (int i = 0; i < 16; ++i) {
    const ActivationCase c = cases::random_activation_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "")
        << "case " << i << ": " << name_of(c.dtype) << " hidden " << c.hidden;
  }
}

TEST_F(ActivationOnGpu, HostMemoryIsRefused) {
  ActivationData data = cases::make_activation_data({.name = "refused"}, 1);
  const Activation op(data.config, backend());
  EXPECT_NE(error_of([&] { op.run(data.args, executor()); }).find("expected a tensor on cuda:0"),
            std::string::npos);
}

TEST_F(ActivationOnGpu, Time) {
  struct Shape {
    int64_t n;
    int hidden;
  };
  for (const Shape shape : {Shape{128, 8192}, {1024, 4096}, {4096, 8192}, {16384, 4096}}) {
    const Activation op({.hidden = shape.hidden}, backend());
    const size_t bytes = static_cast<size_t>(shape.n) * static_cast<size_t>(shape.hidden) * 2;
    const int sets = static_cast<int>(std::max<size_t>(3, (size_t{256} << 20) / bytes));
    const Device on{DeviceType::cuda, device().target().device_index};
    std::vector<std::unique_ptr<DeviceArray<char>>> memory;
    std::vector<ActivationArgs> args(static_cast<size_t>(sets));
    for (ActivationArgs& a : args) {
      for (const int64_t wide : {2, 1}) {
        memory.push_back(
            std::make_unique<DeviceArray<char>>(device(), bytes * static_cast<size_t>(wide)));
        memory.back()->write(plain_numbers(memory.back()->size()), stream());
        (wide == 2 ? a.x : a.out) =
            TensorView(memory.back()->data(), DType::bf16, {shape.n, wide * shape.hidden}, on);
      }
    }
    const double us =
        time_us(24, [&](int i) { op.run(args[static_cast<size_t>(i % sets)], executor()); });
    report("silu_and_mul/" + std::to_string(shape.n) + "x" + std::to_string(shape.hidden), us,
           3.0 * static_cast<double>(bytes));
    EXPECT_GT(us, 0);
  }
}

}  // namespace
}  // namespace weft::test
