// SPDX-License-Identifier: Apache-2.0
// Specs print themselves as C++, none of their fields left out; the stub; the embedded tree.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "kernels/attention/spec.h"
#include "src/cuda/planner.h"
#include "src/jit/embedded.h"
#include "src/jit/source.h"
#include "tests/support/temporary.h"

namespace weft {

// A spec whose list of fields has a gap.
struct GapSpec {
  int a = 0;
  float b = 0;
};
template <class Visit>
void for_each_field(const GapSpec& s, Visit&& visit) {
  visit("a", s.a);
}
template <>
struct KernelTraits<GapSpec> : KernelTraits<PlanSpec> {
  static KernelShape shape(const GapSpec&) { return {}; }
};

namespace {

TEST(Fields, EveryFieldOfEverySpecIsListed) {
  EXPECT_TRUE(lists_all_fields(CostModel{}));
  EXPECT_TRUE(lists_all_fields(ScheduleSpec{}));
  EXPECT_TRUE(lists_all_fields(Rope{}));
  EXPECT_TRUE(lists_all_fields(PlanSpec{}));
  EXPECT_FALSE(lists_all_fields(GapSpec{}));
  EXPECT_THROW(make_source(GapSpec{}), Error);
}

TEST(Fields, PrintAsInitialisers) {
  EXPECT_EQ(to_cpp(64), "64");
  EXPECT_EQ(to_cpp(-1), "-1");
  EXPECT_EQ(to_cpp(true), "true");
  EXPECT_EQ(to_cpp(1.0f), "1.0f");
  EXPECT_EQ(to_cpp(0.1f), "0.1f");
  EXPECT_EQ(to_cpp(1e6f), "1e+06f");
  EXPECT_EQ(to_cpp(DType::bf16), "weft::DType::bf16");
  EXPECT_EQ(to_cpp(CostModel{1, 2, 3, 4}),
            "{.fixed = 1, .per_block = 2, .per_block_row = 3, .per_piece_row = 4}");
  const Rope rope{.mode = RopeMode::neox, .dim = 64, .theta = 5e5f};
  EXPECT_EQ(to_cpp(rope),
            "{.mode = weft::RopeMode::neox, .dim = 64, .theta = 5e+05f, .scale = 1.0f, "
            ".llama31 = false, .low_freq_factor = 1.0f, .high_freq_factor = 4.0f, "
            ".old_context_len = 8192}");
}

TEST(Fields, HashTellsValuesApart) {
  std::set<uint64_t> hashes;
  ScheduleSpec spec;
  for (int qo_tile = 1; qo_tile <= 64; ++qo_tile) {
    for (int window = -1; window < 63; ++window) {
      spec.qo_tile = qo_tile;
      spec.window_left = window;
      hashes.insert(hash_of(spec));
    }
  }
  EXPECT_EQ(hashes.size(), 64u * 64u);
  EXPECT_NE(hash_of(Rope{.theta = 1.0f}), hash_of(Rope{.theta = 2.0f}));
  EXPECT_EQ(hash_of(ScheduleSpec{}), hash_of(ScheduleSpec{}));
}

TEST(Source, StubStatesSpecAndSizes) {
  PlanSpec spec;
  spec.schedule.num_groups = 8;
  spec.max_batch_size = 16;
  spec.num_threads = 128;
  const KernelSource source = make_source(spec);
  EXPECT_EQ(source.name, "plan");
  EXPECT_EQ(source.shape.num_threads, 128);
  EXPECT_EQ(source.params_bytes, static_cast<int>(sizeof(PlanParams)));
  for (const std::string& part :
       {std::string("#include \"kernels/plan/plan.cuh\"\n"),
        std::string("constexpr weft::PlanSpec spec{.schedule = {.group_size = 1,"),
        "static_assert(weft::PlanSmem::of(spec).bytes == " +
            std::to_string(PlanSmem::of(spec).bytes) + ");",
        "static_assert(sizeof(weft::PlanParams) == " + std::to_string(sizeof(PlanParams)) + ");",
        std::string("__launch_bounds__(128, 1)"),
        std::string("void weft_kernel(const __grid_constant__ weft::PlanParams params)"),
        std::string("weft::plan_batch<spec>(params);")}) {
    EXPECT_NE(source.text.find(part), std::string::npos) << part << "\nin\n" << source.text;
  }
}

TEST(Embedded, IsTheTreeByteForByte) {
  namespace fs = std::filesystem;
  const fs::path root = WEFT_SOURCE_DIR;
  std::set<std::string> in_tree;
  for (const auto& file : fs::recursive_directory_iterator(root / "kernels")) {
    const std::string extension = file.path().extension().string();
    if (extension == ".h" || extension == ".cuh") {
      in_tree.insert(fs::relative(file.path(), root).generic_string());
    }
  }
  std::set<std::string> embedded;
  for (const EmbeddedFile& file : embedded_files()) {
    embedded.insert(file.path);
    EXPECT_EQ(file.text, test::read_file((root / file.path).string())) << file.path;
  }
  EXPECT_EQ(embedded, in_tree);
  EXPECT_EQ(std::string(kernel_tree_hash()).size(), 64u);
}

}  // namespace
}  // namespace weft
