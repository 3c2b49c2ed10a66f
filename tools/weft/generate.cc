// SPDX-License-Identifier: Apache-2.0
// See generate.h.
#include "tools/weft/generate.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "tools/weft/induction_model.h"
#include "tools/weft/staged_model.h"

namespace weft::cli {
namespace {

// Within each text the last letters before a colon or an "is" differ, as six characters of context
// must be enough to tell the places apart.
constexpr const char* kFacts =
    "the capital of france is paris. the capital of japan is tokyo. the capital of norway is oslo. "
    "the capital of egypt is cairo. the capital of peru is lima. the capital of kenya is nairobi. "
    "the capital of canada is ottawa. the capital of chile is santiago. "
    "the capital of cuba is havana. the capital of italy is rome. the capital of spain is madrid. "
    "the capital of nepal is kathmandu. the capital of sweden is stockholm. "
    "the capital of austria is vienna. the capital of poland is warsaw. ";

constexpr const char* kAnimals =
    "what the animals say. dog: woof woof. cat: meow. cow: moo. duck: a loud quack. pig: oink. "
    "owl: hoot. bee: buzz. hen: cluck. lion: a mighty roar. ";

constexpr const char* kStar =
    "twinkle, twinkle, little star, how i wonder what you are, up above the world so high, like a "
    "diamond in the sky. ";

engine::EngineConfig engine_config(const GenerateOptions& o) {
  engine::EngineConfig config;
  config.attention = InductionModel::attention_config(o.dtype, o.dtype_kv, o.page_size);
  config.attention.kv_layout = o.kv_layout;
  config.limits = o.limits;
  config.num_layers = InductionModel::kNumLayers;
  config.num_pages = o.num_pages;
  return config;
}

void add_prompt(engine::Engine& engine, int64_t id, const std::string& prompt,
                const GenerateOptions& o) {
  if (prompt.size() <= kContext || prompt.size() + o.max_new > kMaxInductionTokens) {
    throw std::invalid_argument("prompt: expected " + std::to_string(kContext + 1) + " to " +
                                std::to_string(kMaxInductionTokens - o.max_new) +
                                " characters, got " + std::to_string(prompt.size()));
  }
  engine.add({id, symbols_of(prompt), o.max_new, symbol_of(o.stop)});
}

void take(const engine::Sequence& sequence, GenerateResult& result) {
  Generation& generation = result.generations[sequence.request.id];
  for (size_t i = sequence.request.prompt.size(); i < sequence.tokens.size(); ++i) {
    generation.got += char_of(sequence.tokens[i]);
  }
  generation.cached_tokens = sequence.num_cached;
  generation.preemptions = sequence.num_preemptions;
  result.prompt_tokens += static_cast<int64_t>(sequence.request.prompt.size());
  result.generated_tokens += sequence.num_generated();
  result.cached_tokens += sequence.num_cached;
  result.preemptions += sequence.num_preemptions;
}

/// Counts the steps that hold prefill and decode together.
class CountingModel final : public engine::Model {
 public:
  CountingModel(GenerateResult& result, engine::Model& model) : result_(result), model_(model) {}
  void begin_step(const engine::StepView& view) override {
    const int decodes = view.step->num_decodes;
    ++result_.steps;
    result_.mixed_steps += decodes > 0 && decodes < view.num_tokens();
    model_.begin_step(view);
  }
  engine::LayerOptions before_attention(int layer, const engine::StepView& view,
                                        const engine::LayerTensors& tensors) override {
    return model_.before_attention(layer, view, tensors);
  }
  void after_attention(int layer, const engine::StepView& view,
                       const engine::LayerTensors& tensors) override {
    model_.after_attention(layer, view, tensors);
  }
  std::vector<engine::TokenId> predict(const engine::StepView& view) override {
    return model_.predict(view);
  }

 private:
  GenerateResult& result_;
  engine::Model& model_;
};

/// `model` is asked by the engine.
void run_engine(engine::Engine& engine, engine::Model& model, GenerateResult& result,
                const BeforeStep& before_step) {
  CountingModel counting(result, model);
  const auto begin = std::chrono::steady_clock::now();
  while (!engine.idle()) {
    if (before_step) before_step(engine);
    for (const auto& sequence : engine.step(counting)) take(*sequence, result);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// `where` is the Target or the CudaBackend.
template <class Where>
GenerateResult generate_on(const std::vector<std::string>& prompts, const GenerateOptions& options,
                           engine::Memory& memory, const Where& where, const Executor& executor,
                           const BeforeStep& before_step) {
  GenerateResult result;
  engine::Engine engine(engine_config(options), memory, where, executor);
  for (const std::string& prompt : prompts) {
    add_prompt(engine, static_cast<int64_t>(result.generations.size()), prompt, options);
    result.generations.push_back({prompt, continuation(prompt, options.max_new, options.stop), ""});
  }
  std::optional<Sampler> sampler;
  if (options.sampling) {
    sampler.emplace(*options.sampling, Sampling({.vocab_size = kNumSymbols}, where),
                    options.limits.max_batch_size, memory, executor);
  }
  InductionModel model(sampler ? &*sampler : nullptr);
  if (memory.device().type == DeviceType::cpu) {
    run_engine(engine, model, result, before_step);
  } else {
    StagedModel staged(model, memory);
    run_engine(engine, staged, result, before_step);
  }
  return result;
}

}  // namespace

bool GenerateResult::ok() const {
  return std::all_of(generations.begin(), generations.end(),
                     [](const Generation& g) { return g.ok(); });
}

GenerateResult generate(const std::vector<std::string>& prompts, const GenerateOptions& options,
                        const Target& target, const Executor& executor,
                        const BeforeStep& before_step) {
  engine::HostMemory memory;
  return generate_on(prompts, options, memory, target, executor, before_step);
}

GenerateResult generate(const std::vector<std::string>& prompts, const GenerateOptions& options,
                        const CudaBackend& backend, engine::Memory& memory,
                        const Executor& executor) {
  return generate_on(prompts, options, memory, backend, executor, nullptr);
}

std::vector<std::string> demo_prompts() {
  const std::string facts = kFacts, animals = kAnimals, star = kStar;
  return {
      star + "sing it again: twinkle, twinkle, li",
      facts + "what is the capital of japan? the capital of japan is",
      facts + "and the capital of peru is",
      facts + "what is the capital of nepal? the capital of nepal is",
      facts + "please tell me: the capital of france is",
      facts + "the capital of austria is",
      animals + "ask the cat again. cat:",
      animals + "now the lion. lion:",
      animals + "and the duck? duck:",
      "one two three four five six seven eight nine ten. once more: one two three four",
  };
}

}  // namespace weft::cli
