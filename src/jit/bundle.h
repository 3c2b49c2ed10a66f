// SPDX-License-Identifier: Apache-2.0
// Many kernels in one file, made ahead of time by `weft aot`: what a machine without a compiler is
// given. Called by kernel_store; knows images, no specs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "src/base/kernel.h"

namespace weft {

/// Writes the images, by their keys, to `path` in one rename. Throws Error(invalid_argument) when
/// the file cannot be written.
void write_bundle(const std::string& path, std::span<const KernelImage* const> images);

class Bundle {
 public:
  /// Reads the list of contents. Throws Error(invalid_argument) when `path` is no whole bundle.
  explicit Bundle(const std::string& path);

  const std::string& path() const { return path_; }
  size_t size() const { return entries_.size(); }

  /// The image with this key. Throws Error(invalid_argument) when its bytes are damaged.
  std::optional<KernelImage> load(const std::string& key) const;

 private:
  struct Entry {
    uint64_t offset = 0;
    uint64_t sizes[4] = {};  // manifest, source, log, cubin
  };

  std::string path_;
  std::map<std::string, Entry> entries_;
};

}  // namespace weft
