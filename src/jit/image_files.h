// SPDX-License-Identifier: Apache-2.0
// A KernelImage as four texts: a manifest with checksums, the stub, the compiler's report and the
// cubin. The disk cache keeps them as files, a bundle one after another. Knows neither.
#pragma once

#include <optional>
#include <string>

#include "src/base/kernel.h"

namespace weft {

struct ImageFiles {
  std::string manifest;
  std::string source;
  std::string log;
  std::string cubin;
};

/// `name` is what the entry was stored under; unpack asks for the same.
ImageFiles pack_image(const KernelImage& image, const std::string& name);

/// The image, or nothing when any byte differs from what was packed under `name`.
std::optional<KernelImage> unpack_image(const ImageFiles& files, const std::string& name);

}  // namespace weft
