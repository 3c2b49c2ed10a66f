// SPDX-License-Identifier: Apache-2.0
// The case table of rope: every dtype, pairing, frequency rule and way to give positions; tensors
// for a row, and their comparison with float64. The CPU and the GPU run the same rows.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/rope.h"

namespace weft::cases {

inline constexpr Rope kNeoxRope{.mode = RopeMode::neox};
inline constexpr Rope kInterleavedRope{.mode = RopeMode::interleaved};
inline constexpr Rope kLlama31Rope{
    .mode = RopeMode::neox, .theta = 500000.0f, .scale = 8.0f, .llama31 = true};

/// How positions are given.
enum class RopeWhere { i32, i64, indptr };

struct RopeCase {
  const char* name;
  DType dtype = DType::f32;
  Rope rope = kNeoxRope;
  int qo_heads = 4;
  int kv_heads = 2;
  int head_dim = 64;
  RopeWhere where = RopeWhere::i32;
  std::vector<int64_t> positions = {0, 1, 5, 63, 4095, 131071, 1000000};
  bool cache = false;
  bool in_place = false;
  int64_t pad = 0;
};

const std::vector<RopeCase>& rotation_cases();
RopeCase random_rope_case(Random& random);

struct RopeData {
  RopeConfig config;
  RopeArgs args;
  OwnedTensor q, k, q_out, k_out, cache;
  OwnedTensor q_given, k_given;  // as they were before a run in place
  std::vector<Buffer> owners;
};

RopeData make_rope_data(const RopeCase& c, uint64_t seed);

/// Outputs poisoned, or inputs in place as they were.
void restore_outputs(const RopeCase& c, RopeData& data);

/// Empty when `out` is `given` rotated, element by element.
std::string compare_side(const RopeData& data, const OwnedTensor& given, const TensorView& out);

/// Both sides, and that no other byte was written.
std::string compare_rope(const RopeData& data);

}  // namespace weft::cases
