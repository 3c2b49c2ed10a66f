// SPDX-License-Identifier: Apache-2.0
// The case table of topk: lengths, ties, orders, page tables and offsets; tensors for a row, and
// their comparison with a sort. The CPU, the kernels on the host and the GPU run the same rows.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/topk.h"

namespace weft::cases {

enum class TopkValues {
  normal,
  few,
  equal,
  special,
  wide,
  rising,
  falling,
  clustered,  // the large ones are neighbours
  masked,     // nine in ten are -infinity
};

struct TopkCase {
  const char* name;
  int max_len = 2000;
  int k = 50;
  int n = 4;
  DType dtype = DType::f32;
  bool sorted = false;
  TopkValues spread = TopkValues::normal;
  bool lengths = false, starts = false, pages = false, batches = false, offsets = false;
  bool values = true;
  int page_size = 1;
  int64_t pad = 0;
};

const std::vector<TopkCase>& topk_cases();
TopkCase random_topk_case(Random& random, int max_len);

struct TopkData {
  TopkConfig config;
  TopkArgs args;
  std::vector<OwnedTensor> inputs;
  OwnedTensor indices, values;
};

TopkData make_topk_data(const TopkCase& c, uint64_t seed);
std::string compare_topk(const TopkData& data);

}  // namespace weft::cases
