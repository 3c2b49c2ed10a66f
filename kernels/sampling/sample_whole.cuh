// SPDX-License-Identifier: Apache-2.0
// A sample of a row that passes by and of which all counts: top-p, min-p, or no filter at all.
#pragma once

#include "kernels/sampling/sample_parts.cuh"

namespace weft {
namespace sampling_kernel {

/// What is counted of a row that passes by: its tokens, where top-p looks at all of them.
template <SamplingRowSpec spec>
struct WholeCounts : RowBins<spec.probs> {
  static constexpr WholeSmem kSmem = WholeSmem::of(spec.slices);
  const Search<spec>& row;
  const SamplingParams& p;

  __device__ __forceinline__ WholeCounts(const Search<spec>& search, const SamplingParams& params)
      : RowBins<spec.probs>{search.smem + kSmem.bins, 0.0f, 0.0f, 0}, row(search), p(params) {}

  __device__ __forceinline__ void clear() const {
    for (uint32_t i = threadIdx.x; i < kRowBins; i += spec.slices.num_threads) {
      store_shared(this->place + 4 * i, int32_t{0});
    }
  }
  __device__ __forceinline__ bool begin(Top first) {
    const SampleRequest r = get_request<spec>(row);
    if (!takes_whole_row(r, p) || !(r.top_p < 1.0f)) return false;
    this->set(first, r.temperature, row.smem + kSmem.words + 48);
    return true;
  }
};
template <SamplingRowSpec spec>
__device__ __forceinline__ auto counts_of(const Search<spec>& row, const SamplingParams& p) {
  if constexpr (spec.slices.kept) {
    return NoCounts();
  } else {
    return WholeCounts<spec>(row, p);
  }
}

/// This CTA's part of what is kept of a row that passes by.
template <SamplingRowSpec spec>
__device__ __forceinline__ void write_kept(const WholeOf<spec>& whole,
                                           const typename WholeOf<spec>::KeptRow& kept,
                                           const SamplingParams& p, int64_t sample) {
  constexpr int kSize = size_of(spec.dtype_out);
  const ShareScale share = ShareScale::of(whole.scale, kept.total);
  const float least = value_of(kept.key);
  const float left_out = p.writes_logits ? -__int_as_float(0x7f800000) : 0.0f;
  const int32_t begin = whole.pick.row.team.rank * spec.slices.slice;
  const int32_t last = kept.last - begin, number = p.vocab_size - begin;
  char* const out = static_cast<char*>(p.output) + (sample * p.output_stride + begin) * kSize;
  whole.template each_back<1>([&](const float(&values)[4], int32_t i) {
    float z[4];
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float x = plain_form<spec.probs, false>(values[e]);
      const bool stays = x > least || (x == least && i + e <= last);
      z[e] = p.writes_logits ? x : share_of(x, whole.scale, share);
      z[e] = stays ? z[e] : left_out;
    }
    store_four<spec>(out, i, number, z);
  });
}

/// Where the cut of top-p is thought to lie: the first CTA's guess, told to all.
template <SamplingRowSpec spec>
__device__ __forceinline__ CutRange range_of(const WholeOf<spec>& whole, float top_p, float base) {
  auto& team = whole.pick.row.team;
  const uint32_t words = whole.at(WholeOf<spec>::kSmem.words);
  CutRange range{};
  if (team.rank == 0) {
    const auto bins = RowBins<spec.probs>::at(whole.at(WholeOf<spec>::kSmem.bins), words + 48);
    range = guess_range(whole.pick, bins, whole.scale, words, top_p, base);
  }
  if constexpr (spec.slices.cluster > 1) {
    const uint64_t told[1] = {pair_of(bits_of(range.low), bits_of(range.high))};
    team.exchange(told, [&](int from, const Mail& read) {
      if (from != 0) return;
      range = {float_of(static_cast<uint32_t>(read(0) >> 32)),
               float_of(static_cast<uint32_t>(read(0)))};
    });
  }
  return range;
}

/// A row that passes by and of which all counts; false when the range that top-p's cut was thought
/// to lie in does not hold it, or too many tokens do.
template <SamplingRowSpec spec>
__device__ __forceinline__ bool whole_sample(Pick<spec>& pick, const SamplingParams& p,
                                             int64_t sample, const SampleRequest& r, Top top,
                                             const MassScale& scale) {
  using Whole = WholeOf<spec>;
  constexpr bool kDraws = spec.job == SamplingJob::draw;
  Whole whole{pick, scale};
  const uint32_t least_key = min_p_key(r.min_p, scale);
  const float least = value_of(least_key);
  const bool first = pick.row.team.rank == 0, ranged = r.top_p < 1.0f;
  typename Whole::KeptRow kept{least_key - 1, -1, 0, 0};
  if (!ranged) {
    kept.above = kept.total = whole.template weigh_row<false>(least, CutRange{}).above;
  } else {
    const float base = p.joint ? -__int_as_float(0x7f800000) : least;
    CutRange range = range_of<spec>(whole, r.top_p, base);
    if (spec.probs) range.low = fmaxf(range.low, float_of(1));
    range.low = fmaxf(range.low, least), range.high = fmaxf(range.high, least);
    const auto all = whole.template weigh_row<true>(base, range);
    const uint64_t wanted = share_of_mass(r.top_p, all.total);
    const bool reached = all.above + all.inside >= wanted;
    if (all.overflow || all.above >= wanted || (!reached && range.low > least)) return false;
    if (!first && kDraws) return true;
    kept.above = kept.total = all.above + all.inside;
    if (first && reached) {
      const uint32_t high = min_of(key_of(range.high), top.key);
      const auto last =
          whole.find_last(wanted - all.above, pair_of(high, ~0u), pair_of(key_of(range.low), 0));
      kept.key = static_cast<uint32_t>(last.entry >> 32);
      kept.last = position_of(last.entry);
      kept.above = all.above + whole.sent_above(kept.key);
      kept.total = all.above + last.upto;
    }
    if constexpr (!kDraws) {
      const uint64_t told[2] = {pair_of(kept.key, static_cast<uint32_t>(kept.last)), kept.total};
      pick.row.team.exchange(told, [&](int from, const Mail& read) {
        if (from != 0) return;
        kept.key = static_cast<uint32_t>(read(0) >> 32);
        kept.last = static_cast<int32_t>(static_cast<uint32_t>(read(0)));
        kept.total = read(1);
      });
    }
  }
  if constexpr (!kDraws) {
    write_kept<spec>(whole, kept, p, sample);
  } else if (first) {
    uint64_t draw = draw_below(kept.total, load_shared_u64(random_at<spec>(pick.row)));
    const auto take = [&](int32_t token, float z) {
      p.token[sample] = token;
      if (p.logprob != nullptr) p.logprob[sample] = log_share(z, scale, kept.total);
    };
    if (draw < kept.above) {
      whole.find_token(kept, draw, ranged, take);
      return true;
    }
    const float at_cut = value_of(kept.key);
    const uint64_t each = mass_of<spec.probs>(at_cut, scale), ties = (draw - kept.above) / each;
    // A cut that keeps as many ties as come before it, and the drawn one.
    const auto drawn =
        whole.find_last(ties * each + 1, pair_of(kept.key, ~0u), pair_of(kept.key, 0));
    if (threadIdx.x == 0) take(position_of(drawn.entry), at_cut);
  }
  return true;
}

}  // namespace sampling_kernel
}  // namespace weft
