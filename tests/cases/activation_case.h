// SPDX-License-Identifier: Apache-2.0
// The case table of activation: every dtype and kind, widths from 1 up, strides and in place;
// tensors for a row, and their comparison with float64. The CPU, the GPU and the GPU's kernels on
// the host run the same rows.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/activation.h"

namespace weft::cases {

struct ActivationCase {
  const char* name;
  DType dtype = DType::bf16;
  DType dtype_out = DType::none;
  ActivationKind kind = ActivationKind::silu;
  int n = 5;
  int hidden = 256;
  bool in_place = false;  // out is the left half of x
  float scale = 1;
  bool scales = false;
  double magnitude = 3;
  int64_t pad = 0;
};

const std::vector<ActivationCase>& activation_cases();
ActivationCase random_activation_case(Random& random);

struct ActivationData {
  ActivationConfig config;
  ActivationArgs args;
  OwnedTensor x, out, scales;
  OwnedTensor x_given;  // as it was before a run
};

ActivationData make_activation_data(const ActivationCase& c, uint64_t seed);

/// The output poisoned, or x as it was.
void restore_outputs(const ActivationCase& c, ActivationData& data);

/// Empty when out is right and no other byte was written.
std::string compare_activation(const ActivationCase& c, const ActivationData& data);

}  // namespace weft::cases
