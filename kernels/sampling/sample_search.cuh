// SPDX-License-Identifier: Apache-2.0
// A sample by searches of its whole row, kept or read anew as often as these need: whatever the row
// and the request are like.
#pragma once

#include "kernels/sampling/sample_parts.cuh"

namespace weft {
namespace sampling_kernel {

/// Mass that `cut` keeps: of a list that has all of it, else of the row.
template <SamplingRowSpec spec>
__device__ __forceinline__ uint64_t kept_mass(Search<spec>& row, const MassScale& scale,
                                              const Cut& cut,
                                              const typename Search<spec>::Range& range,
                                              uint32_t number) {
  uint64_t sum = 0;
  row.each_in(range, number, [&](float z) {
    const uint64_t mass = mass_of<spec.probs>(z, scale);
    sum += key_of(z) > cut.key ? mass : 0;
  });
  sum = row.team.reduce(sum, Add());
  if (number > kSearchKeys) sum = row.team.share(sum, Add());
  return cut.ties == 0 ? sum : sum + cut.ties * mass_of<spec.probs>(value_of(cut.key), scale);
}

/// What min-p, top-k and top-p keep. A row whose top_k values fit a list is searched there; else
/// each step first narrows the row to one bin, which mostly fits.
template <SamplingRowSpec spec>
__device__ __forceinline__ Cut cut_of(Search<spec>& row, const SamplingParams& p,
                                      const SampleRequest& r, const MassScale& scale, Top top) {
  if (r.greedy()) return {top.key, 1};
  const uint32_t least = min_p_key(r.min_p, scale);
  const bool by_count = r.top_k < p.vocab_size;
  typename Search<spec>::Range range{FallBins<spec.probs>(scale), value_of(least), kSearchBins};
  constexpr uint32_t kNoList = kSearchKeys + 1;
  uint32_t number = kNoList, whole_list = kNoList;
  uint32_t floor = by_count && top.floor > least ? top.floor : least;
  Cut cut{least - 1, 0};
  const int last = r.top_p < 1.0f ? 2 : 1;
#pragma unroll 1
  for (int step = by_count ? 0 : 1; step < last;) {
    Wanted wanted{false, static_cast<uint64_t>(r.top_k), floor};
    if (step == 1) {
      const Cut base = p.joint ? Cut{} : cut;
      range.least = p.joint ? value_of(kMaskedKey + 1) : range.least;
      range.bin = kSearchBins;
      const uint64_t mass =
          kept_mass<spec>(row, scale, base, range, p.joint ? kNoList : whole_list);
      wanted = {true, share_of_mass(r.top_p, mass), cut.ties == 0 ? cut.key + 1 : cut.key};
    }
    number = whole_list;
    if (number == kNoList) {
      range.least = value_of(wanted.least);
      range.bin = kSearchBins;
      const bool floored = step == 0 && floor > least;
      if (!floored && !row.narrow(wanted, scale, range)) {
        ++step;
        continue;
      }
      number = row.gather(range);
      if (floored && number > kSearchKeys) {
        floor = least;  // the list would be too long: without
        continue;
      }
      if (floored) whole_list = number;
    }
    Cut found;
    if (row.find(wanted, scale, range, number, found)) {
      if (step == 1 && found.key == cut.key) found.ties = min_of(found.ties, cut.ties);
      cut = found;
    }
    ++step;
  }
  return cut;
}

/// Of the values of a warp's stretch, the one at which the running sum of amount(z) passes `draw`;
/// -1 in all threads but the one that finds it. The whole CTA takes part.
template <SamplingRowSpec spec, class Amount>
__device__ __forceinline__ int32_t find_in_stretch(Search<spec>& row, int32_t warp, uint64_t draw,
                                                   Amount&& amount) {
  constexpr int32_t kEach = ceil_div(Search<spec>::kStretch, spec.slices.num_threads);
  const int32_t first = static_cast<int32_t>(threadIdx.x) * kEach;
  const int32_t begin = warp * Search<spec>::kStretch + first;
  const bool mine = first < Search<spec>::kStretch;
  uint64_t sum = 0;
  for (int32_t i = 0; mine && i < kEach; ++i) {
    sum += amount(row.values.one(begin + i));
  }
  uint64_t before = row.team.sum_before(sum);
  if (draw < before || draw - before >= sum) return -1;
  for (int32_t i = 0;; ++i) {
    before += amount(row.values.one(begin + i));
    if (draw < before) return begin + i;
  }
}

template <SamplingRowSpec spec>
__device__ __forceinline__ void draw_token(Search<spec>& row, const SamplingParams& p,
                                           int64_t sample, const Cut& cut, const MassScale& scale) {
  constexpr uint32_t kWarps = spec.slices.num_warps();
  const auto s = row.share_out(cut.key, [&](float z) { return mass_of<spec.probs>(z, scale); });
  const uint64_t each = cut.ties == 0 ? 0 : mass_of<spec.probs>(value_of(cut.key), scale);
  const uint64_t total = s.all + cut.ties * each;
  uint64_t draw = draw_below(total, load_shared_u64(random_at<spec>(row)));
  const bool at_cut = draw >= s.all;
  if (at_cut) draw = (draw - s.all) / each;
  const uint64_t before = at_cut ? s.ties_before : s.before;
  if (draw < before || draw - before >= (at_cut ? s.ties : s.here)) return;  // another CTA's
  draw -= before;
  // Which warp's stretch, by the tallies of all warps.
  const uint32_t tallies = row.tally_at(0) + (at_cut ? 8 : 0);
  const uint32_t lane = static_cast<uint32_t>(row.lane());
  const uint64_t here = lane < kWarps ? load_shared_u64(tallies + 16 * lane) : 0;
  const uint64_t upto = warp_sum_upto(here);
  int32_t warp = 0;
#pragma unroll
  for (int w = 0; w < static_cast<int>(kWarps) - 1; ++w) {
    warp += draw >= __shfl_sync(~0u, upto, w);
  }
  draw -= __shfl_sync(~0u, upto - here, warp);
  const float least = value_of(cut.key);
  const int32_t at = find_in_stretch<spec>(row, warp, draw, [&](float z) {
    if (at_cut) return uint64_t{z == least};
    const uint64_t mass = mass_of<spec.probs>(z, scale);
    return z > least ? mass : uint64_t{0};
  });
  if (at < 0) return;
  const float z = row.values.one(at);
  p.token[sample] = row.team.rank * spec.slices.slice + at;
  if (p.logprob != nullptr) p.logprob[sample] = log_share(z, scale, total);
}

/// Writes this CTA's part of the row: shares, or values.
template <SamplingRowSpec spec>
__device__ __forceinline__ void write_row(Search<spec>& row, const SamplingParams& p,
                                          int64_t sample, const Cut& cut, const MassScale& scale) {
  constexpr int kSize = size_of(spec.dtype_out);
  const auto s = row.share_out(cut.key, [&](float z) { return mass_of<spec.probs>(z, scale); });
  const uint64_t each = cut.ties == 0 ? 0 : mass_of<spec.probs>(value_of(cut.key), scale);
  const ShareScale share = ShareScale::of(scale, s.all + cut.ties * each);
  const float least = value_of(cut.key);
  const float left_out = p.writes_logits ? -__int_as_float(0x7f800000) : 0.0f;
  // How many values at the cut lie before this warp's.
  uint64_t rank = s.ties_before;
  const uint32_t ties = row.tally_at(0) + 8;
  for (int32_t w = 0; w < row.warp(); ++w) {
    rank += load_shared_u64(ties + 16 * static_cast<uint32_t>(w));
  }
  char* const out = static_cast<char*>(p.output) + sample * p.output_stride * kSize;
  const int32_t begin = row.team.rank * spec.slices.slice + row.warp() * spec.slices.stretch();
#pragma unroll 1
  for (int32_t i = 0; i < Search<spec>::kStretch; i += 128) {
    const int32_t at = begin + i + row.lane() * 4;
    const float4 four = row.four(i);
    float z[4] = {four.x, four.y, four.z, four.w};
    bool kept[4];
#pragma unroll
    for (int e = 0; e < 4; ++e) kept[e] = z[e] > least;
    const uint32_t mine = (z[0] == least) + (z[1] == least) + (z[2] == least) + (z[3] == least);
    if (cut.ties != 0 && __any_sync(~0u, mine != 0)) {
      uint32_t upto = mine;
#pragma unroll
      for (int step = 1; step < 32; step *= 2) {
        const uint32_t other = __shfl_sync(~0u, upto, max_of(row.lane() - step, 0));
        if (row.lane() >= step) upto += other;
      }
      uint64_t next = rank + (upto - mine);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        if (z[e] == least) kept[e] = next++ < cut.ties;
      }
      rank += __shfl_sync(~0u, upto, 31);
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      if (!p.writes_logits) z[e] = share_of(z[e], scale, share);
      z[e] = kept[e] ? z[e] : left_out;
    }
    store_four<spec>(out, at, p.vocab_size, z);
  }
}

/// A search by histograms, whatever the row is like.
template <SamplingRowSpec spec>
__device__ __forceinline__ void search_sample(Search<spec>& row, const SamplingParams& p,
                                              int64_t sample, const SampleRequest& r, Top top) {
  const MassScale scale = scale_of<spec>(r, top);
  const Cut cut = cut_of<spec>(row, p, r, scale, top);
  if constexpr (spec.job == SamplingJob::draw) {
    draw_token<spec>(row, p, sample, cut, scale);
  } else {
    write_row<spec>(row, p, sample, cut, scale);
  }
}

}  // namespace sampling_kernel
}  // namespace weft
