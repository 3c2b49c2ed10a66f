// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of verify is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/verify/params.h"
#include "kernels/verify/smem.h"
#include "src/cuda/row_slices.h"
#include "src/jit/source.h"
#include "weft/verify.h"

namespace weft {

template <class Visit>
void for_each_field(const VerifyRowSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("tree", s.tree);
  visit("vec", s.vec);
  visit("slices", s.slices);
}

template <>
struct KernelTraits<VerifyRowSpec> {
  using Params = VerifyParams;
  static constexpr const char* name = "verify";
  static constexpr const char* header = "kernels/verify/verify.cuh";
  static constexpr const char* spec = "weft::VerifyRowSpec";
  static constexpr const char* params = "weft::VerifyParams";
  static constexpr const char* smem = "weft::VerifySmem";
  static constexpr const char* function = "weft::verify_rows";
  static KernelShape shape(const VerifyRowSpec& s) {
    return {s.slices.num_threads, s.slices.ctas_per_sm, VerifySmem::of(s).bytes};
  }
};

/// The kernel of widest accesses for `config` (already checked) on `target`.
VerifyRowSpec select_verify_row(const VerifyConfig& config, const Target& target);

}  // namespace weft
