// SPDX-License-Identifier: Apache-2.0
// One head of one work item: which rows, which keys, and what each row sees of a block of keys.
// Pure integer arithmetic, used by every unit; knows no data.
#pragma once

#include <cstring>

#include "kernels/attention/params.h"
#include "kernels/attention/spec.h"

namespace weft {
namespace {

constexpr int kBlockKeys = 64;  // ScheduleSpec::kv_tile of every CPU unit: a row's mask is one word

struct Tile {
  int32_t request = 0;
  int32_t qo_len = 0;
  int32_t kv_len = 0;
  int32_t ahead = 0;        // kv_len - qo_len: token i stands at position i + ahead
  int64_t first_token = 0;  // of the request, in q and o
  int32_t row_begin = 0;
  int32_t rows = 0;
  int32_t kv_head = 0;
  int32_t group_size = 1;
  int32_t kv_end = 0;  // of the item: keys beyond are not read
  MaskMode mask = MaskMode::none;
  int32_t window_left = -1;  // of the run, not the planning hint

  int32_t token(int row) const { return (row_begin + row) / group_size; }
  int32_t qo_head(int row) const { return kv_head * group_size + (row_begin + row) % group_size; }
};

inline Tile make_tile(const AttentionSpec& spec, const AttentionParams& params,
                      const WorkItem& item, int kv_head) {
  Tile t;
  t.request = item.request;
  t.qo_len = params.lengths.qo_len(item.request);
  t.kv_len = params.lengths.kv_len(item.request);
  t.ahead = t.kv_len - t.qo_len;
  t.first_token = params.lengths.qo_indptr[item.request];
  t.row_begin = item.row_begin;
  t.group_size = spec.schedule.group_size;
  t.rows = static_cast<int32_t>(
      min_of<int64_t>(spec.schedule.qo_tile, int64_t{t.qo_len} * t.group_size - item.row_begin));
  t.kv_head = kv_head;
  t.kv_end = item.kv_end;
  t.mask = spec.mask;
  t.window_left = params.window_left;
  return t;
}

/// Rows [row_begin, row_end) of a tile may see keys of a block; `partial`: some of them not all.
struct BlockView {
  int32_t row_begin;
  int32_t row_end;
  bool partial;
};

/// REQUIRES: key_begin < t.kv_end.
inline BlockView view_block(const Tile& t, int32_t key_begin) {
  const int64_t key_end = int64_t{key_begin} + kBlockKeys;
  BlockView v{0, t.rows, key_end > t.kv_end || t.mask == MaskMode::custom};
  const auto row_of = [&](int64_t token) {
    return static_cast<int32_t>(clamp_to<int64_t>(token * t.group_size - t.row_begin, 0, t.rows));
  };
  if (t.mask == MaskMode::causal) v.row_begin = row_of(int64_t{key_begin} - t.ahead);
  if (t.window_left >= 0) v.row_end = row_of(key_end - t.ahead + t.window_left);
  if (v.row_begin >= v.row_end) return {0, 0, false};
  const int32_t first = t.token(v.row_begin), last = t.token(v.row_end - 1);
  if (t.mask == MaskMode::causal) v.partial |= int64_t{first} + t.ahead + 1 < key_end;
  if (t.mask == MaskMode::tree) v.partial |= key_end > t.ahead;
  v.partial |= window_begin(last, t.qo_len, t.kv_len, t.window_left) > key_begin;
  return v;
}

/// Bits [begin, end) of a word.
inline uint64_t bit_range(int64_t begin, int64_t end) {
  begin = clamp_to<int64_t>(begin, 0, 64);
  end = clamp_to<int64_t>(end, 0, 64);
  if (begin >= end) return 0;
  return (~uint64_t{0} >> (64 - (end - begin))) << begin;
}

/// `count` <= 64 bits of a bit string, little-endian within a byte. Reads no byte beyond them.
inline uint64_t load_bits(const uint8_t* bytes, int64_t first, int count) {
  const int64_t byte = first >> 3;
  const int shift = static_cast<int>(first & 7);
  const int64_t num_bytes = (shift + count + 7) >> 3;
  uint64_t low = 0;
  memcpy(&low, bytes + byte, static_cast<size_t>(min_of<int64_t>(num_bytes, 8)));
  uint64_t bits = low >> shift;
  if (num_bytes > 8) bits |= uint64_t{bytes[byte + 8]} << (64 - shift);
  return bits & bit_range(0, count);
}

/// Bit j: token `i` sees key key_begin + j.
inline uint64_t visible_bits(const Tile& t, const AttentionParams& params, int32_t i,
                             int32_t key_begin) {
  int64_t end = t.kv_end;
  if (t.mask == MaskMode::causal) end = min_of<int64_t>(end, int64_t{i} + t.ahead + 1);
  const int64_t begin = window_begin(i, t.qo_len, t.kv_len, t.window_left);
  const uint64_t bits = bit_range(begin - key_begin, end - key_begin);
  if (bits == 0 || (t.mask != MaskMode::custom && t.mask != MaskMode::tree)) return bits;
  const uint8_t* mask = params.custom_mask + params.mask_indptr[t.request];
  const int count = static_cast<int>(min_of<int64_t>(t.kv_end - key_begin, kBlockKeys));
  if (t.mask == MaskMode::custom) {
    return bits & load_bits(mask, int64_t{i} * t.kv_len + key_begin, count);
  }
  // tree: keys before `ahead` are visible, the others have a bit each.
  const int64_t first = max_of<int64_t>(key_begin, t.ahead);
  const int skip = static_cast<int>(min_of<int64_t>(first - key_begin, count));
  if (skip == count) return bits;
  const uint64_t tree = load_bits(mask, int64_t{i} * t.qo_len + first - t.ahead, count - skip);
  return bits & (tree << skip | bit_range(0, skip));
}

}  // namespace
}  // namespace weft
