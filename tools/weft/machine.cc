// SPDX-License-Identifier: Apache-2.0
// See machine.h.
#include "tools/weft/machine.h"

#include <fstream>

#include "tools/weft/args.h"

namespace weft::cli {

Threads::Threads(int count) : pool_(count) {
  parallel_for_.context = &pool_;
  parallel_for_.num_threads = pool_.num_threads();
  parallel_for_.run = [](void* context, int n, void (*body)(void*, int), void* arg) {
    static_cast<ThreadPool*>(context)->run(n, body, arg);
  };
  executor_.parallel_for = &parallel_for_;
}

Target target_for(const std::string& isa, int threads) {
  Target target = Target::host();
  if (!isa.empty()) {
    const Isa wanted = isa_from_name(isa);
    if (wanted > target.isa) {
      throw UsageError("--isa: expected at most " + std::string(name_of(target.isa)) +
                       ", the best of this machine, got '" + isa + "'");
    }
    target.isa = wanted;
    target.fast_bf16 = target.fast_bf16 && wanted >= Isa::avx512_bf16;
  }
  if (threads > 0) target.num_threads = threads;
  return target;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string::npos && colon + 2 < line.size()) {
      return line.substr(colon + 2);
    }
  }
  return "unknown CPU";
}

}  // namespace weft::cli
