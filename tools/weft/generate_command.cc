// SPDX-License-Identifier: Apache-2.0
// `weft generate`: text from the constructed model, expected beside got.
#include <cstdio>
#include <stdexcept>

#include "tools/weft/commands.h"
#include "tools/weft/format.h"
#include "tools/weft/generate.h"
#include "tools/weft/induction_model.h"
#include "tools/weft/json.h"
#include "tools/weft/machine.h"
#include "tools/weft/progress.h"
#include "tools/weft/stack_cuda.h"

namespace weft::cli {
namespace {

const Command kCommand{
    "generate",
    "",
    "generate text that is right only if attention is right",
    "Runs a two-layer transformer on paged attention with continuous batching: several prompts at\n"
    "once, shared prefixes, prefill in chunks beside decodes, preemption when pages run out. Its\n"
    "weights are constructed, so that it continues a text with what followed the latest place "
    "that\n"
    "looks most like its end. A plain algorithm on strings says the same; both are printed. A "
    "wrong\n"
    "page, mask, position, head or scale is a wrong letter. Exit status 1 when a text differs.",
    "  weft generate --demo\n"
    "  weft generate --prompt \"the cat sat on the mat. the cat sat\"",
    0,
    0,
    {
        {"--demo", "", "", "ten prompts that come with the program"},
        {"--prompt", "TEXT", "", "your own: a to z, blanks and . , ? : (capitals are made small)"},
        {"--max-new", "N", "120", "most characters to add; a full stop ends a text, too"},
        {"--page-size", "N", "16", "characters a page of the KV cache holds"},
        {"--num-pages", "N", "",
         "pages of the KV cache; default: enough for --prompt, and for\n"
         "--demo so few that requests are preempted"},
        {"--kv-layout", "NAME", "nhd", "nhd or hnd"},
        {"--max-batch", "N", "16", "prompts in one step"},
        {"--max-batch-tokens", "N", "96", "characters in one step: what prefill is cut to"},
        {"--dtype", "NAME", "bf16", "bf16, f16 or f32"},
        {"--temperature", "X", "", "draw instead of taking the likeliest; 0 takes it all the same"},
        {"--top-k", "N", "0", "draw from the N likeliest; 0: from all"},
        {"--top-p", "X", "1", "draw from the likeliest that share X of the probability"},
        {"--min-p", "X", "0", "draw from what has X of the likeliest's probability"},
        {"--seed", "N", "0", "the same seed, the same text, on any machine and device"},
        device_option(),
        threads_option(),
        isa_option(),
    }};

bool draws(const Args& args) {
  for (const char* option : {"--temperature", "--top-k", "--top-p", "--min-p", "--seed"}) {
    if (args.has(option)) return true;
  }
  return false;
}

SampleOptions sampling_of(const Args& args) {
  SampleOptions s;
  if (args.has("--temperature")) {
    s.temperature = static_cast<float>(args.number("--temperature", 0, 1e9));
  }
  s.top_k = static_cast<int>(args.integer("--top-k", 0, kNumSymbols));
  s.top_p = static_cast<float>(args.number("--top-p", 0, 1));
  s.min_p = static_cast<float>(args.number("--min-p", 0, 1));
  s.seed = args.integer("--seed", 0, INT64_MAX);
  return s;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

GenerateOptions options_of(const Args& args) {
  constexpr DType kDTypes[] = {DType::bf16, DType::f16, DType::f32};
  GenerateOptions o;
  o.dtype = o.dtype_kv = kDTypes[args.choice("--dtype", {"bf16", "f16", "f32"})];
  o.kv_layout = args.choice("--kv-layout", {"nhd", "hnd"}) == 0 ? KvLayout::nhd : KvLayout::hnd;
  o.page_size = static_cast<int>(args.integer("--page-size", 1, 4096));
  // 736 characters of 16 a page: the demo's prompts share pages, and still run out of them.
  o.num_pages = (736 + o.page_size - 1) / o.page_size;
  if (args.has("--prompt")) o.num_pages = kMaxInductionTokens / o.page_size + 1;
  if (args.has("--num-pages"))
    o.num_pages = static_cast<int>(args.integer("--num-pages", 1, 1 << 20));
  o.limits.max_batch_size = static_cast<int>(args.integer("--max-batch", 1, 1024));
  o.limits.max_batch_tokens =
      static_cast<int>(args.integer("--max-batch-tokens", o.limits.max_batch_size, 1 << 14));
  o.max_new = static_cast<int>(args.integer("--max-new", 1, 2048));
  if (draws(args)) o.sampling = sampling_of(args);
  return o;
}

/// The end of a prompt, with what is before it hinted at.
std::string tail(const std::string& prompt) {
  constexpr size_t kShown = 56;
  if (prompt.size() <= kShown) return prompt;
  const size_t blank = prompt.find(' ', prompt.size() - kShown);
  return "..." + prompt.substr(blank == std::string::npos ? prompt.size() - kShown : blank);
}

void print_generation(size_t number, const Generation& g, bool drawn) {
  std::printf("%3zu  %s\n", number, tail(g.prompt).c_str());
  if (drawn) {
    std::printf("     drawn    |%s\n\n", g.got.c_str());
    return;
  }
  std::printf("     expected |%s\n     got      |%s  %s\n\n", g.expected.c_str(), g.got.c_str(),
              g.ok() ? "ok" : "DIFFERENT");
}

std::string to_json(const GenerateResult& r) {
  std::string texts;
  int64_t right = 0;
  for (const Generation& g : r.generations) {
    right += g.ok();
    JsonObject one;
    one.add("expected", g.expected).add("got", g.got).add("ok", g.ok());
    texts += (texts.empty() ? "" : ", ") + one.str();
  }
  JsonObject json;
  json.add("requests", static_cast<int64_t>(r.generations.size())).add("right", right);
  json.add("steps", r.steps).add("mixed_steps", r.mixed_steps);
  json.add("prompt_tokens", r.prompt_tokens).add("generated_tokens", r.generated_tokens);
  json.add("cached_tokens", r.cached_tokens).add("preemptions", r.preemptions);
  json.add("seconds", r.seconds).raw("texts", "[" + texts + "]");
  return json.str();
}

/// Where the text was generated, and what came of it.
struct Outcome {
  std::string where;
  GenerateResult result;
};

Outcome generate_where(const Args& args, const std::vector<std::string>& prompts,
                       const GenerateOptions& options) {
  if (on_cuda(args)) {
    const CudaBackend backend;
    CudaStack stack(backend);
    return {backend.device_name(),
            generate(prompts, options, backend, stack.memory(), stack.executor())};
  }
  const Target target =
      target_for(args.text("--isa"), static_cast<int>(args.integer("--threads", 0, 1024)));
  Threads threads(target.num_threads);
  return {to_string(target), generate(prompts, options, target, threads.executor())};
}

int run(const Args& args) {
  const GenerateOptions options = options_of(args);
  std::vector<std::string> prompts;
  if (args.has("--demo")) prompts = demo_prompts();
  if (args.has("--prompt")) prompts.push_back(lower(args.text("--prompt")));
  if (prompts.empty()) throw UsageError("expected --demo or --prompt TEXT");
  Outcome outcome;
  try {
    outcome = generate_where(args, prompts, options);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  const GenerateResult& result = outcome.result;
  std::printf("two layers of %d heads, %s, paged KV of %d characters a page; %s\n\n", kContext,
              name_of(options.dtype), options.page_size, outcome.where.c_str());
  for (size_t i = 0; i < result.generations.size(); ++i) {
    print_generation(i + 1, result.generations[i], options.sampling.has_value());
  }
  std::printf(
      "%zu prompts of %s characters (%s of them from shared prefixes), %s generated, in %s "
      "steps (%s mix prefill and decode); %s preemptions; %s\n%s\n",
      prompts.size(), grouped(result.prompt_tokens).c_str(), grouped(result.cached_tokens).c_str(),
      grouped(result.generated_tokens).c_str(), grouped(result.steps).c_str(),
      grouped(result.mixed_steps).c_str(), grouped(result.preemptions).c_str(),
      human_time(result.seconds).c_str(),
      options.sampling ? "every symbol was drawn"
      : result.ok()    ? "every text is as expected"
                       : "FAILED: a text differs");
  if (args.has("--json")) std::printf("%s\n", to_json(result).c_str());
  return options.sampling || result.ok() ? 0 : 1;
}

}  // namespace

const CommandEntry& generate_command() {
  static const CommandEntry entry{kCommand, run};
  return entry;
}

}  // namespace weft::cli
