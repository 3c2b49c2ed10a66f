// SPDX-License-Identifier: Apache-2.0
// See roof.h. One sample takes about 10 ms (arithmetic) or 15 ms (memory) of every thread.
#include "tools/weft/roof.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tools/weft/stats.h"

namespace weft::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// 256 MB in all, eight times the last-level cache of the machines these figures were taken on.
constexpr int64_t kMemoryBytes = int64_t{256} << 20;
constexpr int64_t kReadAlign = int64_t{2} << 20;

RoofReader reader_for([[maybe_unused]] const Target& target) {
#if defined(__x86_64__)
  if (target.isa >= Isa::avx512) return roof_read_avx512;
  if (target.isa >= Isa::avx2) return roof_read_avx2;
#endif
  return roof_read_scalar;
}

const std::vector<const RoofUnit*>& all_units() {
  static const std::vector<const RoofUnit*> units {
    &roof_scalar(),
#if defined(__x86_64__)
        &roof_avx2(), &roof_avx512(), &roof_avx512_bf16(), &roof_amx_bf16(),
#endif
  };
  return units;
}

}  // namespace

const RoofUnit& roof_unit(std::string_view attention_unit) {
  for (const RoofUnit* unit : all_units()) {
    if (attention_unit == std::string("cpu_") + unit->name) return *unit;
  }
  throw Error(ErrorKind::internal, "no roof is known for the unit " + std::string(attention_unit));
}

Roofs::Roofs(Threads& threads, const Target& target)
    : threads_(threads), reader_(reader_for(target)) {
  memory_bytes_ = kMemoryBytes / threads.count() / kReadAlign * kReadAlign;
  memory_bytes_ = std::max(memory_bytes_, kReadAlign);
  memory_ = engine::Buffer(host_, DType::u8, {memory_bytes_ * threads.count()});
  threads_.each(threads.count(), [&](int i) { std::memset(share_of(i), i + 1, memory_bytes_); });
}

char* Roofs::share_of(int thread) const {
  return static_cast<char*>(memory_.view().data) + thread * memory_bytes_;
}

void Roofs::sample_unit(const RoofUnit& unit) {
  constexpr int64_t kProbe = 200'000;
  unit.burst(kProbe / 10);
  const auto probe = Clock::now();
  unit.burst(kProbe);
  const double iterations = std::max(1.0, 0.01 / (seconds_since(probe) / kProbe));
  const auto n = static_cast<int64_t>(iterations);
  const auto begin = Clock::now();
  threads_.each(threads_.count(), [&](int) { unit.burst(n); });
  const double flops = unit.flops_per_iteration * static_cast<double>(n) * threads_.count();
  units_[unit.name].push_back(flops / seconds_since(begin) / 1e9);
}

double Roofs::read_gbs(int64_t bytes_a_thread, int repeats) {
  const auto begin = Clock::now();
  threads_.each(threads_.count(), [&](int i) {
    for (int k = 0; k < repeats; ++k) reader_(share_of(i), bytes_a_thread);
  });
  const double bytes = static_cast<double>(bytes_a_thread) * repeats * threads_.count();
  return bytes / seconds_since(begin) / 1e9;
}

void Roofs::sample_memory() { reads_[memory_bytes_].push_back(read_gbs(memory_bytes_, 1)); }

void Roofs::sample_cache(int64_t bytes_a_thread) {
  const int64_t bytes = std::min(bytes_a_thread, memory_bytes_);
  read_gbs(bytes, 1);
  const int repeats = static_cast<int>(std::max<int64_t>(1, (int64_t{1} << 28) / bytes));
  reads_[bytes_a_thread].push_back(read_gbs(bytes, repeats));
}

double Roofs::gflops(const RoofUnit& unit) const { return median(units_.at(unit.name)); }
double Roofs::memory_gbs() const { return median(reads_.at(memory_bytes_)); }
double Roofs::cache_gbs(int64_t bytes) const { return median(reads_.at(bytes)); }

}  // namespace weft::cli
