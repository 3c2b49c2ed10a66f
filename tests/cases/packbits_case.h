// SPDX-License-Identifier: Apache-2.0
// Cases of packbits: lengths, segments with gaps, both orders; and what each byte must be, written
// from the definition. Header only: the CPU, the GPU and the kernel on the host use it.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/attention_data.h"
#include "tests/cases/tensors.h"
#include "weft/packbits.h"

namespace weft::cases {

struct PackBitsCase {
  const char* name;
  BitOrder order = BitOrder::little;
  int nnz = 100;
  std::vector<int> segments;  // lengths; empty: none are given
  int gap = 0;                // bytes between segments
  int64_t misalign = 0;       // of x
};

inline const std::vector<PackBitsCase>& packbits_cases() {
  static const std::vector<PackBitsCase> cases = {
      {.name = "plain"},
      {.name = "big", .order = BitOrder::big},
      {.name = "whole_bytes", .nnz = 64},
      {.name = "one", .nnz = 1},
      {.name = "nothing", .nnz = 0},
      {.name = "misaligned", .nnz = 1003, .misalign = 3},
      {.name = "long", .nnz = 300001},
      {.name = "segments", .segments = {9, 0, 8, 1, 0, 82}},
      {.name = "segments_big_gaps", .order = BitOrder::big, .segments = {3, 17, 40, 0}, .gap = 2},
      {.name = "no_segment_has_any", .segments = {0, 0}},
  };
  return cases;
}

struct PackBitsData {
  PackBitsConfig config;
  PackBitsArgs args;
  std::vector<Buffer> owners;
  std::vector<int32_t> begins, bytes;  // of segments
};

inline PackBitsData make_packbits_data(const PackBitsCase& c, uint64_t seed) {
  PackBitsData data;
  data.owners.reserve(8);
  data.config.order = c.order;
  Buffer& x = data.owners.emplace_back(static_cast<size_t>(c.nnz), kPoisonByte,
                                       static_cast<size_t>(c.misalign));
  Random random(seed);
  for (int i = 0; i < c.nnz; ++i) {
    x.data()[i] = random.chance(0.5) ? 0 : static_cast<char>(random.integer(1, 255));
  }
  data.args.x = TensorView(x.data(), DType::u8, {c.nnz});
  data.begins = {0}, data.bytes = {c.gap};
  for (const int length : c.segments) {
    data.begins.push_back(data.begins.back() + length);
    data.bytes.push_back(data.bytes.back() + (length + 7) / 8 + c.gap);
  }
  const int64_t bytes = c.segments.empty() ? (c.nnz + 7) / 8 + 2 : data.bytes.back() + 2;
  Buffer& out = data.owners.emplace_back(static_cast<size_t>(bytes));
  data.args.out = TensorView(out.data(), DType::u8, {bytes});
  if (c.segments.empty()) return data;
  data.args.indptr = make_ints(data.begins, data.owners);
  data.args.out_indptr = make_ints(data.bytes, data.owners);
  return data;
}

/// Empty when every byte of out is right, poison where nothing is written.
inline std::string compare_packbits(const PackBitsData& data) {
  const auto* x = static_cast<const uint8_t*>(data.args.x.data);
  const auto* out = static_cast<const uint8_t*>(data.args.out.data);
  std::vector<unsigned> expected(static_cast<size_t>(data.args.out.shape[0]), kPoisonByte);
  const auto pack = [&](int64_t begin, int64_t end, int64_t byte) {
    for (int64_t i = begin; i < end; ++i) {
      unsigned& b = expected[static_cast<size_t>(byte + (i - begin) / 8)];
      const auto bit = static_cast<unsigned>((i - begin) % 8);
      if (bit == 0) b = 0;
      if (x[i] != 0) b |= data.config.order == BitOrder::little ? 1u << bit : 128u >> bit;
    }
  };
  if (!data.args.indptr.given()) pack(0, data.args.x.shape[0], 0);
  for (size_t s = 0; s + 1 < data.begins.size(); ++s) {
    pack(data.begins[s], data.begins[s + 1], data.bytes[s]);
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (out[i] == expected[i]) continue;
    return "byte " + std::to_string(i) + ": expected " + std::to_string(expected[i]) + ", got " +
           std::to_string(out[i]);
  }
  for (const Buffer& b : data.owners) {
    if (!b.fences_intact()) return "a fence was written";
  }
  return "";
}

}  // namespace weft::cases
