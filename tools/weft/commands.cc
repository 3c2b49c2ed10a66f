// SPDX-License-Identifier: Apache-2.0
// Options that several commands share. See commands.h.
#include "tools/weft/commands.h"

#include "tools/weft/models.h"

namespace weft::cli {

Option threads_option() {
  return {"--threads", "N", "0", "threads; 0 = as many as this process may use"};
}

Option isa_option() {
  return {"--isa", "NAME", "",
          "bound the instruction sets: scalar, avx2, avx512, avx512_bf16,\n"
          "amx_bf16; default: the best of this machine"};
}

Option model_option() {
  constexpr size_t kLine = 64;
  std::string help = "attention shape of a model:";
  size_t line = 0;
  for (const ModelShape& shape : model_shapes()) {
    const std::string name = shape.name;
    const bool fits = line > 0 && line + name.size() + 2 <= kLine;
    help += fits ? ", " : line > 0 ? ",\n" : "\n";
    line = (fits ? line + 2 : 0) + name.size();
    help += name;
  }
  return {"--model", "NAME", "llama-8b", help};
}

Option device_option() { return {"--device", "NAME", "cpu", "cpu, or cuda: GPU 0"}; }

bool on_cuda(const Args& args) {
  if (args.choice("--device", {"cpu", "cuda"}) == 0) return false;
  if (args.has("--isa")) throw UsageError("--isa: expected nothing with --device cuda");
  return true;
}

}  // namespace weft::cli
