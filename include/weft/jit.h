// SPDX-License-Identifier: Apache-2.0
// Where GPU kernels come from: compiled when first asked for, or found in a bundle or in the disk
// cache. Paths only: nothing here chooses a kernel. The CPU needs none of it. docs/jit.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace weft {

struct JitOptions {
  /// Directory of compiled kernels, made when it is missing; may be shared and may be read-only.
  /// Not given: $XDG_CACHE_HOME/weft, or ~/.cache/weft. Empty: nothing is read or written.
  std::optional<std::string> cache_dir;
  /// Files written by `weft aot`, asked before the cache. A kernel found there needs no compiler.
  std::vector<std::string> bundles;
  /// Names or paths of NVRTC, tried in order. Empty: the ones CUDA 13 and 12 install.
  std::vector<std::string> nvrtc;

  bool operator==(const JitOptions&) const = default;
};

}  // namespace weft
