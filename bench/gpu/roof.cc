// SPDX-License-Identifier: Apache-2.0
// See roof.h.
#include "bench/gpu/roof.h"

#include <algorithm>

#include "src/cuda/launch.h"

namespace weft::bench {

Roof::Roof(const CudaBackend& backend, const Case& c, const int32_t* pages, bool contiguous)
    : device_(backend.state().device) {
  const AttentionConfig& config = c.config;
  PagedReadSpec spec;
  spec.row_bytes = config.head_dim_qk * size_of(config.dtype_kv);
  spec.tile_rows = 16384 / spec.row_bytes;  // stages of 32 KB
  kernel_ = &backend.state().kernel(spec);
  num_ctas_ = backend.target().num_sms * spec.ctas_per_sm;
  // About eight items a CTA, so that all end together; fewer when there is less to read.
  const auto batch = static_cast<int64_t>(c.kv_lens.size());
  const int64_t len = c.tokens() / batch / spec.tile_rows * spec.tile_rows;
  const int64_t tiles = std::max<int64_t>(1, len / spec.tile_rows);
  int64_t per_item = 1;
  for (int64_t n = 1; n <= tiles; ++n) {
    if (tiles % n == 0 && batch * config.num_kv_heads * (tiles / n) >= 8 * num_ctas_) per_item = n;
  }
  params_.pages = pages;
  params_.stride_head = spec.row_bytes;
  params_.stride_token = params_.stride_head * config.num_kv_heads;
  params_.stride_page = params_.stride_token * config.page_size;
  params_.page = FastDivisor::of(config.page_size);
  params_.heads = FastDivisor::of(config.num_kv_heads);
  params_.chunks = FastDivisor::of(static_cast<int32_t>(tiles / per_item));
  params_.tiles = FastDivisor::of(static_cast<int32_t>(per_item));
  params_.pages_per_request = static_cast<int32_t>(ceil_div<int64_t>(len, config.page_size));
  params_.num_items = static_cast<int32_t>(batch * config.num_kv_heads * (tiles / per_item));
  params_.contiguous = contiguous;
}

void Roof::enqueue(const void* k, const void* v, void* stream) const {
  PagedReadParams p = params_;
  p.k = static_cast<const char*>(k);
  p.v = static_cast<const char*>(v);
  p.never = nullptr;
  launch(device_, *kernel_, LaunchShape{.num_ctas = num_ctas_}, stream, p);
}

}  // namespace weft::bench
