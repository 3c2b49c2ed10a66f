// SPDX-License-Identifier: Apache-2.0
// The seam between topk and its CPU code: one table of functions per RowUnit, compiled with that
// unit's flags by cpu_<isa>.cc. Called by cpu.cc; knows one row, never tensors.
#pragma once

#include "kernels/topk/params.h"
#include "kernels/topk/spec.h"

namespace weft {

struct TopkTable {
  /// The k largest of row `i`, or all of fewer, by position: key and inverted position, so that
  /// larger is better. Returns how many.
  int (*select)(const TopkSpec& spec, const TopkParams& params, const TopkRow& row, int64_t i,
                uint64_t* best);
};

inline constexpr uint64_t topk_entry(uint32_t key, int32_t position) {
  return uint64_t{key} << 32 | static_cast<uint32_t>(~position);
}
inline constexpr int32_t position_of(uint64_t entry) {
  return static_cast<int32_t>(~static_cast<uint32_t>(entry));
}

}  // namespace weft
