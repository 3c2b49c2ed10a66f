// SPDX-License-Identifier: Apache-2.0
// How the GPU kernel of packbits is asked for: its spec as a list of fields, its stub's names.
#pragma once

#include "kernels/packbits/params.h"
#include "kernels/tile/no_smem.h"
#include "src/jit/source.h"
#include "weft/packbits.h"

namespace weft {

template <>
struct CppName<BitOrder> {
  static constexpr const char* value = "weft::BitOrder";
};

template <class Visit>
void for_each_field(const PackBitsSpec& s, Visit&& visit) {
  visit("order", s.order);
  visit("dtype", s.dtype);
  visit("vec", s.vec);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
}

template <>
struct KernelTraits<PackBitsSpec> : UsualKernel<PackBitsSpec, PackBitsParams, NoSmem> {
  static constexpr const char* name = "packbits";
  static constexpr const char* header = "kernels/packbits/packbits.cuh";
  static constexpr const char* spec = "weft::PackBitsSpec";
  static constexpr const char* params = "weft::PackBitsParams";
  static constexpr const char* smem = "weft::NoSmem";
  static constexpr const char* function = "weft::pack_bits";
};

/// The kernel of widest accesses; with vec = 1 it takes segments and any address.
PackBitsSpec select_packbits(const PackBitsConfig& config);

}  // namespace weft
