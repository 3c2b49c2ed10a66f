// SPDX-License-Identifier: Apache-2.0
// The packbits kernel on the host, thread by thread, over the cases.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include "kernels/packbits/packbits.cuh"
#include "src/ops/packbits/rooms.h"
#include "tests/cases/packbits_case.h"

namespace weft::test {
namespace {

template <PackBitsSpec spec>
void run_cases() {
  int num_run = 0;
  for (const cases::PackBitsCase& c : cases::packbits_cases()) {
    const bool wide = c.segments.empty() && c.misalign % 8 == 0;
    if (c.order != spec.order || (spec.vec > 1 && !wide) || c.nnz > 5000) continue;
    cases::PackBitsData data = cases::make_packbits_data(c, 1);
    const PackBitsParams p = bind_packbits(data.args);
    const int num_ctas = static_cast<int>(ceil_div<int64_t>(p.num_bytes, spec.num_threads));
    for (int cta = 0; cta < num_ctas; ++cta) {
      simt::run_cta(cta, num_ctas, spec.num_threads, 0, [&] { pack_bits<spec>(p); });
    }
    EXPECT_EQ(cases::compare_packbits(data), "") << c.name;
    ++num_run;
  }
  EXPECT_GT(num_run, 0);
}

TEST(PackBitsOnHost, CasesAreRight) {
  run_cases<PackBitsSpec{.vec = 8, .num_threads = 64}>();
  run_cases<PackBitsSpec{.num_threads = 64}>();
  run_cases<PackBitsSpec{.order = BitOrder::big, .vec = 8, .num_threads = 64}>();
  run_cases<PackBitsSpec{.order = BitOrder::big, .num_threads = 64}>();
}

// Segments that lie beyond x or decrease: nothing outside is read, whole bytes are left out.
TEST(PackBitsOnHost, WrongSegmentsAreLeftOut) {
  cases::PackBitsData data = cases::make_packbits_data({.name = "wrong", .segments = {9, 8}}, 1);
  auto* indptr = static_cast<int32_t*>(data.args.indptr.data);
  indptr[0] = -5, indptr[1] = 1 << 30;
  const PackBitsParams p = bind_packbits(data.args);
  constexpr PackBitsSpec kSpec{.num_threads = 64};
  simt::run_cta(0, 1, kSpec.num_threads, 0, [&] { pack_bits<kSpec>(p); });
  const auto* out = static_cast<const uint8_t*>(data.args.out.data);
  EXPECT_EQ(out[0], cases::kPoisonByte);
  EXPECT_EQ(out[2], cases::kPoisonByte);
}

}  // namespace
}  // namespace weft::test
