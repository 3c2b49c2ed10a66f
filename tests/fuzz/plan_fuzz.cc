// SPDX-License-Identifier: Apache-2.0
// Random configs and lengths through Attention: either a typed Error that says argument, expected
// and got, or a plan that covers every tile exactly once and a workspace that nothing leaves.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "src/ops/attention/plan.h"
#include "tests/cases/plan_check.h"
#include "tests/fuzz/input.h"
#include "weft/attention.h"
#include "weft/error.h"

namespace weft {
namespace {

using fuzz::Input;
using fuzz::require;

constexpr size_t kMostWorkspace = 1 << 24;
// Keys x rows up to which coverage is counted one by one.
constexpr int64_t kMostCounted = 1 << 16;

void check_error(const Error& error) {
  const std::string what = error.what();
  require(error.kind() == ErrorKind::invalid_argument || error.kind() == ErrorKind::out_of_limits ||
              error.kind() == ErrorKind::unsupported,
          "kind of: " + what);
  require(what.find(": expected ") != std::string::npos, "expected in: " + what);
  require(what.find(", got ") != std::string::npos, "got in: " + what);
}

AttentionConfig read_config(Input& in) {
  AttentionConfig c;
  c.dtype_q = c.dtype_kv = DType::f32;
  c.num_kv_heads = in.small(1, 8);
  c.num_qo_heads = c.num_kv_heads * in.small(1, 9);
  c.head_dim_qk = 8 * in.small(1, 4);
  c.page_size = in.chance() ? in.small(1, 40) : 0;
  c.mask = in.chance() ? MaskMode::causal : MaskMode::none;
  c.schedule = in.chance() ? ScheduleMode::batch_invariant : ScheduleMode::deterministic;
  c.split_kv = 64 * in.small(0, 20);
  c.window_left = in.small(-1, 300);
  c.checked = in.chance();
  c.max_batch_size = in.small(1, 40);
  c.max_nnz_qo = in.small(1, 2000);
  if (in.byte() >= 32) return c;
  // One field of anything.
  int* const fields[] = {&c.num_qo_heads, &c.num_kv_heads, &c.head_dim_qk, &c.head_dim_vo,
                         &c.page_size,    &c.split_kv,     &c.window_left, &c.max_batch_size,
                         &c.max_nnz_qo,   &c.rope.dim};
  *fields[in.byte() % 10] = static_cast<int>(in.edgy());
  return c;
}

Target read_target(Input& in) {
  Target t;
  t.num_workers = in.small(1, 100);
  t.num_threads = in.small(1, 4);
  if (in.byte() < 8) t.num_workers = static_cast<int>(in.edgy());
  if (in.byte() < 8) t.num_threads = static_cast<int>(in.edgy());
  return t;
}

/// The arrays of a batch; `wild` ones break the contract somewhere.
struct Arrays {
  std::vector<int32_t> qo_indptr{0}, kv_indptr{0}, kv_indices, last_page_len;
};

Arrays read_arrays(Input& in, const AttentionConfig& c) {
  Arrays a;
  const int n = in.small(0, 48);
  const int scale = in.chance() ? 6 : 400;
  for (int r = 0; r < n; ++r) {
    a.qo_indptr.push_back(a.qo_indptr.back() + in.small(0, in.chance() ? 1 : scale));
    int kv = in.small(0, scale);
    if (in.byte() < 4) kv = in.small(0, 1 << 22);
    a.kv_indptr.push_back(a.kv_indptr.back() + kv);
    a.last_page_len.push_back(c.page_size > 0 ? in.small(1, c.page_size) : 0);
  }
  const int32_t pages = a.kv_indptr.back();
  if (c.page_size > 0 && pages < (1 << 16)) a.kv_indices.assign(static_cast<size_t>(pages), 3);
  while (in.byte() >= 240) {
    std::vector<int32_t>* const arrays[] = {&a.qo_indptr, &a.kv_indptr, &a.kv_indices,
                                            &a.last_page_len};
    std::vector<int32_t>& array = *arrays[in.byte() % 4];
    const size_t at = static_cast<size_t>(in.in(0, 1 << 16));
    if (!array.empty()) array[at % array.size()] = static_cast<int32_t>(in.edgy());
  }
  return a;
}

TensorView view(const std::vector<int32_t>& array) {
  return TensorView(static_cast<const void*>(array.data()), DType::i32,
                    {static_cast<int64_t>(array.size())});
}

void check_plan(const detail::AttentionPlanImpl& impl) {
  const ScheduleSpec& spec = impl.spec.schedule;
  cases::BatchOfLengths batch;
  int64_t tokens = 0, counted = 0;
  for (int32_t r = 0; r < impl.summary.batch_size; ++r) {
    const int64_t kv = impl.lengths.kv_len(r);
    tokens += kv;
    counted += impl.lengths.qo_len(r) * kv * spec.group_size;
    if (tokens > INT32_MAX) return;
    batch.add(impl.lengths.qo_len(r), static_cast<int>(kv));
  }
  cases::PlanLists lists;
  lists.capacity = plan_capacity(spec, impl.config.max_batch_size, impl.config.max_nnz_qo);
  lists.summary = impl.summary;
  const int32_t* work_indptr = impl.layout.work_indptr.in(impl.base);
  lists.work_indptr.assign(work_indptr, work_indptr + spec.num_groups + 1);
  const WorkItem* items = impl.layout.items.in(impl.base);
  lists.items.assign(items, items + impl.summary.num_items);
  const MergeItem* merges = impl.layout.merges.in(impl.base);
  lists.merges.assign(merges, merges + impl.summary.num_merges);
  const std::string wrong = cases::check_plan(spec, batch, lists);
  require(wrong.empty(), wrong);
  if (counted > kMostCounted) return;
  const std::string uncovered = cases::check_coverage(spec, batch, lists);
  require(uncovered.empty(), uncovered);
}

void plan_once(Input& in, const Attention& attention, AttentionPlan& plan) {
  const AttentionConfig& c = attention.config();
  const Arrays a = read_arrays(in, c);
  AttentionBatch batch{.qo_indptr = view(a.qo_indptr), .kv_indptr = view(a.kv_indptr)};
  if (c.page_size > 0) {
    batch.kv_indices = view(a.kv_indices);
    batch.last_page_len = view(a.last_page_len);
  }
  try {
    attention.plan(batch, plan);
  } catch (const Error& error) {
    check_error(error);
    return;
  }
  check_plan(*plan.impl());
  require(plan.balance() >= 1.0 - 1e-9, "a balance of at least 1");
  require(plan.explain().size() > 0 && plan.explain_json().size() > 0, "words");
}

void run_input(Input& in) {
  const Attention attention(read_config(in), read_target(in));
  const size_t bytes = attention.workspace_bytes();
  if (bytes > kMostWorkspace) return;
  // Exactly as much as was asked for, dirty: the sanitizer sees the byte after it.
  require(bytes % 64 == 0, "a workspace of whole cache lines");
  const std::unique_ptr<void, void (*)(void*)> memory(std::aligned_alloc(64, bytes), std::free);
  std::memset(memory.get(), in.byte(), bytes);
  const TensorView workspace(memory.get(), DType::u8, {static_cast<int64_t>(bytes)});
  AttentionPlan plan = attention.create_plan(workspace);
  for (int i = 0; i < 3 && !in.empty(); ++i) plan_once(in, attention, plan);
}

}  // namespace
}  // namespace weft

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weft::fuzz::Input in(data, size);
  try {
    weft::run_input(in);
  } catch (const weft::Error& error) {
    weft::check_error(error);
  }
  return 0;
}
