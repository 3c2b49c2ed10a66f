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
  visit("list", s.list);
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

/// The kernel for `config` (already checked) on `target`: of widest accesses, or of single elements
/// where select_topk_lists has what those of wide ones take.
TopkRowSpec select_topk_row(const TopkConfig& config, const Target& target);

/// The kernels that list what is wanted of a row of wide accesses, of most CTAs a row first; none
/// where few are wanted, or on a device without clusters.
std::vector<TopkRowSpec> select_topk_lists(const TopkConfig& config, const Target& target);

}  // namespace weft
