// SPDX-License-Identifier: Apache-2.0
// See models.h.
#include "tools/weft/models.h"

#include "tools/weft/args.h"

namespace weft::cli {

const std::vector<ModelShape>& model_shapes() {
  static const std::vector<ModelShape> shapes{
      {"llama-1b", "Llama-3.2-1B", 16, 32, 8, 64},
      {"llama-3b", "Llama-3.2-3B", 28, 24, 8, 128},
      {"llama-8b", "Llama-3.1-8B", 32, 32, 8, 128},
      {"llama-70b", "Llama-3.1-70B", 80, 64, 8, 128},
      {"qwen-0.5b", "Qwen2.5-0.5B", 24, 14, 2, 64},
      {"qwen-7b", "Qwen2.5-7B", 28, 28, 4, 128},
      {"qwen-72b", "Qwen2.5-72B", 80, 64, 8, 128},
      {"qwen3-0.6b", "Qwen3-0.6B", 28, 16, 8, 128},
      {"qwen3-8b", "Qwen3-8B", 36, 32, 8, 128},
      {"qwen3-32b", "Qwen3-32B", 64, 64, 8, 128},
      {"qwen3-30b-a3b", "Qwen3-30B-A3B", 48, 32, 4, 128},
      {"mistral-7b", "Mistral-7B-v0.1", 32, 32, 8, 128, 4096},
      {"gemma2-9b", "gemma-2-9b", 42, 16, 8, 256, 4096, 2, 50.0f},
      {"gpt-oss-20b", "gpt-oss-20b", 24, 64, 8, 64, 128, 2, 0.0f, true},
  };
  return shapes;
}

const ModelShape& find_model(std::string_view name) {
  std::vector<std::string> names;
  std::string list;
  for (const ModelShape& shape : model_shapes()) {
    if (name == shape.name) return shape;
    names.push_back(shape.name);
    list += (list.empty() ? "" : ", ") + names.back();
  }
  const std::string near = nearest(std::string(name), names);
  throw UsageError("--model: expected one of " + list +
                   (near.empty() ? "" : " (did you mean " + near + "?)") + ", got '" +
                   std::string(name) + "'");
}

}  // namespace weft::cli
