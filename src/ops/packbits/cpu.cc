// SPDX-License-Identifier: Apache-2.0
// packbits on the CPU: bytes in parallel. Eight elements are one 64-bit word, whose bytes become 0
// or 1 and are gathered by a multiplication: no instruction set beyond the baseline is needed.
#include <cstring>

#include "src/cpu/parallel_rows.h"
#include "src/ops/packbits/rooms.h"

namespace weft {
namespace {

// The byte whose bit i is whether byte i of `word` is not zero. REQUIRES: little-endian.
uint8_t pack_word(uint64_t word) {
  constexpr uint64_t kLow = 0x7f7f7f7f7f7f7f7fu;
  const uint64_t high = (((word & kLow) + kLow) | word) & ~kLow;  // bit 7 of each byte
  return static_cast<uint8_t>(((high >> 7) * 0x0102040810204080u) >> 56);
}

uint8_t reversed(uint8_t b) {
  b = static_cast<uint8_t>((b & 0xf0) >> 4 | (b & 0x0f) << 4);
  b = static_cast<uint8_t>((b & 0xcc) >> 2 | (b & 0x33) << 2);
  return static_cast<uint8_t>((b & 0xaa) >> 1 | (b & 0x55) << 1);
}

// Elements [begin, end) into the bytes at `out`, the last filled up with zeros.
void pack_run(const PackBitsConfig& config, const uint8_t* x, int64_t count, uint8_t* out) {
  for (int64_t i = 0; i < count; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, x + i, static_cast<size_t>(min_of<int64_t>(8, count - i)));
    const uint8_t byte = pack_word(word);
    out[i / 8] = config.order == BitOrder::little ? byte : reversed(byte);
  }
}

}  // namespace

void run_packbits_cpu(const PackBitsConfig& config, const PackBitsParams& p,
                      const Executor& executor) {
  if (p.indptr != nullptr) {
    const int64_t mean = ceil_div<int64_t>(p.nnz, max_of(1, p.num_segments));
    parallel_rows(executor, p.num_segments, mean, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; ++s) {
        pack_run(config, p.x + p.indptr[s], p.indptr[s + 1] - p.indptr[s], p.out + p.out_indptr[s]);
      }
    });
    return;
  }
  parallel_rows(executor, p.num_bytes, 9, [&](int64_t begin, int64_t end) {
    pack_run(config, p.x + 8 * begin, min_of(8 * end, p.nnz) - 8 * begin, p.out + begin);
  });
}

}  // namespace weft
