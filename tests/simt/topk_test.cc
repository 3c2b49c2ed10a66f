// SPDX-License-Identifier: Apache-2.0
// The topk kernels on the host, clusters and all, over the case table against a sort.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/topk/topk.cuh"
#include "src/ops/topk/rooms.h"
#include "tests/cases/topk_case.h"

namespace weft::test {
namespace {

constexpr TopkRowSpec spec_of(DType dtype, bool sorted, int vec, int cluster, int slice) {
  TopkRowSpec s;
  s.dtype = dtype;
  s.sorted = sorted;
  s.vec = vec;
  s.slices = {cluster, 128, 1, slice};
  return s;
}

template <TopkRowSpec spec>
bool run_if(const TopkConfig& config, bool wide, const TopkParams& p) {
  if (config.dtype != spec.dtype || config.sorted != spec.sorted) return false;
  if ((spec.vec == 4 && !wide) || config.max_len > spec.slices.cluster * spec.slices.slice ||
      (spec.list > 0 && spec.list < topk_list(config.k))) {
    return false;
  }
  const int ctas = static_cast<int>(p.n) * spec.slices.cluster;
  for (int cta = 0; cta < ctas; cta += spec.slices.cluster) {
    simt::run_cluster(cta, ctas, spec.slices.cluster, spec.slices.num_threads,
                      TopkSmem::of(spec).bytes, [&] { select_topk_rows<spec>(p); });
  }
  return true;
}

template <TopkRowSpec... specs>
struct Specs {
  static bool run(const TopkConfig& config, bool wide, const TopkParams& p) {
    return (run_if<specs>(config, wide, p) || ...);
  }
};

using Instantiated =
    Specs<spec_of(DType::f32, false, 4, 4, 512), spec_of(DType::f32, true, 4, 2, 1024),
          spec_of(DType::f32, false, 1, 4, 2560), spec_of(DType::f32, true, 1, 4, 2560),
          spec_of(DType::f16, true, 1, 1, 2048), spec_of(DType::bf16, false, 1, 2, 1024)>;

// The same without a row kept.
constexpr TopkRowSpec streamed(TopkRowSpec s) {
  s.slices.kept = false;
  return s;
}

using Streamed = Specs<streamed(spec_of(DType::f32, false, 4, 4, 512)),
                       streamed(spec_of(DType::f32, true, 4, 1, 2048)),
                       streamed(spec_of(DType::f32, false, 1, 1, 9216)),
                       streamed(spec_of(DType::f32, true, 1, 1, 9216)),
                       streamed(spec_of(DType::f16, true, 1, 1, 2048)),
                       streamed(spec_of(DType::bf16, false, 1, 2, 1024))>;

// Lists of what reaches a floor from a sample.
constexpr TopkRowSpec listed(DType dtype, bool sorted, int cluster, int slice, int list) {
  TopkRowSpec s = streamed(spec_of(dtype, sorted, 4, cluster, slice));
  s.list = list;
  s.slices.num_threads = max_of(128, 32 * cluster);
  s.slices.ctas_per_sm = cluster > 2 ? 1 : 2;
  return s;
}

using Listed =
    Specs<listed(DType::f32, false, 8, 2048, 4096), listed(DType::f32, false, 1, 16384, 8192),
          listed(DType::f32, true, 4, 4096, 4096), listed(DType::f32, true, 1, 16384, 8192),
          listed(DType::f16, false, 2, 8192, 4096), listed(DType::bf16, true, 8, 2048, 4096)>;

std::string check(const cases::TopkCase& c, uint64_t seed, int& num_run) {
  cases::TopkData data = cases::make_topk_data(c, seed);
  const bool wide = c.pad == 0 && c.max_len % 4 == 0 && !c.starts;
  struct Way {
    const char* name;
    bool (*run)(const TopkConfig& config, bool wide, const TopkParams& p);
  };
  for (const Way& way : {Way{"kept", Instantiated::run}, Way{"streamed", Streamed::run},
                         Way{"listed", Listed::run}}) {
    data.indices.poison(), data.values.poison();
    const TopkParams p = bind_topk(data.config, data.args);
    if (!way.run(data.config, wide, p)) continue;
    ++num_run;
    const std::string wrong = cases::compare_topk(data);
    if (!wrong.empty()) return way.name + (": " + wrong);
  }
  return "";
}

TEST(TopkOnTheHost, CasesMatchASort) {
  int num_run = 0;
  for (cases::TopkCase c : cases::topk_cases()) {
    c.n = std::min(c.n, 3);  // fibers are slow
    EXPECT_EQ(check(c, cases::hash_of(c.name), num_run), "") << c.name;
  }
  EXPECT_GT(num_run, 20);
}

TEST(TopkOnTheHost, RandomCasesMatchASort) {
  cases::Random random(31);
  int num_run = 0;
  for (int i = 0; i < 30; ++i) {
    const cases::TopkCase c = cases::random_topk_case(random, 2000);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i), num_run), "") << "case " << i;
  }
  EXPECT_GT(num_run, 10);
}

// Whether rows come from lists, and need no search.
template <TopkRowSpec spec>
int rows_from_lists(const cases::TopkCase& c) {
  cases::TopkData data = cases::make_topk_data(c, 5);
  const TopkParams p = bind_topk(data.config, data.args);
  int listed = 0;
  for (int64_t i = 0; i < p.n; ++i) {
    const int cta = static_cast<int>(i) * spec.slices.cluster;
    int ctas = 0;
    simt::run_cluster(cta, static_cast<int>(p.n) * spec.slices.cluster, spec.slices.cluster,
                      spec.slices.num_threads, TopkSmem::of(spec).bytes, [&] {
                        topk_kernel::Search<spec> row(dynamic_smem());
                        const auto* const from =
                            static_cast<const float*>(p.input) + i * p.input_stride;
                        const bool done = topk_kernel::pick_listed<spec>(
                            row, p, i, reinterpret_cast<const char*>(from), p.max_len);
                        if (threadIdx.x == 0) ctas += done;
                      });
    EXPECT_TRUE(ctas == 0 || ctas == spec.slices.cluster);
    listed += ctas != 0;
  }
  const std::string wrong = listed == p.n ? cases::compare_topk(data) : "";
  EXPECT_EQ(wrong, "");
  return listed;
}

TEST(TopkOnTheHost, RowsComeFromLists) {
  using cases::TopkCase;
  using cases::TopkValues;
  constexpr TopkRowSpec one = listed(DType::f32, false, 1, 16384, 4096);
  constexpr TopkRowSpec eight = listed(DType::f32, false, 8, 2048, 4096);
  for (const TopkValues spread :
       {TopkValues::normal, TopkValues::masked, TopkValues::wide, TopkValues::clustered}) {
    for (const int k : {257, 700}) {
      const TopkCase c{.name = "", .max_len = 16384, .k = k, .n = 3, .spread = spread};
      EXPECT_EQ(rows_from_lists<one>(c), 3) << static_cast<int>(spread) << " " << k;
      EXPECT_EQ(rows_from_lists<eight>(c), 3) << static_cast<int>(spread) << " " << k;
    }
  }
  // Eight lists hold all of such a row, one does not.
  const TopkCase c{.name = "", .max_len = 16384, .k = 1000, .n = 1, .spread = TopkValues::equal};
  EXPECT_EQ(rows_from_lists<one>(c), 0);
  EXPECT_EQ(rows_from_lists<eight>(c), 1);
}

}  // namespace
}  // namespace weft::test
