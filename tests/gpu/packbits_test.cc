// SPDX-License-Identifier: Apache-2.0
// packbits on a GPU: the CPU's cases.
#include "weft/packbits.h"

#include <algorithm>

#include "tests/cases/packbits_case.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"

namespace weft::test {
namespace {

class PackBitsOnGpu : public BackendTest {};

TEST_F(PackBitsOnGpu, CasesAreRight) {
  for (const cases::PackBitsCase& c : cases::packbits_cases()) {
    cases::PackBitsData data = cases::make_packbits_data(c, cases::hash_of(c.name));
    BufferMirror mirror(device(), stream());
    mirror.add(data.owners);
    PackBits(data.config, backend()).run(mirror.args(data.args), executor());
    EXPECT_EQ(mirror.download(), "") << c.name;
    EXPECT_EQ(cases::compare_packbits(data), "") << c.name;
  }
}

TEST_F(PackBitsOnGpu, Time) {
  constexpr int64_t kMost = int64_t{1} << 28;
  const Device on{DeviceType::cuda, device().target().device_index};
  DeviceArray<uint8_t> x(device(), kMost), out(device(), kMost / 8);
  const PackBits op({}, backend());
  for (const int64_t nnz : {int64_t{1} << 16, int64_t{1} << 20, int64_t{1} << 24}) {
    const int sets = static_cast<int>(std::min<int64_t>(kMost / nnz, 64));
    const double us = time_us(sets, [&](int i) {
      op.run({.x = TensorView(x.data() + i % sets * nnz, DType::u8, {nnz}, on),
              .out = TensorView(out.data() + i % sets * nnz / 8, DType::u8, {nnz / 8}, on)},
             executor());
    });
    report("packbits/" + std::to_string(nnz), us, static_cast<double>(nnz) * 9 / 8);
    EXPECT_GT(us, 0);
  }
}

}  // namespace
}  // namespace weft::test
