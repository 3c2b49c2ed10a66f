// SPDX-License-Identifier: Apache-2.0
// `weft aot`: a bundle of every kernel that a list of configs can reach, made where there is a
// compiler, for machines that have none.
#include <cstdio>
#include <set>

#include "src/jit/bundle.h"
#include "src/ops/attention/kernels.h"
#include "src/ops/attention/select.h"
#include "src/ops/attention/select_cuda.h"
#include "tools/weft/commands.h"
#include "tools/weft/config_json.h"
#include "tools/weft/format.h"
#include "tools/weft/models.h"

namespace weft::cli {
namespace {

const Command kCommand{
    "aot",
    "BUNDLE [CONFIGS]",
    "compile GPU kernels ahead of time into one file",
    "Writes BUNDLE with every kernel that the configs can reach; a program that names it in\n"
    "JitOptions::bundles needs no compiler for them. CONFIGS has an attention config a line, as "
    "JSON,\n"
    "with the field names of weft::AttentionConfig; without it the config is that of a model. A\n"
    "schedule is made for a number of SMs, so the GPU must be the one meant. Needs NVRTC, no GPU.",
    "  weft aot llama.bundle --model llama-8b --max-batch 256\n"
    "  weft aot all.bundle configs.jsonl --sms 114",
    1,
    2,
    {
        model_option(),
        {"--page-size", "N", "16", "tokens a page holds"},
        {"--max-batch", "N", "256", "requests in one step"},
        {"--max-batch-tokens", "N", "8192", "tokens in one step"},
        {"--arch", "N", "90", "architecture: 80, 89, 90, 100, 120"},
        {"--sms", "N", "132", "SMs of the GPU; the default is an H200's"},
        {"--cache-dir", "DIR", "", "cache of compiled kernels to use; default: none"},
    }};

std::vector<AttentionConfig> configs_of(const Args& args) {
  if (args.positional().size() == 2) return read_configs(args.positional()[1]);
  const ModelShape& model = find_model(args.text("--model"));
  AttentionConfig config;
  config.num_qo_heads = model.num_qo_heads;
  config.num_kv_heads = model.num_kv_heads;
  config.head_dim_qk = model.head_dim;
  config.page_size = static_cast<int>(args.integer("--page-size", 0, 4096));
  if (model.window > 0 && model.window_every == 1) config.window_left = model.window - 1;
  config.max_batch_size = static_cast<int>(args.integer("--max-batch", 1, 1 << 16));
  config.max_nnz_qo =
      static_cast<int>(args.integer("--max-batch-tokens", config.max_batch_size, 1 << 24));
  return {config};
}

int run(const Args& args) {
  Target target = Target::h200();
  target.arch = static_cast<int>(args.integer("--arch", 80, 999));
  target.num_sms = static_cast<int>(args.integer("--sms", 1, 1024));
  target.num_workers = target.num_sms;
  std::vector<KernelRequest> requests;
  const std::vector<AttentionConfig> configs = configs_of(args);
  for (const AttentionConfig& config : configs) {
    const AttentionConfig checked = checked_config(config);
    const AttentionSpec spec = select_attention_cuda(checked, target);
    for (KernelRequest& request : attention_kernels(checked, spec, target)) {
      requests.push_back(std::move(request));
    }
  }
  KernelStore store(JitOptions{.cache_dir = args.text("--cache-dir")});
  const std::vector<const KernelImage*> all = store.prepare(requests);
  const std::set<const KernelImage*> distinct(all.begin(), all.end());
  const std::vector<const KernelImage*> images(distinct.begin(), distinct.end());
  const std::string& path = args.positional()[0];
  write_bundle(path, images);
  size_t bytes = 0;
  for (const KernelImage* image : images) bytes += image->cubin.size();
  if (args.has("--json")) {
    JsonObject json;
    json.add("path", path).add("configs", static_cast<int64_t>(configs.size()));
    json.add("kernels", static_cast<int64_t>(images.size()));
    json.add("cubin_bytes", static_cast<int64_t>(bytes)).add("arch", images[0]->arch);
    std::printf("%s\n", json.str().c_str());
  } else {
    std::printf("%zu kernels of %zu configs for %s, %s of machine code, in %s\n", images.size(),
                configs.size(), images[0]->arch.c_str(),
                human_bytes(static_cast<double>(bytes)).c_str(), path.c_str());
  }
  return 0;
}

}  // namespace

const CommandEntry& aot_command() {
  static const CommandEntry entry{kCommand, run};
  return entry;
}

}  // namespace weft::cli
