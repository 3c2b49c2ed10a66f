// SPDX-License-Identifier: Apache-2.0
// The constructed model: it says what the string algorithm says however the engine cuts the work,
// and something else when a page table is corrupted. So its text is a test of paged attention.
#include "tools/weft/generate.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tools/weft/induction_model.h"
#include "tools/weft/staged_model.h"

namespace weft::cli {
namespace {

const std::string kColours =
    "the sky is blue. the grass is green. the snow is white. the coal is dark. ";

GenerateOptions small_options() {
  GenerateOptions options;
  options.page_size = 8;
  options.num_pages = 64;
  options.limits = {4, 32};
  return options;
}

std::vector<std::string> colour_prompts() {
  return {kColours + "look: the sky is", kColours + "and the grass is", kColours + "the coal is"};
}

GenerateResult run(const std::vector<std::string>& prompts, const GenerateOptions& options,
                   const BeforeStep& before_step = nullptr) {
  return generate(prompts, options, Target::host(), {}, before_step);
}

TEST(Continuation, CopiesWhatFollowedTheLatestBestPlace) {
  EXPECT_EQ(continuation(kColours + "look: the sky is", 20, '.'), " blue.");
  EXPECT_EQ(continuation("abcdef: one. abcdef: two. abcdef:", 20, '.'), " two.");
  EXPECT_EQ(continuation("abcdefg", 3, '.'), "ggg");  // nothing matches: the latest place
}

TEST(Symbols, AreTheAlphabetAndNothingElse) {
  for (int s = 0; s < kNumSymbols; ++s) EXPECT_EQ(symbol_of(char_of(s)), s);
  EXPECT_THROW(symbol_of('A'), std::invalid_argument);
  EXPECT_THROW(symbol_of('\0'), std::invalid_argument);
}

TEST(Generate, SaysWhatIsExpected) {
  const GenerateResult result = run(colour_prompts(), small_options());
  ASSERT_EQ(result.generations.size(), 3u);
  EXPECT_EQ(result.generations[0].got, " blue.");
  EXPECT_EQ(result.generations[1].got, " green.");
  EXPECT_EQ(result.generations[2].got, " dark.");
  EXPECT_TRUE(result.ok());
  EXPECT_GT(result.cached_tokens, 0);
  EXPECT_GT(result.mixed_steps, 0);
}

struct Variation {
  const char* name;
  void (*change)(GenerateOptions& options);
};

class GenerateVariation : public testing::TestWithParam<Variation> {};

TEST_P(GenerateVariation, SaysTheSame) {
  GenerateOptions options = small_options();
  GetParam().change(options);
  const GenerateResult result = run(colour_prompts(), options);
  for (const Generation& g : result.generations) EXPECT_EQ(g.got, g.expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, GenerateVariation,
    testing::Values(Variation{"page_size_1", [](auto& o) { o.page_size = 1, o.num_pages = 512; }},
                    Variation{"page_size_7", [](auto& o) { o.page_size = 7; }},
                    Variation{"hnd", [](auto& o) { o.kv_layout = KvLayout::hnd; }},
                    Variation{"f32", [](auto& o) { o.dtype = o.dtype_kv = DType::f32; }},
                    Variation{"f16", [](auto& o) { o.dtype = o.dtype_kv = DType::f16; }},
                    Variation{"kv_e4m3", [](auto& o) { o.dtype_kv = DType::e4m3; }},
                    Variation{"one_chunk", [](auto& o) { o.limits.max_batch_tokens = 512; }},
                    Variation{"tiny_chunks", [](auto& o) { o.limits.max_batch_tokens = 5; }},
                    Variation{"one_by_one", [](auto& o) { o.limits.max_batch_size = 1; }}),
    [](const auto& info) { return info.param.name; });

std::vector<std::string> drawn(const SampleOptions& sampling, const Target& target, int budget) {
  GenerateOptions options;
  options.sampling = sampling;
  options.limits.max_batch_tokens = budget;
  std::vector<std::string> texts;
  for (const Generation& g : generate(demo_prompts(), options, target, {}).generations) {
    texts.push_back(g.got);
  }
  return texts;
}

// Whatever the instruction set, and however the prompts were batched.
TEST(Generate, TheSameSeedGivesTheSameText) {
  const SampleOptions sampling{.temperature = 2.0f, .top_k = 20, .top_p = 0.95f, .seed = 5};
  const Target host = Target::host();
  Target scalar = host;
  scalar.isa = Isa::scalar;
  const std::vector<std::string> texts = drawn(sampling, host, 96);
  EXPECT_EQ(drawn(sampling, host, 96), texts);
  EXPECT_EQ(drawn(sampling, host, 17), texts);
  EXPECT_EQ(drawn(sampling, scalar, 96), texts);
  SampleOptions other = sampling;
  other.seed = 6;
  EXPECT_NE(drawn(other, host, 96), texts);
}

TEST(Generate, TopKOfOneSaysWhatIsExpected) {
  GenerateOptions options;
  options.sampling = SampleOptions{.temperature = 5.0f, .top_k = 1};
  EXPECT_TRUE(generate(demo_prompts(), options, Target::host(), {}).ok());
}

TEST(Generate, SurvivesPreemption) {
  GenerateOptions options = small_options();
  options.num_pages = 18;  // a prompt needs 12, and its answer up to 7 more
  options.max_new = 50;
  options.stop = '?';  // goes on past the full stop
  const GenerateResult result = run(
      {kColours + "the sky is", "the snow is white. the snow is", "the coal is dark. the coal is"},
      options);
  EXPECT_GT(result.preemptions, 0);
  for (const Generation& g : result.generations) EXPECT_EQ(g.got, g.expected);
}

// What a model on the host writes and reads passes through copies, and the text stays.
TEST(Generate, AStagedModelSaysTheSame) {
  engine::EngineConfig config;
  config.attention = InductionModel::attention_config(DType::bf16, DType::bf16, 8);
  config.limits = {4, 32};
  config.num_layers = InductionModel::kNumLayers;
  config.num_pages = 64;
  engine::HostMemory memory;
  engine::Engine engine(config, memory);
  InductionModel model;
  StagedModel staged(model, memory);
  const std::string prompt = kColours + "look: the sky is";
  engine.add({0, symbols_of(prompt), 20, symbol_of('.')});
  std::string text;
  while (!engine.idle()) {
    for (const auto& sequence : engine.step(staged)) {
      for (engine::TokenId token : sequence->tokens) text += char_of(token);
    }
  }
  EXPECT_EQ(text, prompt + " blue.");
}

// What makes the demo worth showing: two swapped entries of one page table change the text. The
// prompt ends with a page, so the look-back heads find all they copy on the page that is swapped.
TEST(Generate, ASwappedPageIsAWrongText) {
  const std::string tail = "the sky is";
  std::string prompt = kColours;
  while ((prompt.size() + tail.size()) % 8 != 0) prompt += ' ';
  prompt += tail;
  bool swapped = false;
  const auto swap = [&](engine::Engine& engine) {
    engine::Sequence* sequence = engine.scheduler().find(0);
    if (swapped || sequence == nullptr || sequence->num_waiting() != 1) return;
    std::swap(sequence->pages.front(), sequence->pages.back());
    swapped = true;
  };
  const GenerateResult right = run({prompt}, small_options());
  const GenerateResult wrong = run({prompt}, small_options(), swap);
  EXPECT_EQ(right.generations[0].got, " blue.");
  ASSERT_TRUE(swapped);
  EXPECT_FALSE(wrong.ok());
}

// One position too far: the look-back heads copy the wrong neighbours.
TEST(Generate, ALostTokenIsAWrongText) {
  bool lost = false;
  const GenerateResult result = run(colour_prompts(), small_options(), [&](engine::Engine& engine) {
    engine::Sequence* sequence = engine.scheduler().find(1);
    if (lost || sequence == nullptr || sequence->num_generated() != 2) return;
    sequence->tokens.insert(sequence->tokens.begin() + sequence->num_computed, symbol_of('x'));
    lost = true;
  });
  ASSERT_TRUE(lost);
  EXPECT_FALSE(result.ok());
}

TEST(Generate, RefusesPromptsItCannotKnow) {
  EXPECT_THROW(run({"short"}, small_options()), std::invalid_argument);
  EXPECT_THROW(run({"with a digit: 7"}, small_options()), std::invalid_argument);
  EXPECT_THROW(run({std::string(kMaxInductionTokens, 'a')}, small_options()),
               std::invalid_argument);
}

}  // namespace
}  // namespace weft::cli
