// SPDX-License-Identifier: Apache-2.0
// The mma.sync attention kernel on the host, thread by thread, over the case tables: right on a
// machine without a GPU. A few specs are instantiated; every case they fit and that is small runs.
#include "tests/simt/simt.h"
// Kernels know no include of their own for what their compiler has built in.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>

#include "kernels/attention/mma.cuh"
#include "src/ops/attention/plan.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "tests/cases/run_case.h"

namespace weft::test {
namespace {

using cases::AttentionCase;

// Few processors, so that small batches are cut as large ones are on a whole chip; before Hopper,
// so that this kernel runs whatever it can.
Target small_gpu() {
  Target target = Target::h200();
  target.num_sms = 5;
  target.arch = 89;
  return target;
}

constexpr AttentionMmaSpec spec_of(int head_dim, int qo_tile, int num_stages, int ctas_per_sm) {
  AttentionMmaSpec s;
  s.head_dim_qk = s.head_dim_vo = head_dim;
  s.mask = MaskMode::causal;
  s.qo_tile = qo_tile;
  s.num_stages = num_stages;
  s.ctas_per_sm = ctas_per_sm;
  return s;
}

constexpr AttentionMmaSpec with_mask(AttentionMmaSpec s, MaskMode mask) {
  s.mask = mask;
  return s;
}

constexpr AttentionMmaSpec with_rope(AttentionMmaSpec s, RopeMode mode, int dim) {
  s.rope.mode = mode;
  s.rope.dim = dim;
  return s;
}

constexpr AttentionMmaSpec with_splits(AttentionMmaSpec s) {
  s.fixed_splits = true;
  return s;
}

constexpr AttentionMmaSpec with_dtypes(AttentionMmaSpec s, DType q, DType kv) {
  s.dtype_q = s.dtype_o = q;
  s.dtype_kv = kv;
  return s;
}

// Whatever the ring's length.
bool same(AttentionMmaSpec wanted, const AttentionMmaSpec& spec) {
  wanted.num_stages = spec.num_stages;
  wanted.ctas_per_sm = spec.ctas_per_sm;
  return wanted == spec;
}

template <AttentionMmaSpec spec>
bool run_if(const AttentionMmaSpec& wanted, const AttentionMmaParams& p, int num_ctas) {
  if (!same(wanted, spec)) return false;
  for (int cta = 0; cta < num_ctas; ++cta) {
    simt::run_cta(cta, num_ctas, 32 * spec.num_warps, AttentionMmaSmem::of(spec).bytes,
                  [&] { attention_mma<spec>(p); });
  }
  return true;
}

template <AttentionMmaSpec... specs>
struct Specs {
  static bool has(const AttentionMmaSpec& wanted) { return (same(wanted, specs) || ...); }
  static bool run(const AttentionMmaSpec& wanted, const AttentionMmaParams& p, int num_ctas) {
    return (run_if<specs>(wanted, p, num_ctas) || ...);
  }
};

using Instantiated = Specs<
    spec_of(64, 16, 4, 3), spec_of(64, 32, 4, 2), spec_of(64, 64, 4, 2), spec_of(128, 16, 3, 2),
    spec_of(80, 16, 4, 2), with_dtypes(spec_of(80, 32, 3, 2), DType::f16, DType::f16),
    with_dtypes(spec_of(80, 32, 3, 2), DType::f16, DType::e4m3),
    with_dtypes(spec_of(80, 32, 3, 2), DType::bf16, DType::e4m3),
    with_dtypes(spec_of(80, 32, 2, 2), DType::bf16, DType::e5m2),
    with_dtypes(spec_of(64, 16, 3, 3), DType::bf16, DType::e4m3),
    with_rope(with_dtypes(spec_of(64, 16, 3, 3), DType::bf16, DType::e4m3), RopeMode::neox, 64),
    with_mask(spec_of(64, 16, 4, 3), MaskMode::none),
    with_mask(spec_of(64, 32, 4, 2), MaskMode::custom),
    with_mask(spec_of(64, 32, 4, 2), MaskMode::tree),
    with_rope(spec_of(64, 16, 4, 3), RopeMode::neox, 64),
    with_rope(spec_of(64, 32, 4, 2), RopeMode::neox, 64),
    with_rope(spec_of(64, 16, 4, 3), RopeMode::interleaved, 64),
    with_rope(spec_of(64, 32, 4, 2), RopeMode::interleaved, 32), with_splits(spec_of(64, 16, 3, 3)),
    with_splits(spec_of(64, 32, 4, 2)), with_splits(spec_of(64, 64, 3, 2))>;

std::vector<AttentionCase> all_cases() {
  std::vector<AttentionCase> all;
  for (const auto& table : {cases::page_cases(), cases::length_cases(), cases::head_cases(),
                            cases::mask_cases(), cases::value_cases(), cases::rope_cases(),
                            cases::dtype_cases(), cases::ragged_cases(), cases::schedule_cases()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  // One-byte keys under decode, and turned.
  for (const RopeMode mode : {RopeMode::none, RopeMode::neox}) {
    AttentionCase c;
    c.name = "one_byte_keys";
    c.kv = DType::e4m3;
    c.rope.mode = mode;
    c.k_scale = 0.5f;
    c.head_scales = true;
    c.requests = {{1, 300}, {2, 77}, {1, 1}, {1, 0}, {3, 515}};
    all.push_back(c);
  }
  return all;
}

int64_t blocks_of(const AttentionCase& c) {
  int64_t blocks = 0;
  const int group = c.qo_heads / c.kv_heads;
  for (const cases::Lengths& r : c.requests) {
    blocks += int64_t{ceil_div(r.qo * group, 16)} * c.kv_heads * ceil_div(r.kv, 16);
  }
  return blocks;
}

// One of a plan's lists: that of long queries, or of short ones behind it.
struct List {
  AttentionSpec spec;
  AttentionMmaSpec kernel;
  AttentionLayout layout;
  int num_merges = 0;

  List(const AttentionConfig& config, const AttentionSpec& of, Arena& arena)
      : spec(of), kernel(mma_spec(of, small_gpu())), layout(attention_layout(config, of, arena)) {}

  void run(const CheckedBatch& batch, AttentionParams bound, char* base) {
    num_merges =
        partition(spec.schedule, batch.lengths, batch.batch_size, layout.work_indptr.in(base),
                  layout.items.in(base), layout.merges.in(base))
            .num_merges;
    std::fill_n(layout.merge_arrivals.in(base), layout.merge_arrivals.count, 0);
    bind_list(layout, base, bound);
    Instantiated::run(kernel, mma_params(spec, bound), spec.schedule.num_workers());
  }
  bool is_at_rest(char* base) const {
    const int32_t* arrivals = layout.merge_arrivals.in(base);
    return std::all_of(arrivals, arrivals + num_merges * spec.schedule.head_lanes,
                       [](int32_t n) { return n == 0; });
  }
};

/// Empty when right or not for us.
std::string check(const AttentionCase& c, int& num_run) {
  const Target target = small_gpu();
  const AttentionConfig config = checked_config(cases::config_of(c));
  AttentionSpec spec;
  try {
    spec = select_attention_cuda(config, target);
  } catch (const Error&) {
    return "";
  }
  Arena arena;
  std::vector<List> lists{List(config, spec, arena)};
  if (!spec.short_schedule.serves_none()) lists.emplace_back(config, short_spec(spec), arena);
  for (const List& list : lists) {
    if (!Instantiated::has(list.kernel) || blocks_of(c) > 800) return "";
  }
  ++num_run;
  cases::AttentionData data = cases::make_attention_data(c, 1);
  const detail::AttentionImpl impl{config, target, spec, lists[0].layout, nullptr};
  cases::Buffer workspace(arena.bytes());
  detail::AttentionPlanImpl plan(impl);
  plan.base = workspace.data();
  const CheckedBatch batch = check_attention_batch(config, data.batch);
  hold_batch(batch, plan);
  data.poison_outputs();
  for (List& list : lists) list.run(batch, bind_attention(plan, data.args), plan.base);
  if (!workspace.fences_intact()) return "written beside the workspace";
  for (const List& list : lists) {
    if (!list.is_at_rest(plan.base)) return "an arrival counter is left";
  }
  const std::string stray = cases::find_stray_write(data.o, data.args.o, cases::kPoisonByte);
  if (!stray.empty()) return stray;
  return cases::compare_rows(data, cases::expect_rows(data, 1, 2e6)).failure;
}

TEST(AttentionMmaOnHost, MatchesTheOracle) {
  int num_run = 0;
  for (const AttentionCase& c : all_cases()) {
    EXPECT_EQ(check(c, num_run), "") << c.name;
  }
  std::printf("%d cases\n", num_run);
  EXPECT_GT(num_run, 40);
}

}  // namespace
}  // namespace weft::test
