// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of topk is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/topk/params.h"
#include "kernels/topk/smem.h"
#include "src/cuda/row_slices.h"
#include "src/jit/source.h"
#include "weft/topk.h"

namespace weft {

template <class Visit>
void for_each_field(const TopkRowSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("sorted", s.sorted);
  visit("vec", s.vec);
  visit("slices", s.slices);
}

template <>
struct KernelTraits<TopkRowSpec> {
  using Params = TopkParams;
  static constexpr const char* name = "topk";
  static constexpr const char* header = "kernels/topk/topk.cuh";
  static constexpr const char* spec = "weft::TopkRowSpec";
  static constexpr const char* params = "weft::TopkParams";
  static constexpr const char* smem = "weft::TopkSmem";
  static constexpr const char* function = "weft::select_topk_rows";
  static KernelShape shape(const TopkRowSpec& s) {
    return {s.slices.num_threads, s.slices.ctas_per_sm, TopkSmem::of(s).bytes};
  }
};

/// The kernel of widest accesses for `config` (already checked) on `target`; Error(unsupported)
/// where a row does not fit the shared memory of a cluster.
TopkRowSpec select_topk_row(const TopkConfig& config, const Target& target);

}  // namespace weft
