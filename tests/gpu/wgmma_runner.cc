// SPDX-License-Identifier: Apache-2.0
// See wgmma_runner.h.
#include "tests/gpu/wgmma_runner.h"

#include <algorithm>

#include "src/cuda/launch.h"

namespace weft::test {
namespace {

detail::AttentionImpl make_impl(const CudaBackend& backend, const AttentionConfig& config,
                                const ScheduleSpec& schedule) {
  detail::AttentionImpl impl;
  impl.config = config;
  impl.target = backend.state().device.target();
  AttentionSpec& spec = impl.spec;
  spec.dtype_q = config.dtype_q;
  spec.dtype_kv = config.dtype_kv;
  spec.dtype_o = config.dtype_o;
  spec.head_dim_qk = config.head_dim_qk;
  spec.head_dim_vo = config.head_dim_vo;
  spec.kv_layout = config.kv_layout;
  spec.mask = config.mask;
  spec.schedule = schedule;
  Arena arena;
  impl.layout = attention_layout(config, spec, arena);
  impl.layout.bytes = arena.bytes();
  return impl;
}

}  // namespace

WgmmaRunner::WgmmaRunner(const CudaBackend& backend, cases::AttentionData& data,
                         const AttentionWgmmaSpec& spec, const ScheduleSpec& schedule)
    : device_(backend.state().device),
      data_(data),
      mirror_(device_, data),
      spec_(spec),
      impl_(make_impl(backend, data.config, schedule)),
      workspace_(std::make_unique<DeviceMemory>(device_, impl_.layout.bytes)),
      plan_(std::make_unique<detail::AttentionPlanImpl>(impl_)),
      kernel_(backend.state().kernel(spec)) {
  plan_->base = static_cast<char*>(workspace_->data());
  const auto ints = [](const TensorView& t) { return static_cast<const int32_t*>(t.data); };
  const AttentionBatch& batch = mirror_.batch();
  plan_->lengths = {ints(batch.qo_indptr), ints(batch.kv_indptr), ints(batch.last_page_len),
                    data.config.page_size};
  plan_->kv_indices = ints(batch.kv_indices);
}

template <class T>
void WgmmaRunner::upload(const ArenaArray<T>& array, const std::vector<T>& values) const {
  if (values.empty()) return;
  device_.driver().check(
      device_.driver().copy_to_device(reinterpret_cast<cu::Address>(array.in(plan_->base)),
                                      values.data(), values.size() * sizeof(T), nullptr),
      "copy to device");
}

void WgmmaRunner::plan(unsigned char dirt) {
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.check(driver.fill_bytes(workspace_->address(), dirt, workspace_->bytes(), nullptr),
               "fill");
  const AttentionLayout& layout = impl_.layout;
  const ScheduleSpec& s = impl_.spec.schedule;
  std::vector<int32_t> indptr(layout.work_indptr.count);
  std::vector<WorkItem> items(layout.items.count);
  std::vector<MergeItem> merges(layout.merges.count);
  const auto ints = [](const TensorView& t) { return static_cast<const int32_t*>(t.data); };
  const BatchLengths lengths{ints(data_.batch.qo_indptr), ints(data_.batch.kv_indptr),
                             ints(data_.batch.last_page_len), data_.config.page_size};
  const auto requests = static_cast<int32_t>(data_.batch.qo_indptr.shape[0] - 1);
  summary_ = partition(s, lengths, requests, indptr.data(), items.data(), merges.data());
  items.resize(static_cast<size_t>(summary_.num_items));
  merges.resize(static_cast<size_t>(summary_.num_merges));
  upload(layout.work_indptr, indptr);
  upload(layout.items, items);
  upload(layout.merges, merges);
  upload(layout.merge_arrivals, std::vector<int32_t>(layout.merge_arrivals.count, 0));
  driver.check(driver.context_synchronize(), "synchronize");
}

void WgmmaRunner::run(void* stream) const {
  WgmmaBinding binding = bind_wgmma(data_.config, spec_, impl_.spec.schedule, mirror_.args(),
                                    bind_attention(*plan_, mirror_.args()));
  launch(device_, kernel_,
         LaunchShape{.num_ctas = impl_.spec.schedule.num_workers(), .overlaps_previous = true},
         stream, encode_maps(device_, binding));
}

void WgmmaRunner::finish() {
  {
    const ContextScope current(device_);
    device_.driver().check(device_.driver().context_synchronize(), "synchronize");
  }
  mirror_.download_outputs();
}

std::string check_wgmma_case(const cases::AttentionCase& c, uint64_t seed, int num_groups,
                             double* worst) {
  cases::AttentionData data = cases::make_attention_data(c, seed);
  data.config = checked_config(data.config);
  const AttentionWgmmaSpec spec = wgmma_spec(data.config);
  ScheduleSpec schedule = wgmma_schedule(data.config, spec, num_groups);
  schedule.min_blocks = 1;  // as many cuts as there can be
  WgmmaRunner runner(*gpu_backend(), data, spec, schedule);
  std::vector<char> bits;
  for (const unsigned char dirt : {0xc3, 0xff}) {  // a number, NaN
    runner.plan(dirt);
    for (int round = 0; round < 2; ++round) {
      runner.mirror().poison_outputs();
      runner.run();
      runner.finish();
      if (!bits.empty() && cases::output_bits(data) != bits) {
        return "other bits in run " + std::to_string(round);
      }
      bits = cases::output_bits(data);
    }
  }
  std::string stray = runner.mirror().find_stray_write();
  if (!stray.empty()) return stray;
  const cases::Comparison result = cases::compare_rows(data, cases::expect_rows(data, seed));
  *worst = std::max(*worst, result.worst);
  return result.failure;
}

}  // namespace weft::test
