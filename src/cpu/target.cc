// SPDX-License-Identifier: Apache-2.0
// Target: this host, a known GPU, and their printed forms.
#include "weft/target.h"

#include <algorithm>
#include <thread>

#include "src/base/check.h"
#include "src/cpu/isa.h"

namespace weft {

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_bf16:
      return "avx512_bf16";
    case Isa::amx_bf16:
      return "amx_bf16";
  }
  return "invalid";
}

Isa isa_from_name(const std::string& name) {
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx_bf16}) {
    if (name == name_of(isa)) return isa;
  }
  fail(ErrorKind::invalid_argument, "isa", "scalar, avx2, avx512, avx512_bf16 or amx_bf16", name);
}

Target Target::host() {
  Target target;
  target.isa = usable_isa();
  target.fast_bf16 = has_fast_bf16();
  target.num_threads = usable_threads();
  // Four workers a core even out what the cost model does not see. From the hardware, not from the
  // affinity mask: the same machine gives the same bits to every process.
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  target.num_workers = std::max(64, 4 * cores);
  return target;
}

Target Target::h200() {
  Target target;
  target.device = DeviceType::cuda;
  target.arch = 90;
  target.num_sms = 132;
  target.smem_per_sm = 228 * 1024;
  target.l2_bytes = 60 << 20;
  target.num_workers = 132;
  return target;
}

std::string to_string(const Target& target) {
  if (target.device == DeviceType::cuda) {
    return "cuda:" + std::to_string(target.device_index) + " sm_" + std::to_string(target.arch) +
           ", " + std::to_string(target.num_sms) + " SMs";
  }
  return std::string("cpu ") + name_of(target.isa) + ", " + std::to_string(target.num_threads) +
         " threads, " + std::to_string(target.num_workers) + " workers";
}

}  // namespace weft
