// SPDX-License-Identifier: Apache-2.0
// Cases of verify: chains and trees of many shapes, dtypes and vocabularies, hostile ones among
// them. The CPU's instruction sets, the kernel on the host and the GPU run the same rows and have
// to come to the same bits; tests/cpu/verify_test.cc compares the CPU with the closed form.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/verify.h"

namespace weft::cases {

/// What is odd about a request's probabilities, tokens or links.
enum class VerifyOddity {
  none,
  equal_models,  // draft and target agree: nothing is left to subtract from
  one_hot,       // every row has one token
  zeros,         // rows of the target without mass
  nan,           // one NaN in each row of the target
  infinite,      // one infinity in each row of the target
  wrong_tokens,  // a draft outside of the vocabulary
  wrong_links,   // nodes beyond the tree
  circle,        // links that lead back
  every_token    // a tree whose root has every token as a child
};

struct VerifyCase {
  const char* name;
  int vocab = 300;
  int num_draft = 4;
  int n = 4;
  bool tree = false;
  DType dtype = DType::f32;
  VerifyOddity oddity = VerifyOddity::none;
  bool offset = true;
  int64_t pad = 0;
};

const std::vector<VerifyCase>& verify_cases();
VerifyCase random_verify_case(Random& random, int max_vocab);

struct VerifyData {
  VerifyConfig config;
  VerifyArgs args;
  std::vector<OwnedTensor> inputs, outputs;

  void poison() {
    for (OwnedTensor& t : outputs) t.poison();
  }
  /// Of all outputs.
  std::vector<char> bits() const { return bytes_of(outputs); }
};

VerifyData make_verify_data(const VerifyCase& c, uint64_t seed);

/// Empty when every output could be one of verify: tokens of the vocabulary or of the drafts, -1
/// behind them, counts and a status that go together, nothing written elsewhere.
std::string check_verified(const VerifyData& data);

}  // namespace weft::cases
