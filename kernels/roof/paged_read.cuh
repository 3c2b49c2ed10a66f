// SPDX-License-Identifier: Apache-2.0
// Reads every K and V row of a paged cache into shared memory, and does nothing with them: the
// bandwidth roof of decode, with the access pattern of decode. Called by benchmarks.
#pragma once

#include "kernels/ptx/cp_async.cuh"
#include "kernels/ptx/shared.cuh"
#include "kernels/roof/params.h"
#include "kernels/roof/spec.h"

namespace weft {

template <PagedReadSpec spec>
struct PagedRead {
  static constexpr int32_t kChunks = spec.row_bytes / 16;
  static constexpr int32_t kTile = spec.tile_rows * spec.row_bytes;

  const PagedReadParams& p;
  uint32_t smem;
  uint64_t policy;
  int32_t first, step, total;  // items, and tiles of all of them

  __device__ __forceinline__ void ask(int32_t index) const {
    if (index < total) {
      const int32_t nth = p.tiles.quotient(index);
      const int32_t tile = p.tiles.remainder(index, nth);
      const int32_t item = first + nth * step;
      const int32_t rest = p.heads.quotient(item);
      const int32_t request = p.chunks.quotient(rest);
      const int32_t chunk = p.chunks.remainder(rest, request);
      const int32_t key = (chunk * p.tiles.divisor + tile) * spec.tile_rows;
      const int32_t* pages = p.pages + int64_t{request} * p.pages_per_request;
      const int64_t head = p.heads.remainder(item, rest) * p.stride_head;
      const uint32_t to = smem + index % spec.num_stages * 2 * kTile + threadIdx.x * 16;
      constexpr int32_t kCopies = spec.tile_rows * kChunks / spec.num_threads;
#pragma unroll
      for (int32_t i = 0; i < kCopies; ++i) {
        const int32_t at = i * spec.num_threads + threadIdx.x;
        const int32_t token = key + at / kChunks;
        const int32_t page = p.page.quotient(token);
        const int64_t from = pages[page] * p.stride_page +
                             p.page.remainder(token, page) * p.stride_token + head +
                             at % kChunks * 16;
        cp_async16(to + i * spec.num_threads * 16, p.k + from, policy);
        cp_async16(to + kTile + i * spec.num_threads * 16, p.v + from, policy);
      }
    }
    cp_async_commit();
  }

  __device__ __forceinline__ void run() const {
    int32_t sum = 0;
    for (int32_t s = 0; s + 1 < spec.num_stages; ++s) ask(s);
    for (int32_t s = 0; s < total; ++s) {
      cp_async_wait<spec.num_stages - 2>();
      barrier_sync<spec.num_threads>(0);
      sum += load_shared_i32(smem + s % spec.num_stages * 2 * kTile + threadIdx.x * 16);
      ask(s + spec.num_stages - 1);
    }
    if (sum == 0x12345678) *p.never = 1.0f;
  }
};

template <PagedReadSpec spec>
__device__ __forceinline__ void paged_read(const PagedReadParams& p) {
  PagedRead<spec> read{p, dynamic_smem(), l2_evict_first(), 0, 1, 0};
  const int32_t cta = blockIdx.x, ctas = gridDim.x;
  int32_t count = 0;
  if (p.contiguous != 0) {
    read.first = static_cast<int32_t>(int64_t{p.num_items} * cta / ctas);
    count = static_cast<int32_t>(int64_t{p.num_items} * (cta + 1) / ctas) - read.first;
  } else {
    read.first = cta;
    read.step = ctas;
    count = cta < p.num_items ? (p.num_items - 1 - cta) / ctas + 1 : 0;
  }
  read.total = count * p.tiles.divisor;
  read.run();
}

}  // namespace weft
