// SPDX-License-Identifier: Apache-2.0
// The body of topk on the CPU, compiled once per ISA by cpu_<isa>.cc. Anonymous namespace, no
// standard containers: simd.h.
#pragma once

#include "src/cpu/row_search.h"
#include "src/cpu/row_values.h"
#include "src/ops/topk/unit.h"

namespace weft {
namespace {

class TopkSource {
 public:
  TopkSource(const TopkSpec& spec, const TopkParams& p, const TopkRow& row, int64_t i)
      : dtype_(spec.dtype),
        input_(p.input),
        begin_(i * p.input_stride + row.start),
        length_(row.length) {}

  int size() const { return length_; }

  void fill(int begin, int n, float* z) const {
    load_values(input_, dtype_, begin_ + begin, n, z);
    for (int i = 0; i < n; ++i) {
      const float x = z[i] + 0.0f;
      const float most = x > kLargest ? kLargest : x;
      z[i] = most > -kLargest ? most : -kLargest;  // NaN too
    }
  }

 private:
  DType dtype_;
  const void* input_;
  int64_t begin_;
  int length_;
};

int select_best(const TopkSpec& spec, const TopkParams& p, const TopkRow& row, int64_t i,
                uint64_t* best) {
  const TopkSource source(spec, p, row, i);
  RowSearch<TopkSource> search(source);
  search.scan();
  const MassScale scale = MassScale::of_logits(0.0f, 1.0f);
  Cut cut;
  if (row.length > p.k) {
    search.find({false, static_cast<uint64_t>(p.k), search.floor_of(p.k)}, scale, cut);
  }
  int count = 0;
  for (int b = 0; b < search.num_blocks(); ++b) {
    if (search.block_top(b) < cut.key) continue;
    float z[kRowBlock];
    search.fill(b, z);
    for (int e = 0; e < search.block_size(b); ++e) {
      const uint32_t key = key_of(z[e]);
      if (key < cut.key || (key == cut.key && cut.ties == 0)) continue;
      if (key == cut.key) --cut.ties;
      best[count++] = entry_of(key, b * kRowBlock + e);
    }
  }
  return count;
}

constexpr TopkTable make_table() { return {select_best}; }

}  // namespace
}  // namespace weft
