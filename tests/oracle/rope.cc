// SPDX-License-Identifier: Apache-2.0
// RoFormer's rotation with the two pairings and the two ways of scaling that weft promises.
#include "tests/oracle/rope.h"

#include <cmath>
#include <numbers>

#include "tests/oracle/numbers.h"

namespace weft::oracle {
namespace {

int rotated_dim(const Rope& rope, int head_dim) { return rope.dim == 0 ? head_dim : rope.dim; }

}  // namespace

double rope_frequency(const Rope& rope, int head_dim, int i) {
  const double dim = rotated_dim(rope, head_dim);
  const double plain = std::pow(static_cast<double>(rope.theta), -2.0 * i / dim);
  const double scaled = plain / rope.scale;
  if (!rope.llama31) return scaled;
  // How many turns the pair makes over the context the model was first trained on decides.
  const double turns = rope.old_context_len * plain / (2.0 * std::numbers::pi);
  if (turns > rope.high_freq_factor) return plain;
  if (turns < rope.low_freq_factor) return scaled;
  const double blend =
      (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0 - blend) * scaled + blend * plain;
}

void rotate(const Rope& rope, const std::vector<double>& cosines, const std::vector<double>& sines,
            std::vector<double>& x) {
  const size_t pairs = cosines.size();
  for (size_t i = 0; i < pairs; ++i) {
    const size_t a = rope.mode == RopeMode::interleaved ? 2 * i : i;
    const size_t b = rope.mode == RopeMode::interleaved ? 2 * i + 1 : i + pairs;
    const double xa = x[a];
    const double xb = x[b];
    x[a] = xa * cosines[i] - xb * sines[i];
    x[b] = xa * sines[i] + xb * cosines[i];
  }
}

void rotate(const Rope& rope, int64_t position, std::vector<double>& x) {
  if (rope.mode == RopeMode::none) return;
  const int head_dim = static_cast<int>(x.size());
  std::vector<double> cosines;
  std::vector<double> sines;
  for (int i = 0; i < rotated_dim(rope, head_dim) / 2; ++i) {
    const double angle = static_cast<double>(position) * rope_frequency(rope, head_dim, i);
    cosines.push_back(std::cos(angle));
    sines.push_back(std::sin(angle));
  }
  rotate(rope, cosines, sines, x);
}

int64_t rope_position(const RopeArgs& args, int64_t token) {
  if (args.positions.given()) return int_at(args.positions, token);
  int64_t r = 0;
  while (int_at(args.indptr, r + 1) <= token) ++r;
  return int_at(args.offsets, r) + token - int_at(args.indptr, r);
}

std::vector<double> rope_row(const RopeConfig& config, const RopeArgs& args, const TensorView& x,
                             int64_t token, int head) {
  std::vector<double> row;
  for (int d = 0; d < config.head_dim; ++d) row.push_back(at(x, {token, head, d}));
  const int64_t position = rope_position(args, token);
  if (!args.cos_sin_cache.given()) {
    rotate(config.rope, position, row);
    return row;
  }
  const int pairs = rotated_dim(config.rope, config.head_dim) / 2;
  std::vector<double> cosines;
  std::vector<double> sines;
  for (int i = 0; i < pairs; ++i) {
    cosines.push_back(at(args.cos_sin_cache, {position, i}));
    sines.push_back(at(args.cos_sin_cache, {position, pairs + i}));
  }
  rotate(config.rope, cosines, sines, row);
  return row;
}

}  // namespace weft::oracle
