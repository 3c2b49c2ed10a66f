// SPDX-License-Identifier: Apache-2.0
// packbits on a GPU: the CPU's cases.
#include "weft/packbits.h"

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
    PackBits(data.config, backend())
        .run({.x = mirror.view(data.args.x),
              .indptr = mirror.view(data.args.indptr),
              .out_indptr = mirror.view(data.args.out_indptr),
              .out = mirror.view(data.args.out)},
             executor());
    EXPECT_EQ(mirror.download(), "") << c.name;
    EXPECT_EQ(cases::compare_packbits(data), "") << c.name;
  }
}

}  // namespace
}  // namespace weft::test
