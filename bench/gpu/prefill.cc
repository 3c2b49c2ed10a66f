// SPDX-License-Identifier: Apache-2.0
// See prefill.h.
#include "bench/gpu/prefill.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "tools/weft/json.h"
#include "tools/weft/stats.h"

namespace weft::bench {
namespace {

struct Lengths {
  std::vector<int32_t> qo{0}, kv{0}, last, pages;

  explicit Lengths(const Case& c) {
    const int page = std::max(1, c.config.page_size);
    for (size_t r = 0; r < c.kv_lens.size(); ++r) {
      qo.push_back(qo.back() + c.qo_lens[r]);
      kv.push_back(kv.back() + ceil_div(c.kv_lens[r], page));
      last.push_back((c.kv_lens[r] - 1) % page + 1);
    }
    pages.resize(static_cast<size_t>(kv.back()));
    std::iota(pages.begin(), pages.end(), 0);
    std::shuffle(pages.begin(), pages.end(), std::mt19937(3));  // as a cache in use has them
  }
};

size_t cache_elements(const Case& c) {
  const auto pages = static_cast<size_t>(Lengths(c).kv.back());
  return pages * static_cast<size_t>(std::max(1, c.config.page_size) * c.config.num_kv_heads *
                                     c.config.head_dim_qk);
}

size_t query_elements(const Case& c) {
  return static_cast<size_t>(int64_t{c.config.max_nnz_qo} * c.config.num_qo_heads *
                             c.config.head_dim_qk);
}

// Words of a tuning that name `fields` change them; the others are given back.
std::string change(const std::string& tuning, const std::map<std::string, int32_t*>& fields) {
  std::string others;
  std::istringstream words(tuning);
  for (std::string word; std::getline(words, word, ',');) {
    const size_t equals = word.find('=');
    const auto field = fields.find(word.substr(0, equals));
    if (equals == std::string::npos || field == fields.end()) {
      others += others.empty() ? word : "," + word;
    } else {
      *field->second = std::stoi(word.substr(equals + 1));
    }
  }
  return others;
}

std::map<std::string, int32_t*> fields_of(AttentionSpec& spec) {
  std::map<std::string, int32_t*> fields;
  for (const auto& [prefix, schedule] :
       {std::pair{"", &spec.schedule}, std::pair{"short.", &spec.short_schedule}}) {
    const auto add = [&](const char* name, int32_t& field) {
      fields[std::string(prefix) + name] = &field;
    };
    add("fixed", schedule->cost.fixed);
    add("per_block", schedule->cost.per_block);
    add("per_block_row", schedule->cost.per_block_row);
    add("min_blocks", schedule->min_blocks);
    add("num_groups", schedule->num_groups);
    add("spare_groups", schedule->spare_groups);
    add("enough_percent", schedule->enough_percent);
    add("most_rows", schedule->most_rows);
    add("least_rows", schedule->least_rows);
  }
  return fields;
}

}  // namespace

PrefillTensors::PrefillTensors(const CudaBackend& backend, const Case& c)
    : qo_indptr_(backend.state().device, Lengths(c).qo),
      kv_indptr_(backend.state().device, Lengths(c).kv),
      last_page_len_(backend.state().device, Lengths(c).last),
      pages_(backend.state().device, Lengths(c).pages),
      q_(backend.state().device, query_elements(c)),
      k_(backend.state().device, cache_elements(c)),
      v_(backend.state().device, cache_elements(c)),
      o_(backend.state().device, query_elements(c)) {
  for (Array<uint16_t>* array : {&q_, &k_, &v_}) fill_random(*array, c.config.dtype_q);
  const Device device{DeviceType::cuda, backend.target().device_index};
  const auto ints = [&](const Array<int32_t>& array) {
    return TensorView(array.data(), DType::i32, {static_cast<int64_t>(array.size())}, device);
  };
  const AttentionConfig& config = c.config;
  const int64_t dim = config.head_dim_qk;
  batch = {ints(qo_indptr_), ints(kv_indptr_), {}, {}};
  if (config.page_size > 0) {
    batch.kv_indices = ints(pages_);
    batch.last_page_len = ints(last_page_len_);
  }
  const auto cache = [&](const Array<uint16_t>& array) {
    const auto pages = static_cast<int64_t>(pages_.size());
    if (config.page_size == 0) {
      return TensorView(array.data(), config.dtype_kv, {pages, config.num_kv_heads, dim}, device);
    }
    return TensorView(array.data(), config.dtype_kv,
                      {pages, config.page_size, config.num_kv_heads, dim}, device);
  };
  args.q =
      TensorView(q_.data(), config.dtype_q, {config.max_nnz_qo, config.num_qo_heads, dim}, device);
  args.o =
      TensorView(o_.data(), config.dtype_q, {config.max_nnz_qo, config.num_qo_heads, dim}, device);
  args.k = cache(k_);
  args.v = cache(v_);
}

Prefill::Prefill(const CudaBackend& backend, const Case& c, const std::string& tuning) {
  AttentionConfig config = c.config;
  const std::string of_spec = change(tuning, {{"max_nnz_qo", &config.max_nnz_qo}});
  impl_.config = checked_config(config);
  impl_.target = backend.target();
  impl_.spec = select_attention_cuda(impl_.config, impl_.target);
  const std::string unknown = change(of_spec, fields_of(impl_.spec));
  if (!unknown.empty()) {
    throw std::runtime_error("tuning: expected field=value of a known field, got " + unknown);
  }
  Arena arena;
  impl_.layout = attention_layout(impl_.config, impl_.spec, arena);
  impl_.backend = make_attention_cuda(impl_.config, impl_.spec, impl_.layout, backend, arena);
  plan_ = std::make_unique<detail::AttentionPlanImpl>(impl_);
  plan_->owned = impl_.backend->allocate(arena.bytes());
  plan_->base = plan_->owned.get();
}

void Prefill::plan(const PrefillTensors& tensors, void* stream) {
  impl_.backend->plan(tensors.batch, *plan_, {stream, nullptr});
}

void Prefill::run(const PrefillTensors& tensors, void* stream) const {
  impl_.backend->run(*plan_, tensors.args, {stream, nullptr});
}

std::string Prefill::describe() const {
  std::string text = name_of(impl_.spec.unit);
  for (const PlanLists& list : impl_.backend->lists(*plan_)) {
    text += ", " + std::to_string(list.summary.num_items) + " items on " +
            std::to_string(list.summary.active_groups) + " of " +
            std::to_string(list.schedule.num_groups) + " groups, " +
            std::to_string(list.summary.num_merges) + " cut";
  }
  return text;
}

namespace {

constexpr double kGraphFlop = 3e12;
constexpr int kMostCalls = 24;
constexpr double kWarmUs = 1e5;
constexpr auto kPause = std::chrono::milliseconds(25);

struct Variant {
  std::unique_ptr<Prefill> prefill;
  std::unique_ptr<Graph> graph;
  std::vector<double> rested, warm;
};

}  // namespace

std::vector<PrefillResult> measure_prefill(const CudaBackend& backend, const Case& c,
                                           const std::vector<std::string>& tunings, int rounds) {
  const CudaDevice& device = backend.state().device;
  const PrefillTensors tensors(backend, c);
  const int calls = std::clamp(static_cast<int>(kGraphFlop / c.flops()), 1, kMostCalls);
  std::vector<Variant> variants;
  for (const std::string& tuning : tunings) {
    Variant v{std::make_unique<Prefill>(backend, c, tuning), nullptr, {}, {}};
    const Graph plan(device, [&](void* stream) { v.prefill->plan(tensors, stream); });
    plan.time_us();
    v.graph = std::make_unique<Graph>(device, [&](void* stream) {
      for (int i = 0; i < calls; ++i) v.prefill->run(tensors, stream);
    });
    variants.push_back(std::move(v));
  }
  for (int i = 0; i < rounds; ++i) {
    for (Variant& v : variants) {
      std::this_thread::sleep_for(kPause);
      for (int replay = 0; replay < 3; ++replay) v.graph->time_us();
      v.rested.push_back(v.graph->time_us() / calls);
    }
  }
  for (double us = 0; us < kWarmUs;) {
    for (const Variant& v : variants) us += v.graph->time_us();
  }
  for (int i = 0; i < rounds; ++i) {
    for (Variant& v : variants) v.warm.push_back(v.graph->time_us() / calls);
  }
  std::vector<PrefillResult> results;
  for (size_t i = 0; i < tunings.size(); ++i) {
    const Variant& v = variants[i];
    results.push_back(
        {tunings[i], v.prefill->describe(), cli::median(v.rested), cli::median(v.warm)});
  }
  return results;
}

std::string to_json(const Case& c, const PrefillResult& r, const std::string& device) {
  const double tflops = c.flops() / r.us * 1e-6;
  cli::JsonObject line;
  line.add("id", c.id).add("us", r.us).add("tflops", tflops);
  line.add("warm_us", r.warm_us).add("warm_tflops", c.flops() / r.warm_us * 1e-6);
  if (c.target_tflops > 0) {
    line.add("target_tflops", c.target_tflops).add("met", tflops >= c.target_tflops);
  }
  if (c.target_us > 0) line.add("target_us", c.target_us).add("met", r.us <= c.target_us);
  if (c.floor_us > 0) line.add("floor_us", c.floor_us);
  if (c.peer_us > 0) line.add("peer_us", c.peer_us);
  if (c.peer_tflops > 0) line.add("peer_tflops", c.peer_tflops);
  if (!r.tuning.empty()) line.add("tuning", r.tuning);
  return line.add("kernel", r.kernel).add("device", device).str();
}

}  // namespace weft::bench
