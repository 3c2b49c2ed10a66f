// SPDX-License-Identifier: Apache-2.0
// The case table of norm: every dtype, kind and form of weight, hidden sizes from 1 to 100000,
// strides and in place; tensors for a row, and their comparison with float64. The CPU, the GPU and
// the GPU's kernels on the host run the same rows.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/norm.h"

namespace weft::cases {

struct NormCase {
  const char* name;
  DType dtype = DType::bf16;
  DType dtype_out = DType::none;
  DType dtype_weight = DType::none;
  NormKind kind = NormKind::rms;
  int n = 5;
  int hidden = 256;
  int heads = 0;
  bool residual = false;
  bool in_place = false;  // out is x
  enum { absent, one, per_head } weight = one;
  bool bias = false;
  float offset = 0;
  float scale = 1;
  bool scales = false;
  double mean = 0;       // of x
  double magnitude = 1;  // of x
  int64_t pad = 0;
};

const std::vector<NormCase>& norm_cases();
NormCase random_norm_case(Random& random);

struct NormData {
  NormConfig config;
  NormArgs args;
  OwnedTensor x, residual, out, weight, bias, scales;
  OwnedTensor x_given, residual_given;  // as they were before a run
};

NormData make_norm_data(const NormCase& c, uint64_t seed);

/// The output poisoned, inputs that a run overwrites as they were.
void restore_outputs(const NormCase& c, NormData& data);

/// Empty when out and residual are right and no other byte was written.
std::string compare_norm(const NormData& data);

}  // namespace weft::cases
