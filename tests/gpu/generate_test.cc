// SPDX-License-Identifier: Apache-2.0
// The constructed model with its cache, attention and sampling on a GPU: the texts of the string
// algorithm, and of one seed those of the CPU.
#include "tools/weft/generate.h"

#include "tests/gpu/backend.h"
#include "tools/weft/stack_cuda.h"

namespace weft::test {
namespace {

class GenerateOnGpu : public BackendTest {
 protected:
  static cli::GenerateResult run(const cli::GenerateOptions& options) {
    cli::CudaStack stack(backend());
    return cli::generate(cli::demo_prompts(), options, backend(), stack.memory(), stack.executor());
  }
};

TEST_F(GenerateOnGpu, SaysWhatIsExpected) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    cli::GenerateOptions options;
    options.dtype = options.dtype_kv = dtype;
    options.num_pages = 46;  // requests are preempted
    for (const cli::Generation& g : run(options).generations) EXPECT_EQ(g.got, g.expected);
  }
}

TEST_F(GenerateOnGpu, TheSameSeedGivesTheTextOfTheCpu) {
  cli::GenerateOptions options;
  options.sampling = cli::SampleOptions{
      .temperature = 2.0f, .top_k = 20, .top_p = 0.95f, .min_p = 0.01f, .seed = 5};
  const cli::GenerateResult wanted =
      cli::generate(cli::demo_prompts(), options, Target::host(), {});
  const cli::GenerateResult got = run(options);
  ASSERT_EQ(got.generations.size(), wanted.generations.size());
  for (size_t i = 0; i < wanted.generations.size(); ++i) {
    EXPECT_EQ(got.generations[i].got, wanted.generations[i].got) << i;
  }
}

}  // namespace
}  // namespace weft::test
