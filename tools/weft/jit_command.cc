// SPDX-License-Identifier: Apache-2.0
// `weft jit`: what the disk cache of compiled kernels holds.
#include <cstdio>

#include "src/jit/disk_cache.h"
#include "src/jit/embedded.h"
#include "tools/weft/commands.h"
#include "tools/weft/format.h"
#include "tools/weft/json.h"

namespace weft::cli {
namespace {

const Command kCommand{
    "jit",
    "ls|show|clear [NAME]",
    "list, show or remove compiled GPU kernels",
    "ls lists the entries of the disk cache, show prints one: the generated source, the "
    "compiler's\n"
    "report and where the cubin lies; the first letters of its name are enough. clear removes "
    "all.\n"
    "Exit status 1 when ls finds a damaged entry (it is compiled again when next asked for).",
    "  weft jit ls\n  weft jit show 077d\n  weft jit clear --cache-dir /var/cache/weft",
    1,
    2,
    {{"--cache-dir", "DIR", "", "the cache; default: $XDG_CACHE_HOME/weft or ~/.cache/weft"}}};

JsonObject json_of(const CacheEntry& entry) {
  const KernelImage& image = entry.image;
  JsonObject json;
  json.add("name", entry.name).add("path", entry.path).add("sound", entry.sound);
  json.add("bytes", static_cast<int64_t>(entry.bytes)).add("kernel", image.name);
  json.add("arch", image.arch).add("compiler", image.compiler);
  json.add("registers", image.resources.registers);
  json.add("spill_bytes", image.resources.spill_store_bytes + image.resources.spill_load_bytes);
  json.add("smem_bytes", image.smem_bytes + image.resources.static_smem_bytes);
  json.add("threads", image.num_threads);
  return json;
}

int list(const DiskCache& cache, bool as_json) {
  const std::vector<CacheEntry> entries = cache.list();
  int damaged = 0;
  uint64_t bytes = 0;
  for (const CacheEntry& entry : entries) {
    bytes += entry.bytes;
    damaged += !entry.sound;
    if (as_json) {
      std::printf("%s\n", json_of(entry).str().c_str());
    } else if (!entry.sound) {
      std::printf("%s  damaged\n", entry.name.c_str());
    } else {
      const KernelImage& image = entry.image;
      std::printf("%s  %-12s %-8s %s  %3d registers  %6d B smem  %s\n", entry.name.c_str(),
                  image.name.c_str(), image.arch.c_str(), image.compiler.c_str(),
                  image.resources.registers, image.smem_bytes,
                  human_bytes(static_cast<double>(entry.bytes)).c_str());
    }
  }
  if (!as_json) {
    std::printf("%zu kernels, %s, in %s\nsources of this build: %.16s\n", entries.size(),
                human_bytes(static_cast<double>(bytes)).c_str(), cache.root().c_str(),
                kernel_tree_hash());
  }
  return damaged > 0 ? 1 : 0;
}

int show(const DiskCache& cache, const std::string& prefix, bool as_json) {
  std::vector<CacheEntry> found;
  for (CacheEntry& entry : cache.list()) {
    if (entry.name.rfind(prefix, 0) == 0) found.push_back(std::move(entry));
  }
  if (found.size() != 1) {
    throw UsageError(strf("NAME: expected the beginning of one entry's name, got '%s', of %zu",
                          prefix.c_str(), found.size()));
  }
  const CacheEntry& entry = found[0];
  if (as_json) {
    std::printf("%s\n", json_of(entry).str().c_str());
  } else if (entry.sound) {
    std::printf("%s\n%s\n%s/kernel.cubin\n", entry.image.source.c_str(), entry.image.log.c_str(),
                entry.path.c_str());
  } else {
    std::printf("%s: damaged\n", entry.path.c_str());
  }
  return entry.sound ? 0 : 1;
}

int clear(const DiskCache& cache, bool as_json) {
  const int removed = cache.clear();
  if (as_json) {
    JsonObject json;
    std::printf("%s\n", json.add("removed", removed).str().c_str());
  } else {
    std::printf("%d kernels removed from %s\n", removed, cache.root().c_str());
  }
  return 0;
}

int run(const Args& args) {
  const std::vector<std::string>& words = args.positional();
  const std::string dir = args.has("--cache-dir") ? args.text("--cache-dir") : default_cache_dir();
  if (dir.empty()) {
    throw UsageError("--cache-dir: expected a directory, got none: HOME is not set");
  }
  const DiskCache cache(dir);
  const bool as_json = args.has("--json");
  if (words[0] == "show" && words.size() == 2) return show(cache, words[1], as_json);
  if (words[0] == "ls" && words.size() == 1) return list(cache, as_json);
  if (words[0] == "clear" && words.size() == 1) return clear(cache, as_json);
  throw UsageError("jit: expected ls, show NAME or clear, got '" + words[0] + "'");
}

}  // namespace

const CommandEntry& jit_command() {
  static const CommandEntry entry{kCommand, run};
  return entry;
}

}  // namespace weft::cli
