// SPDX-License-Identifier: Apache-2.0
// Compiled kernels on disk, one directory each, shared by any number of processes without locks: an
// entry is written aside and appears by one rename. Damaged entries count as absent. Called by
// kernel_store and `weft jit`; knows names and images, no specs and no compiler.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/base/kernel.h"

namespace weft {

/// $XDG_CACHE_HOME/weft, or ~/.cache/weft; empty when the environment names neither.
std::string default_cache_dir();

struct CacheEntry {
  std::string name;
  std::string path;
  bool sound = false;  // every checksum holds
  KernelImage image;   // when sound
  uint64_t bytes = 0;
};

class DiskCache {
 public:
  /// Off when `root` is empty. `step` is told each step of a publish before it is taken: a test
  /// ends its process there.
  explicit DiskCache(std::string root, std::function<void(const char*)> step = {});

  const std::string& root() const { return root_; }

  /// The image stored under `name`; nothing when it is absent, unreadable or damaged.
  std::optional<KernelImage> load(const std::string& name) const;

  /// Publishes an image, unless a sound one is there. Returns why it could not, or "".
  std::string store(const std::string& name, const KernelImage& image) const;

  /// All entries, by name.
  std::vector<CacheEntry> list() const;

  /// Removes all entries, damaged ones and what a killed process left. Returns how many.
  int clear() const;

 private:
  std::string path_of(const std::string& name) const;
  void sweep() const;
  void step(const char* what) const;

  std::string root_;
  std::function<void(const char*)> step_;
};

}  // namespace weft
