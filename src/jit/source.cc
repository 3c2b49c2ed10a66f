// SPDX-License-Identifier: Apache-2.0
// The stub's text.
#include "src/jit/source.h"

#include "src/base/kernel.h"

namespace weft {

std::string make_stub(const StubText& parts, const KernelShape& shape, int params_bytes) {
  const std::string params = parts.params_type;
  const std::string smem = std::string(parts.smem_type) + "::of(spec).bytes";
  std::string text = "#include \"" + std::string(parts.header) + "\"\n\n";
  text += "constexpr " + std::string(parts.spec_type) + " spec" + parts.spec_value + ";\n";
  // The host computed both with another compiler: when they disagree, nothing builds.
  text += "static_assert(" + smem + " == " + std::to_string(shape.smem_bytes) + ");\n";
  text += "static_assert(sizeof(" + params + ") == " + std::to_string(params_bytes) + ");\n\n";
  text += "extern \"C\" __global__ __launch_bounds__(" + std::to_string(shape.num_threads) + ", " +
          std::to_string(shape.min_ctas) + ")\n";
  text += "void " + std::string(kKernelEntry) + "(const __grid_constant__ " + params +
          " params) {\n  " + parts.function + "<spec>(params);\n}\n";
  return text;
}

}  // namespace weft
