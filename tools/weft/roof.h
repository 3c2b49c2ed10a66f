// SPDX-License-Identifier: Apache-2.0
// Roofs: the arithmetic rate of each unit and the read bandwidth, measured where and when they are
// compared with. Used by bench and replay; shares no code with what it judges.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "examples/engine/memory.h"
#include "tools/weft/machine.h"
#include "tools/weft/roof_unit.h"

namespace weft::cli {

/// The roof of the unit that a plan or explain() names, as "cpu_avx512_bf16".
const RoofUnit& roof_unit(std::string_view attention_unit);

/// Measures again at each `sample` and answers with medians, so that a roof sees the same machine
/// as the work measured between samples.
class Roofs {
 public:
  explicit Roofs(Threads& threads, const Target& target);
  Roofs(const Roofs&) = delete;
  Roofs& operator=(const Roofs&) = delete;

  void sample_unit(const RoofUnit& unit);
  void sample_memory();                       // past the caches
  void sample_cache(int64_t bytes_a_thread);  // resident

  void clear() { units_.clear(), reads_.clear(); }
  double gflops(const RoofUnit& unit) const;
  double memory_gbs() const;
  double cache_gbs(int64_t bytes_a_thread) const;

 private:
  char* share_of(int thread) const;
  double read_gbs(int64_t bytes_a_thread, int repeats);

  Threads& threads_;
  RoofReader reader_;
  int64_t memory_bytes_;  // a thread
  engine::HostMemory host_;
  engine::Buffer memory_;  // from where caches come too, so that pages are of the same size
  std::map<std::string, std::vector<double>> units_;
  std::map<int64_t, std::vector<double>> reads_;
};

}  // namespace weft::cli
