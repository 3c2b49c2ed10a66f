// SPDX-License-Identifier: Apache-2.0
// packbits on the CPU: the cases, on every pool; and everything it refuses.
#include <gtest/gtest.h>

#include "tests/cases/executors.h"
#include "tests/cases/packbits_case.h"
#include "tests/cases/refusal.h"
#include "weft/error.h"

namespace weft::cases {
namespace {

TEST(PackBits, CasesAreRight) {
  const AllPools pools;
  for (const PackBitsCase& c : packbits_cases()) {
    PackBitsData data = make_packbits_data(c, hash_of(c.name));
    for (const TestPool* pool : pools.list()) {
      data.owners[1].fill(kPoisonByte);
      PackBits(data.config).run(data.args, pool->executor());
      EXPECT_EQ(compare_packbits(data), "") << c.name << " on " << pool->name();
    }
  }
}

TEST(PackBits, ExplainsItself) {
  EXPECT_NE(PackBits({.order = BitOrder::big}).explain().find("pack bits, big first"),
            std::string::npos);
  EXPECT_THROW(PackBits({}, Target::h200()), Error);
}

TEST(PackBitsRefuses, WhatIsWrong) {
  const PackBitsCase c{.name = "refused", .segments = {9, 8}};
  struct Row {
    const char* argument;
    void (*spoil)(PackBitsData&);
    const char* part;
  };
  const auto ints = [](const TensorView& t) { return static_cast<int32_t*>(t.data); };
  static int32_t* (*const at)(const TensorView&) = ints;
  const Row rows[] = {
      {"order", [](PackBitsData& d) { d.config.order = static_cast<BitOrder>(2); }, "got 2"},
      {"x", [](PackBitsData& d) { d.args.x.dtype = DType::i32; }, "expected u8"},
      {"out", [](PackBitsData& d) { d.args.out = {}; }, "nothing"},
      {"out", [](PackBitsData& d) { d.args.out = d.args.out.slice(0, 0, 2); }, "out_indptr[-1]"},
      {"out",
       [](PackBitsData& d) {
         d.args.indptr = d.args.out_indptr = {};
         d.args.out = d.args.out.slice(0, 0, 2);
       },
       "shape [>=13]"},
      {"out", [](PackBitsData& d) { d.args.out.data = d.args.x.data; }, "apart from x"},
      {"out_indptr", [](PackBitsData& d) { d.args.out_indptr = {}; }, "nothing"},
      {"out_indptr", [](PackBitsData& d) { d.args.indptr = {}; }, "nothing without indptr"},
      {"indptr", [](PackBitsData& d) { at(d.args.indptr)[0] = -1; }, "indptr[0] >= 0"},
      {"indptr", [](PackBitsData& d) { at(d.args.indptr)[2] = 3; }, "non-decreasing"},
      {"indptr", [](PackBitsData& d) { at(d.args.indptr)[2] = 101; }, "out_indptr"},
      {"out_indptr", [](PackBitsData& d) { at(d.args.out_indptr)[1] = 1; }, "out_indptr[1] >= 2"},
      {"out_indptr", [](PackBitsData& d) { at(d.args.out_indptr)[0] = -1; }, "out_indptr[0] >= 0"},
  };
  for (const Row& row : rows) {
    PackBitsData data = make_packbits_data(c, 1);
    row.spoil(data);
    std::vector<const Buffer*> watched;
    for (const Buffer& b : data.owners) watched.push_back(&b);
    const bool either = std::string(row.part) == "out_indptr";  // too many elements for its bytes
    EXPECT_EQ(
        check_refusal([&] { PackBits(data.config).run(data.args); }, ErrorKind::invalid_argument,
                      either ? "out_indptr" : row.argument, row.part, watched),
        "")
        << row.argument << " " << row.part;
  }
}

}  // namespace
}  // namespace weft::cases
