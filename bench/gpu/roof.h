// SPDX-License-Identifier: Apache-2.0
// The paged-read roof of a case: the same rows of the same pages, read and not used, by the best of
// a few configurations.
#pragma once

#include "bench/gpu/cases.h"
#include "bench/gpu/device.h"
#include "kernels/roof/params.h"
#include "kernels/roof/spec.h"
#include "src/jit/source.h"

namespace weft {

template <class Visit>
void for_each_field(const PagedReadSpec& s, Visit&& visit) {
  visit("row_bytes", s.row_bytes);
  visit("tile_rows", s.tile_rows);
  visit("num_stages", s.num_stages);
  visit("num_threads", s.num_threads);
  visit("ctas_per_sm", s.ctas_per_sm);
}

template <>
struct KernelTraits<PagedReadSpec> {
  using Params = PagedReadParams;
  static constexpr const char* name = "paged_read";
  static constexpr const char* header = "kernels/roof/paged_read.cuh";
  static constexpr const char* spec = "weft::PagedReadSpec";
  static constexpr const char* params = "weft::PagedReadParams";
  static constexpr const char* smem = "weft::PagedReadSmem";
  static constexpr const char* function = "weft::paged_read";
  static KernelShape shape(const PagedReadSpec& s) {
    return {s.num_threads, s.ctas_per_sm, PagedReadSmem::of(s).bytes};
  }
};

namespace bench {

/// One way to read the rows of a case. Requests of other lengths count as equal ones with as many
/// tokens in all.
class Roof {
 public:
  Roof(const CudaBackend& backend, const Case& c, const int32_t* pages, bool contiguous);
  void enqueue(const void* k, const void* v, void* stream) const;

 private:
  const CudaDevice& device_;
  const CudaKernel* kernel_;
  PagedReadParams params_{};
  int num_ctas_;
};

}  // namespace bench
}  // namespace weft
