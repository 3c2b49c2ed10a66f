// SPDX-License-Identifier: Apache-2.0
// See wgmma.h.
#include "src/ops/attention/wgmma.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "src/cuda/tensor_map.h"

namespace weft {
namespace {

constexpr int kElementBytes = 2;

/// 64 columns of `rows` rows of 128 bytes: a slice of a SwizzledTile.
TensorMapShape slice_shape(const TensorView& tensor, DType dtype) {
  TensorMapShape shape;
  shape.data = tensor.data;
  shape.dtype = dtype;
  shape.swizzle = Swizzle::b128;
  const auto dims = static_cast<size_t>(tensor.ndim);
  shape.sizes[0] = static_cast<uint64_t>(tensor.shape[dims - 1]);
  shape.box[0] = 64;
  return shape;
}

void add_dimension(TensorMapShape& shape, int64_t size, int64_t stride, int64_t box) {
  const auto at = static_cast<size_t>(shape.rank++);
  shape.sizes[at] = static_cast<uint64_t>(std::max<int64_t>(size, 1));
  // A dimension of one element may have any stride; the engine wants one it could walk.
  shape.strides[at] = static_cast<uint64_t>(size > 1 ? stride * kElementBytes : 16);
  shape.box[at] = static_cast<uint32_t>(box);
}

TensorMapShape map_queries(const AttentionArgs& args, int group, int tokens) {
  TensorMapShape shape = slice_shape(args.q, args.q.dtype);
  shape.rank = 1;
  add_dimension(shape, args.q.shape[1], args.q.strides[1], group);
  add_dimension(shape, args.q.shape[0], args.q.strides[0], tokens);
  return shape;
}

/// Elements between neighbouring places of a paged cache: each page of each head is one.
int64_t place_stride(const TensorView& cache, size_t head) {
  const int64_t page_stride = cache.shape[0] > 1 ? cache.strides[0] : 0;
  const int64_t head_stride = cache.shape[head] > 1 ? cache.strides[head] : 0;
  const int64_t common = std::gcd(page_stride, head_stride);
  return common > 0 ? common : 8;
}

/// (dim of slice, token of band, slice, band of page, place).
TensorMapShape map_bands(const AttentionConfig& config, const TensorView& cache, int box_keys,
                         WgmmaPlace& place) {
  TensorMapShape shape = slice_shape(cache, cache.dtype);
  const size_t token = config.kv_layout == KvLayout::nhd ? 1 : 2;
  const size_t head = 3 - token;
  const int64_t slices = cache.shape[3] / 64;
  const int64_t unit = place_stride(cache, head);
  place.page = cache.shape[0] > 1 ? static_cast<int32_t>(cache.strides[0] / unit) : 0;
  place.head = cache.shape[head] > 1 ? static_cast<int32_t>(cache.strides[head] / unit) : 0;
  shape.sizes[0] = 64;
  shape.rank = 1;
  add_dimension(shape, 8, cache.strides[token], 8);
  add_dimension(shape, slices, 64, slices);
  add_dimension(shape, config.page_size / 8, 8 * cache.strides[token], box_keys / 8);
  add_dimension(shape, (cache.shape[0] - 1) * place.page + (cache.shape[head] - 1) * place.head + 1,
                unit, 1);
  return shape;
}

/// (dim, token of page, head, page); a ragged tensor is one page.
TensorMapShape map_cache(const AttentionConfig& config, const TensorView& cache, int box_keys) {
  TensorMapShape shape = slice_shape(cache, cache.dtype);
  shape.rank = 1;
  const size_t first = config.page_size > 0 ? 1 : 0;  // dimension behind the pages
  const size_t token = config.kv_layout == KvLayout::nhd ? first : first + 1;
  const size_t head = config.kv_layout == KvLayout::nhd ? first + 1 : first;
  add_dimension(shape, cache.shape[token], cache.strides[token], box_keys);
  add_dimension(shape, cache.shape[head], cache.strides[head], 1);
  const bool paged = config.page_size > 0;
  add_dimension(shape, paged ? cache.shape[0] : 1, paged ? cache.strides[0] : 0, 1);
  return shape;
}

bool aligned(const TensorView& tensor) {
  if (reinterpret_cast<uintptr_t>(tensor.data) % 16 != 0) return false;
  for (size_t d = 0; d + 1 < static_cast<size_t>(tensor.ndim); ++d) {
    if (tensor.shape[d] > 1 && (tensor.strides[d] <= 0 || tensor.strides[d] % 8 != 0)) return false;
  }
  return true;
}

/// Places of a paged cache fit the coordinate, whichever of its dimensions is the heads'.
bool has_few_places(const TensorView& cache) {
  if (cache.ndim < 4) return true;
  int64_t extent = 0;
  int64_t unit = 0;
  for (size_t d = 0; d < 3; ++d) {
    if (cache.shape[d] < 2) continue;
    extent += (cache.shape[d] - 1) * cache.strides[d];
    unit = std::gcd(unit, cache.strides[d]);
  }
  return unit == 0 || extent / unit < std::numeric_limits<int32_t>::max();
}

}  // namespace

std::string why_not_wgmma(const AttentionConfig& c) {
  const int widest = std::max(c.head_dim_qk, c.head_dim_vo);
  const int most_group = widest <= 64 ? 192 : 128;  // a tile holds whole tokens
  if (!is_float16(c.dtype_q)) return "dtype_q is neither f16 nor bf16";
  if (c.dtype_kv != c.dtype_q) return "dtype_kv is not dtype_q";
  if (widest > 256) return "a head dimension is above 256";
  if (c.head_dim_qk % 16 != 0 || c.head_dim_vo % 16 != 0) {
    return "a head dimension is no multiple of 16";
  }
  if (c.num_qo_heads / c.num_kv_heads > most_group) return "a token has more rows than a tile";
  return "";
}

AttentionWgmmaSpec wgmma_spec(const AttentionConfig& config) {
  AttentionWgmmaSpec spec;
  spec.dtype = config.dtype_q;
  spec.dtype_o = config.dtype_o;
  spec.head_dim_qk = config.head_dim_qk;
  spec.head_dim_vo = config.head_dim_vo;
  spec.mask = config.mask;
  spec.rope = config.rope;
  spec.gather = config.page_size % 16 != 0;
  const int widest = std::max(config.head_dim_qk, config.head_dim_vo);
  // Registers: o takes head_dim_vo / 2 of a thread, dots and weights 3/4 of kv_tile.
  if (widest <= 64) {
    spec.num_consumers = 3, spec.num_stages = 3;
    // The warps that turn or copy keys take registers.
    if (spec.rotates() || spec.gather) spec.kv_tile = 96;
  } else if (widest <= 128) {
    spec.num_q_stages = 2;
  } else {
    spec.kv_tile = config.head_dim_vo <= 128 ? 96 : 64;
  }
  // Not for both at once: three roles leave consumers too few registers.
  if (spec.num_q_stages > 1 && spec.gather != spec.rotates()) spec.num_producers = 2;
  spec.banded = config.page_size > 0 && !spec.gather && config.head_dim_qk % 64 == 0 &&
                config.head_dim_vo % 64 == 0;
  if (!why_not_wgmma(config).empty()) spec.num_consumers = 0;
  return spec;
}

ScheduleSpec wgmma_schedule(const AttentionConfig& config, const AttentionWgmmaSpec& spec,
                            int num_groups) {
  ScheduleSpec s;
  s.group_size = config.num_qo_heads / config.num_kv_heads;
  s.qo_tile = wgmma_qo_tile(spec, s.group_size);
  s.kv_tile = spec.kv_tile;
  s.heads_per_lane = config.num_kv_heads;
  s.num_groups = num_groups;
  s.causal = config.mask == MaskMode::causal;
  s.window_left = config.window_left;
  s.min_blocks = 2;
  // Tiles are never cut: a cut by fixed splits would have to fold whole tiles split by split, too.
  s.split_blocks = config.schedule == ScheduleMode::batch_invariant;
  s.cost = {spec.num_q_stages > 1 ? 2250 : spec.num_consumers == 3 ? 3500 : 7000, 1700, 0};
  return s;
}

bool wgmma_can_read(const AttentionArgs& args) {
  return aligned(args.q) && aligned(args.k) && aligned(args.v) && has_few_places(args.k) &&
         has_few_places(args.v);
}

WgmmaBinding bind_wgmma(const AttentionConfig& config, const AttentionWgmmaSpec& spec,
                        const ScheduleSpec& schedule, const AttentionArgs& args,
                        const AttentionParams& bound) {
  WgmmaBinding b{};
  AttentionWgmmaParams& p = b.params;
  p.args = bound;
  p.group = FastDivisor::of(schedule.group_size);
  p.page = FastDivisor::of(config.page_size);
  p.head_lanes = schedule.head_lanes;
  p.heads_per_lane = schedule.heads_per_lane;
  p.qo_tile = schedule.qo_tile;
  p.box_keys = config.page_size == 0 ? spec.kv_tile : std::gcd(config.page_size, spec.kv_tile);
  b.q = map_queries(args, schedule.group_size, p.qo_tile / schedule.group_size);
  if (spec.gather) return b;
  if (spec.banded) {
    b.k = map_bands(config, args.k, p.box_keys, p.k_place);
    b.v = map_bands(config, args.v, p.box_keys, p.v_place);
  } else {
    b.k = map_cache(config, args.k, p.box_keys);
    b.v = map_cache(config, args.v, p.box_keys);
  }
  return b;
}

const AttentionWgmmaParams& encode_maps(const CudaDevice& device, WgmmaBinding& binding) {
  const ContextScope current(device);
  binding.params.q_map = encode_tensor_map(device.driver(), binding.q);
  if (binding.k.rank == 0) return binding.params;  // gathered
  binding.params.k_map = encode_tensor_map(device.driver(), binding.k);
  binding.params.v_map = encode_tensor_map(device.driver(), binding.v);
  return binding.params;
}

}  // namespace weft
