// SPDX-License-Identifier: Apache-2.0
// MmaRing: the queries, keys and values of a CTA's segments, streamed to shared memory num_stages -
// 1 stages ahead of their use, across segments and items. Queries go first, with the first stage of
// their segment: behind 64 KB of keys they would arrive 4 us later. Each warp asks for its own slab
// of every stage, 16 keys of 16-bit elements: lane l finds where row l lies (lanes 0..15 for
// K, 16..31 for V), one page id a lane, fetched one stage before it is needed.
#pragma once

#include "kernels/attention/mma_query.cuh"
#include "kernels/attention/mma_walk.cuh"
#include "kernels/ptx/cp_async.cuh"
#include "kernels/ptx/shared.cuh"

namespace weft {

template <int32_t size>
struct UnsignedOf {
  using Type = uint16_t;
};
template <>
struct UnsignedOf<1> {
  using Type = uint8_t;
};

template <AttentionMmaSpec spec>
class MmaRing {
 public:
  using Layout = MmaLayout<spec>;
  static constexpr AttentionMmaSmem kSmem = Layout::kSmem;
  static constexpr int32_t kSlabKeys = kSmem.slab_keys;
  static constexpr int32_t kStageKeys = spec.num_warps * kSlabKeys;

  __device__ __forceinline__ MmaRing(const AttentionMmaParams& p, uint32_t smem, int32_t group,
                                     int32_t head_lane)
      : p_(p), head_lane_(head_lane) {
    const int32_t warp = threadIdx.x / 32;
    lane_ = threadIdx.x % 32;
    smem_ = smem;
    slab_ = smem + warp * kSmem.slab_bytes;
    slab_key_ = warp * kSlabKeys;
    if (!kLean) {
      page_bytes_ = find_page_bytes();
      token_bytes_ = find_token_bytes();
    }
    walk_.begin(p.args, group);
    more_ = walk_.next_segment(p_);
    find_stage();
  }

  /// Fetches the first stages of the CTA's keys into the L2, while the kernel ahead may still run:
  /// a write of it that comes later goes through the same L2.
  __device__ __forceinline__ void prefetch() const {
    if (!more_ || p_.kv_vectors == 0) return;
    const bool values = is_value();
#pragma unroll 1
    for (int32_t stage = 0; stage + 1 < spec.num_stages; ++stage) {
      const int32_t key = walk_.key + stage * kStageKeys + slab_key_ + lane_ % kSlabKeys;
      if (key >= walk_.key_end) return;
      const int32_t page = p_.page.quotient(key);
      int64_t slot = p_.page.remainder(key, page), id = 0;
      if (p_.args.kv_indices != nullptr) {
        id = p_.args.kv_indices[walk_.first_page + page];
      } else {
        slot += walk_.first_page;
      }
      const char* row =
          (values ? value_base() : key_base()) + id * page_bytes() + slot * token_bytes();
#pragma unroll
      for (int32_t at = 0; at < kSmem.k_rows.chunks * 16; at += 128) prefetch_l2(row + at);
    }
  }

  /// Asks for the next stage, into slot `slot`, and looks up the one after it.
  __device__ __forceinline__ void ask(int32_t slot) {
    if (more_) {
      if (first_) {
        MmaQuery<spec>::ask(p_, walk_, walk_.kv_head(p_, head_lane_),
                            smem_ + kSmem.q + query_slot_ * kSmem.query_bytes);
        query_slot_ = query_slot_ + 1 == spec.num_stages ? 0 : query_slot_ + 1;
        first_ = false;
      }
      const int32_t count = walk_.key_end - (walk_.key + slab_key_);
      if (count > 0) copy_slab(slab_ + slot * kSmem.stage_bytes, count);
      walk_.key += kStageKeys;
      find_stage();
    }
    cp_async_commit();
  }

 private:
  static constexpr int32_t kSize = size_of(spec.dtype_kv);
  // Row addresses and policies are found anew for each copy, or kept: products of widened keys
  // leave no registers for them, and 64 x 4k takes 137 us instead of 160. With bf16 it costs 0.4 %,
  // with RoPE 4 %.
  static constexpr bool kLean = is_fp8(spec.dtype_kv) && spec.rope.mode == RopeMode::none;
  // Rows of K and of V have lanes of their own; or a lane has a row of both.
  static constexpr bool kOwnValues = kSlabKeys == 16;
  static constexpr int32_t kFirstValue = kOwnValues ? 16 : 0;
  static constexpr int32_t kKeyChunks = spec.head_dim_qk * kSize / 16;
  static constexpr int32_t kValueChunks = spec.head_dim_vo * kSize / 16;

  // Of the lane's row.
  __device__ __forceinline__ bool is_value() const { return kOwnValues && lane_ >= 16; }
  __device__ __forceinline__ int64_t find_page_bytes() const {
    return (is_value() ? p_.args.v_stride_page : p_.args.k_stride_page) * kSize;
  }
  __device__ __forceinline__ int64_t find_token_bytes() const {
    return (is_value() ? p_.args.v_stride_token : p_.args.k_stride_token) * kSize;
  }
  __device__ __forceinline__ int64_t page_bytes() const {
    return kLean ? find_page_bytes() : page_bytes_;
  }
  __device__ __forceinline__ int64_t token_bytes() const {
    return kLean ? find_token_bytes() : token_bytes_;
  }

  // Of the next stage. Keys of a request of one tile are read once; those of many tiles, once a
  // tile.
  __device__ __forceinline__ uint64_t find_policy() const {
    return walk_.qo_len * p_.group.divisor <= spec.qo_tile ? l2_evict_first() : l2_evict_normal();
  }
  __device__ __forceinline__ const char* find_key_base() const {
    return static_cast<const char*>(p_.args.k) +
           walk_.kv_head(p_, head_lane_) * p_.args.k_stride_head * kSize;
  }
  __device__ __forceinline__ const char* find_value_base() const {
    return static_cast<const char*>(p_.args.v) +
           walk_.kv_head(p_, head_lane_) * p_.args.v_stride_head * kSize;
  }
  __device__ __forceinline__ uint64_t policy() const { return kLean ? find_policy() : policy_; }
  __device__ __forceinline__ const char* key_base() const {
    return kLean ? find_key_base() : key_base_;
  }
  __device__ __forceinline__ const char* value_base() const {
    return kLean ? find_value_base() : value_base_;
  }

  // Skips finished and empty segments, then fetches the page id of the lane's row.
  __device__ __forceinline__ void find_stage() {
    while (more_ && walk_.key >= walk_.key_end) {
      more_ = walk_.next_segment(p_);
      first_ = true;
    }
    if (!more_) return;
    if (!kLean) {
      key_base_ = find_key_base();
      value_base_ = find_value_base();
      policy_ = find_policy();
    }
    const int32_t key = min_of(walk_.key + slab_key_ + lane_ % kSlabKeys, walk_.key_end - 1);
    const int32_t page = p_.page.quotient(key);
    slot_ = p_.page.remainder(key, page);
    page_ = 0;
    if (p_.args.kv_indices != nullptr) {
      page_ = p_.args.kv_indices[walk_.first_page + page];
    } else {
      slot_ += walk_.first_page;
    }
  }

  __device__ __forceinline__ void copy_slab(uint32_t slab, int32_t count) {
    const int64_t key_offset = page_ * page_bytes() + slot_ * token_bytes();
    int64_t value_offset = key_offset;
    if constexpr (!kOwnValues) {
      value_offset = (page_ * p_.args.v_stride_page + slot_ * p_.args.v_stride_token) * kSize;
    }
    const uint32_t values = slab + kSlabKeys * kSmem.k_rows.stride;
    if (p_.kv_vectors == 0) {
      copy_elements<kKeyChunks>(Layout::k_rows(), slab, key_base(), key_offset, 0, count);
      copy_elements<kValueChunks>(Layout::v_rows(), values, value_base(), value_offset, kFirstValue,
                                  count);
    } else {
      copy_rows<kKeyChunks>(Layout::k_rows(), slab, key_base(), key_offset, 0, count);
      copy_rows<kValueChunks>(Layout::v_rows(), values, value_base(), value_offset, kFirstValue,
                              count);
    }
  }

  // Rows from `count` on are zeros, so that a weight of zero makes nothing of them.
  template <int32_t kChunks>
  __device__ __forceinline__ void copy_rows(TileRows rows, uint32_t to, const char* base,
                                            int64_t offset, int32_t first_lane, int32_t count) {
    constexpr int32_t kTotal = kSlabKeys * kChunks;
    const uint64_t policy = this->policy();
    // Unrolled whole, copies of rows of 512 elements and more keep more addresses than registers.
    [[maybe_unused]] constexpr int32_t kUnroll = kChunks >= 64 ? 2 : ceil_div(kTotal, 32);
#pragma unroll kUnroll
    for (int32_t i = 0; i < kTotal; i += 32) {
      const int32_t at = i + lane_;
      const int32_t row = min_of(at / kChunks, kSlabKeys - 1);
      const int32_t chunk = at % kChunks;
      const int64_t row_offset = __shfl_sync(~0u, offset, first_lane + row);
      if (kTotal % 32 != 0 && at >= kTotal) continue;
      const char* from = base + row_offset + chunk * 16;
      cp_async16_or_zero(to + rows.at(row, chunk), from, policy, row < count);
    }
  }

  // The same for rows that do not lie on 16 bytes.
  template <int32_t kChunks>
  __device__ __forceinline__ void copy_elements(TileRows rows, uint32_t to, const char* base,
                                                int64_t offset, int32_t first_lane, int32_t count) {
    constexpr int32_t kTotal = kSlabKeys * kChunks;
#pragma unroll 1
    for (int32_t i = 0; i < kTotal; i += 32) {
      const int32_t at = i + lane_;
      const int32_t row = min_of(at / kChunks, kSlabKeys - 1);
      const int32_t chunk = at % kChunks;
      const int64_t row_offset = __shfl_sync(~0u, offset, first_lane + row);
      if (at >= kTotal) continue;
      uint32_t words[4] = {0, 0, 0, 0};
      if (row < count) {
        using Element = typename UnsignedOf<kSize>::Type;
        constexpr int32_t kWord = 4 / kSize;  // elements of a word
        const Element* from =
            reinterpret_cast<const Element*>(base + row_offset) + chunk * 4 * kWord;
#pragma unroll
        for (int32_t e = 0; e < 4 * kWord; ++e) {
          words[e / kWord] |= static_cast<uint32_t>(from[e]) << (e % kWord * 8 * kSize);
        }
      }
      store_shared(to + rows.at(row, chunk), make_uint4(words[0], words[1], words[2], words[3]));
    }
  }

  const AttentionMmaParams& p_;
  const int32_t head_lane_;
  int32_t lane_;
  uint32_t slab_;       // of the warp, in slot 0
  int32_t slab_key_;    // its first key within a stage
  MmaWalk<spec> walk_;  // walk_.key: of the next stage
  bool more_ = true;
  bool first_ = true;       // the next stage is the first of its segment
  int32_t query_slot_ = 0;  // of the next segment
  uint32_t smem_;
  // Unless kLean.
  int64_t page_bytes_, token_bytes_;
  uint64_t policy_;
  const char* key_base_;
  const char* value_base_;
  int32_t page_, slot_;  // of the lane's row of the next stage
};

}  // namespace weft
