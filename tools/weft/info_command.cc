// SPDX-License-Identifier: Apache-2.0
// `weft info`: what this build and this machine offer.
#include <cstdio>

#include "src/jit/embedded.h"
#include "tools/weft/commands.h"
#include "tools/weft/format.h"
#include "tools/weft/json.h"
#include "tools/weft/machine.h"
#include "tools/weft/plan_view.h"
#include "weft/cuda.h"

namespace weft::cli {
namespace {

const Command kCommand{"info",
                       "",
                       "the version, the target, the units this machine can use",
                       "Prints what weft found: version, processor, instruction sets, threads,\n"
                       "which unit attention would use for each pair of dtypes, and GPUs.",
                       "  weft info\n  weft info --json",
                       0,
                       0,
                       {}};

std::string unit_for(DType q, DType kv, const Target& target) {
  AttentionConfig config;
  config.dtype_q = q;
  config.dtype_kv = kv;
  config.num_qo_heads = 32;
  config.num_kv_heads = 8;
  config.head_dim_qk = 128;
  config.page_size = 16;
  config.max_batch_size = config.max_nnz_qo = 1;
  return view_plan(Attention(config, target).create_plan().explain_json()).unit;
}

// A line a device; returns the same as a JSON array. Kernels are not asked for: no compiler, no
// cache.
std::string print_gpus() {
  std::string json;
  const int count = CudaBackend::num_devices();
  if (count == 0) std::printf("GPUs      none\n");
  for (int i = 0; i < count; ++i) {
    const CudaBackend gpu(i, JitOptions{.cache_dir = ""});
    const Target& t = gpu.target();
    std::printf("%-9s %d: %s, sm_%d, %d SMs, %s L2\n", i == 0 ? "GPUs" : "", i,
                gpu.device_name().c_str(), t.arch, t.num_sms,
                human_bytes(static_cast<double>(t.l2_bytes)).c_str());
    JsonObject one;
    one.add("index", i).add("name", gpu.device_name()).add("arch", t.arch);
    one.add("sms", t.num_sms).add("l2_bytes", t.l2_bytes);
    json += (json.empty() ? "" : ", ") + one.str();
  }
  return "[" + json + "]";
}

int run(const Args& args) {
  const Target target = Target::host();
  std::string isas;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx_bf16}) {
    if (isa <= target.isa) isas += (isas.empty() ? "" : " ") + std::string(name_of(isa));
  }
  const std::pair<DType, DType> pairs[] = {{DType::bf16, DType::bf16},
                                           {DType::f16, DType::f16},
                                           {DType::f32, DType::f32},
                                           {DType::bf16, DType::e4m3}};
  std::printf("version   %s\nCPU       %s\ntarget    %s\nISA       %s\n", version(),
              cpu_name().c_str(), to_string(target).c_str(), isas.c_str());
  JsonObject units;
  for (const auto& [q, kv] : pairs) {
    const std::string unit = unit_for(q, kv, target);
    std::printf("%-9s q %-4s kv %-4s  %s\n", q == DType::bf16 && kv == q ? "units" : "", name_of(q),
                name_of(kv), unit.c_str());
    units.add(std::string(name_of(q)) + "/" + name_of(kv), unit);
  }
  std::printf("kernels   %.16s\n", kernel_tree_hash());
  const std::string gpus = print_gpus();
  if (args.has("--json")) {
    JsonObject json;
    json.add("version", version()).add("cpu", cpu_name()).add("isa", name_of(target.isa));
    json.add("fast_bf16", target.fast_bf16).add("threads", target.num_threads);
    json.add("workers", target.num_workers).raw("units", units.str()).raw("gpus", gpus);
    json.add("kernel_tree_hash", kernel_tree_hash());
    std::printf("%s\n", json.str().c_str());
  }
  return 0;
}

}  // namespace

const CommandEntry& info_command() {
  static const CommandEntry entry{kCommand, run};
  return entry;
}

}  // namespace weft::cli
