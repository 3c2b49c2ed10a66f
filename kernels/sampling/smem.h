// SPDX-License-Identifier: Apache-2.0
// SearchSmem and SamplingSmem: how shared memory is laid out while a row is searched. Portable: the
// host asks for as many bytes as the kernel uses.
#pragma once

#include "kernels/sampling/spec.h"

namespace weft {

inline constexpr int32_t kSearchBins = 512;
inline constexpr int32_t kSearchKeys = 4096;  // keys a list holds

/// Largest k that a floor is looked for: few enough that the list it leaves is short.
inline constexpr int32_t kMostFloorTokens = 256;

/// Offsets in bytes.
struct SearchSmem {
  int32_t values;      // f32 [slice]
  int32_t histograms;  // two turns of u32 [2][bins]: lower halves, then upper halves
  int32_t totals;      // u64 [bins], of all CTAs
  int32_t own_keys;    // u32 [keys]: of this CTA
  int32_t all_keys;    // u32 [keys]: of all CTAs
  int32_t words;       // 128 bytes: what one thread tells the others
  int32_t team;
  int32_t bytes;

  WEFT_HD static constexpr SearchSmem of(const RowSlices& s) {
    SearchSmem m{};
    m.values = 0;
    m.histograms = s.kept ? s.slice * 4 : 0;
    m.totals = m.histograms + 2 * 2 * kSearchBins * 4;
    m.own_keys = m.totals + kSearchBins * 8;
    m.all_keys = m.own_keys + kSearchKeys * 4;
    m.words = m.all_keys + kSearchKeys * 4;
    m.team = m.words + 128;
    m.bytes = round_up(m.team + TeamSmem::bytes(s), 128);
    return m;
  }
};

inline constexpr int32_t kRowBins = 2048;     // counts of tokens, from the largest value down
inline constexpr int32_t kCutEntries = 4096;  // tokens near a cut, of all CTAs of a row

/// Behind the former, for rows that pass by and of which all counts.
struct WholeSmem {
  int32_t bins;     // u32 [kRowBins]
  int32_t tallies;  // u64 [CTAs][warps]: masses, in the first CTA
  int32_t numbers;  // u64 [CTAs]: entries each has sent to the first CTA
  int32_t words;    // 64 bytes: what one thread tells the others
  int32_t entries;  // u64 [kCutEntries], in the first CTA: a share of each CTA
  int32_t bytes;

  WEFT_HD static constexpr WholeSmem of(const RowSlices& s) {
    WholeSmem m{};
    m.bins = SearchSmem::of(s).bytes;
    m.tallies = m.bins + kRowBins * 4;
    m.numbers = m.tallies + s.cluster * s.num_warps() * 8;
    m.words = m.numbers + s.cluster * 8;
    m.entries = m.words + 64;
    m.bytes = round_up(m.entries + kCutEntries * 8, 128);
    return m;
  }
};

struct SamplingSmem {
  int32_t bytes = 0;

  WEFT_HD static constexpr SamplingSmem of(const SamplingRowSpec& s) {
    return {s.slices.kept ? SearchSmem::of(s.slices).bytes : WholeSmem::of(s.slices).bytes};
  }
};

}  // namespace weft
