// SPDX-License-Identifier: Apache-2.0
// See attention_gpu.h.
#include "tests/gpu/attention_gpu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "src/ops/attention/plan.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"

namespace weft::test {
namespace {

constexpr size_t kFence = 4096;
constexpr unsigned char kFenceByte = 0x5a;

struct TheBackend {
  std::unique_ptr<CudaBackend> backend;
  std::string reason;

  TheBackend() {
    try {
      backend = std::make_unique<CudaBackend>(
          0, JitOptions{.cache_dir = testing::TempDir() + "weft_gpu_test_kernels"});
    } catch (const Error& error) {
      reason = error.what();
    }
  }
};

TheBackend& the_backend() {
  static TheBackend backend;
  return backend;
}

}  // namespace

const CudaBackend* gpu_backend() { return the_backend().backend.get(); }
const std::string& no_gpu_reason() { return the_backend().reason; }

std::string unsupported_on_cuda(const cases::AttentionCase& c) {
  if (c.q == DType::f32) return "q is f32";
  if (!is_fp8(c.kv) && c.kv != c.q) return "KV has another dtype than q";
  if (is_fp8(c.kv) && (c.head_dim % 16 != 0 || c.head_dim_vo % 16 != 0)) {
    return "rows of bytes that are not whole vectors";
  }
  const int turned = c.rope.dim == 0 ? c.head_dim : c.rope.dim;
  if (is_fp8(c.kv) && c.rope.mode == RopeMode::neox && turned % 32 != 0) {
    return "keys of bytes whose pairs do not meet in a lane";
  }
  if (is_fp8(c.kv) && std::max(c.head_dim, c.head_dim_vo) > 256) {
    return "a head dimension above 256 of bytes";
  }
  return "";
}

DeviceWorkspace::DeviceWorkspace(const CudaDevice& device, size_t bytes)
    : device_(device), bytes_(bytes), memory_(device, bytes + 2 * kFence) {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.check(driver.fill_bytes(memory_.address(), kFenceByte, memory_.bytes(), nullptr), "fill");
  spoil(0xc3);
}

TensorView DeviceWorkspace::view() const {
  return TensorView(static_cast<char*>(memory_.data()) + kFence, DType::u8,
                    {static_cast<int64_t>(bytes_)},
                    {DeviceType::cuda, device_.target().device_index});
}

void DeviceWorkspace::spoil(unsigned char dirt) const {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.check(driver.fill_bytes(memory_.address() + kFence, dirt, bytes_, nullptr), "fill");
  driver.check(driver.context_synchronize(), "synchronize");
}

bool DeviceWorkspace::fences_intact() const {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  std::vector<unsigned char> fences(2 * kFence);
  driver.check(driver.copy_to_host(fences.data(), memory_.address(), kFence, nullptr), "copy");
  driver.check(driver.copy_to_host(fences.data() + kFence, memory_.address() + kFence + bytes_,
                                   kFence, nullptr),
               "copy");
  driver.check(driver.context_synchronize(), "synchronize");
  return std::all_of(fences.begin(), fences.end(), [](auto byte) { return byte == kFenceByte; });
}

GpuRunner::GpuRunner(const CudaBackend& backend, cases::AttentionData& data)
    : device_(backend.state().device),
      mirror_(device_, data),
      attention_(data.config, backend),
      workspace_(device_, attention_.workspace_bytes()),
      plan_(attention_.create_plan(workspace_.view())) {}

void GpuRunner::finish() {
  {
    const ContextScope current(device_);
    device_.driver().check(device_.driver().context_synchronize(), "synchronize");
  }
  mirror_.download_outputs();
}

namespace {

std::string compare_list(const PlanLists& got, const ScheduleSpec& beside,
                         const AttentionConfig& config, const cases::AttentionData& data) {
  const ScheduleSpec& spec = got.schedule;
  const PlanCapacity capacity = plan_capacity(spec, config.max_batch_size, config.max_nnz_qo);
  std::vector<int32_t> indptr(static_cast<size_t>(spec.num_groups) + 1);
  std::vector<WorkItem> items(static_cast<size_t>(capacity.items));
  std::vector<MergeItem> merges(static_cast<size_t>(capacity.merges));
  const auto ints = [](const TensorView& t) { return static_cast<const int32_t*>(t.data); };
  const BatchLengths lengths{ints(data.batch.qo_indptr), ints(data.batch.kv_indptr),
                             ints(data.batch.last_page_len), data.config.page_size};
  const PlanSummary host = partition(spec, lengths, got.summary.batch_size, indptr.data(),
                                     items.data(), merges.data(), beside);
  if (got.summary.num_items != host.num_items || got.summary.num_merges != host.num_merges) {
    return "plan: expected " + std::to_string(host.num_items) + " items and " +
           std::to_string(host.num_merges) + " merges, got " +
           std::to_string(got.summary.num_items) + " and " + std::to_string(got.summary.num_merges);
  }
  if (!std::equal(indptr.begin(), indptr.end(), got.work_indptr)) return "plan: other ranges";
  if (!std::equal(items.begin(), items.begin() + host.num_items, got.items)) {
    return "plan: other items";
  }
  if (!std::equal(merges.begin(), merges.begin() + host.num_merges, got.merges)) {
    return "plan: other merges";
  }
  return "";
}

}  // namespace

std::string compare_with_host_plan(const AttentionPlan& plan, const cases::AttentionData& data) {
  const detail::AttentionPlanImpl& impl = *plan.impl();
  std::string wrong;
  for (const PlanLists& list : impl.backend->lists(impl)) {
    const bool own = list.schedule == impl.spec.schedule;
    const bool together = impl.spec.unit == AttentionUnit::cuda_wgmma;
    const ScheduleSpec beside = !together ? no_requests()
                                : own     ? impl.spec.short_schedule
                                          : impl.spec.schedule;
    wrong += compare_list(list, beside, impl.config, data);
  }
  return wrong;
}

namespace {

// One plan and two runs of it, the second over what the first left and behind it without a wait.
std::string run_twice(GpuRunner& runner, cases::AttentionData& data, std::vector<char>& bits) {
  runner.plan();
  runner.mirror().poison_outputs();
  runner.run();
  runner.run();
  runner.finish();
  const std::string status = runner.plan_object().status();
  if (!status.empty()) return status;
  if (!bits.empty() && cases::output_bits(data) != bits) return "other bits than before";
  bits = cases::output_bits(data);
  return "";
}

// What one Attention makes of `data`: the host's plan, the same bits whatever its workspace held,
// and nothing written beside its outputs.
std::string check_runner(cases::AttentionData& data, std::vector<char>& bits) {
  GpuRunner runner(*gpu_backend(), data);
  for (const unsigned char dirt : {0xc3, 0xff}) {  // a number, NaN
    runner.workspace().spoil(dirt);
    const std::string failure = run_twice(runner, data, bits);
    if (!failure.empty()) return failure;
  }
  const std::string plan = compare_with_host_plan(runner.plan_object(), data);
  if (!plan.empty()) return plan;
  const std::string stray = runner.mirror().find_stray_write();
  if (!stray.empty()) return stray;
  return runner.workspace().fences_intact() ? "" : "written beside the workspace";
}

}  // namespace

namespace {

std::string check_config(cases::AttentionData& data, const cases::Expected& expected,
                         double* worst) {
  std::vector<char> bits;
  for (const bool checked : {false, true}) {  // checked mode waits for its own kernel
    data.config.checked = checked;
    const std::string failure = check_runner(data, bits);
    if (!failure.empty()) return failure + (checked ? " (checked mode)" : "");
  }
  const cases::Comparison result = cases::compare_rows(data, expected);
  *worst = std::max(*worst, result.worst);
  return result.failure;
}

}  // namespace

std::string check_case_on_gpu(const cases::AttentionCase& c, uint64_t seed, double* worst) {
  cases::AttentionData data = cases::make_attention_data(c, seed);
  const cases::Expected expected = cases::expect_rows(data, seed);
  const std::string failure = check_config(data, expected, worst);
  if (!failure.empty()) return failure;
  // Limits of an engine that mixes prompts with decodes: two kernels share such batches.
  // The same ones for most cases, so that they share planners.
  AttentionConfig& config = data.config;
  config.max_batch_size = std::max(config.max_batch_size, 32);
  config.max_nnz_qo = std::max(config.max_nnz_qo, 32 * config.max_batch_size);
  const AttentionSpec spec = select_attention_cuda(checked_config(config), gpu_backend()->target());
  if (spec.short_schedule.serves_none()) return "";  // the kernel of the limits above
  const std::string mixed = check_config(data, expected, worst);
  return mixed.empty() ? "" : mixed + " (limits of mixed batches)";
}

}  // namespace weft::test
