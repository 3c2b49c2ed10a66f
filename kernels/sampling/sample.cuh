// SPDX-License-Identifier: Apache-2.0
// sample_rows: one launch from the logits or probabilities of a row to a token, or to the filtered
// distribution. A cluster reads its row once, keeps it in shared memory, finds what is kept of it
// (row_search.cuh), and draws from that or writes it out.
#pragma once

#include "kernels/ptx/griddep.cuh"
#include "kernels/sampling/load_row.cuh"
#include "kernels/sampling/params.h"
#include "kernels/sampling/stream_row.cuh"

namespace weft {
namespace sampling_kernel {

template <SamplingRowSpec spec, bool kept = spec.slices.kept>
struct ValuesOf {
  using Type = KeptValues;
};
template <SamplingRowSpec spec>
struct ValuesOf<spec, false> {
  using Type = ReadValues<spec.dtype, spec.vec, spec.probs, false>;
};

template <SamplingRowSpec spec>
using Search = RowSearch<spec.slices, spec.probs, typename ValuesOf<spec>::Type>;
template <SamplingRowSpec spec>
using Pick = RowPick<spec.slices, spec.probs, typename ValuesOf<spec>::Type>;

/// Keys up to this one are of values that cannot be drawn.
template <SamplingRowSpec spec>
inline constexpr uint32_t kNoKey = spec.probs ? 0x80000000u : kMaskedKey;

/// Where the first thread leaves the bits of a draw.
template <SamplingRowSpec spec>
__device__ __forceinline__ uint32_t random_at(const Search<spec>& row) {
  return row.smem + Search<spec>::kSmem.words + 48;
}

/// What a sample asks for but for what adjusts logits, in shared memory: registers are for values.
template <SamplingRowSpec spec>
__device__ __forceinline__ void put_request(const Search<spec>& row, const SampleRequest& r) {
  const uint32_t at = row.smem + Search<spec>::kSmem.words + 64;
  store_shared(at, make_float4(r.temperature, r.top_p, r.min_p, __int_as_float(r.top_k)));
  store_shared(at + 16, static_cast<int32_t>(r.bad));
  store_shared(at + 20, static_cast<int32_t>(r.fault));
}
template <SamplingRowSpec spec>
__device__ __forceinline__ SampleRequest get_request(const Search<spec>& row) {
  const uint32_t at = row.smem + Search<spec>::kSmem.words + 64;
  const float4 four = load_shared_f32x4(at);
  SampleRequest r{};
  r.temperature = four.x, r.top_p = four.y, r.min_p = four.z;
  r.top_k = static_cast<int32_t>(bits_of(four.w));
  r.bad = load_shared_i32(at + 16) != 0;
  r.fault = static_cast<RowFault>(load_shared_i32(at + 20));
  return r;
}

/// Penalties, bias and mask, over the values that this thread loaded.
template <SamplingRowSpec spec>
__device__ __forceinline__ Largest adjust_row(const Search<spec>& row, const SamplingParams& p,
                                              int64_t sample, const char* data) {
  constexpr int kSize = size_of(spec.dtype);
  const SampleRequest r = sample_request(p, sample);  // again: nobody else has a use for penalties
  const OwnValues<spec.slices, spec.vec> own(row.team.rank);
  Largest largest;
#pragma unroll 1
  for (int32_t i = 0; i < spec.slices.stretch() / 32; ++i) {
    const int32_t step = i / spec.vec, at = own.at(step) + i % spec.vec;
    if (at >= p.vocab_size) break;
    // From memory again: NaN and infinity as they were.
    float z[1];
    to_f32<spec.dtype, 1>(load_raw<kSize>(data + int64_t{at} * kSize), z);
    z[0] = largest.take<false>(adjusted_value(p, r, at, z[0]));
    store_shared(row.value_at(own.offset(step) + i % spec.vec), z[0]);
  }
  return largest;
}

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
    if (spec.vec == 4 && at + 4 <= p.vocab_size) {
      store_raw(out + int64_t{at} * kSize, from_f32<spec.dtype_out, 4>(z));
      continue;
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float one[1] = {z[e]};
      if (at + e >= p.vocab_size) break;
      store_raw(out + int64_t{at + e} * kSize, from_f32<spec.dtype_out, 1>(one));
    }
  }
}

/// Mass of all of this thread's values, which may be as they stand.
template <SamplingRowSpec spec>
__device__ __forceinline__ uint64_t own_mass(const Search<spec>& row, const MassScale& scale) {
  uint64_t sum = 0;
  const auto add = [&](float z) {
    sum += mass_of<spec.probs>(plain_form<spec.probs, false>(z), scale);
  };
  if constexpr (!spec.slices.kept) {
    row.each_value(-__int_as_float(0x7f800000), add);
  } else {
    using Own = OwnValues<spec.slices, spec.vec>;
    const Own own(row.team.rank);
#pragma unroll 2
    for (int32_t i = 0; i < Own::kSteps; ++i) {
      float z[spec.vec];
      load_kept<spec.vec>(row.value_at(own.offset(i)), z);
#pragma unroll
      for (int e = 0; e < spec.vec; ++e) add(z[e]);
    }
  }
  return sum;
}

/// One of the kept entries, in the order of a draw: above the lowest value by position, then those
/// at it.
template <SamplingRowSpec spec>
__device__ __forceinline__ void draw_entry(const Pick<spec>& pick,
                                           const typename Pick<spec>::Kept& kept,
                                           const SamplingParams& p, int64_t sample,
                                           const MassScale& scale) {
  const typename Pick<spec>::Deal deal(kept.number);
  const auto cut = static_cast<uint32_t>(pick.entry(kept.number - 1) >> 32);
  const uint64_t own = pick.entry(deal.entry);
  uint64_t before =
      pick.template before_in_row<uint64_t>(deal, own, kept.number, [&](uint32_t j, uint64_t e) {
        return static_cast<uint32_t>(e >> 32) > cut ? pick.mass(j) : 0;
      });
  if (deal.part != 0 || deal.entry >= kept.number) return;
  const auto key = static_cast<uint32_t>(own >> 32);
  if (key == cut) before = pick.better(deal.entry);
  const uint64_t draw = draw_below(kept.total, load_shared_u64(random_at<spec>(pick.row)));
  if (draw < before || draw - before >= pick.mass(deal.entry)) return;
  p.token[sample] = position_of(own);
  if (p.logprob != nullptr) p.logprob[sample] = log_share(value_of(key), scale, kept.total);
}

/// This CTA's part of an output in which nothing is kept.
template <SamplingRowSpec spec>
__device__ __forceinline__ void write_nothing(const SamplingParams& p, int64_t sample,
                                              int32_t rank) {
  constexpr int kSize = size_of(spec.dtype_out);
  char* const out = static_cast<char*>(p.output) + sample * p.output_stride * kSize;
  float nothing[spec.vec];
#pragma unroll
  for (float& x : nothing) x = p.writes_logits ? -__int_as_float(0x7f800000) : 0.0f;
  const auto raw = from_f32<spec.dtype_out, spec.vec>(nothing);
  const int32_t begin = rank * spec.slices.slice;
  const int32_t end = min_of(begin + spec.slices.slice, p.vocab_size);
  int32_t at = begin + static_cast<int32_t>(threadIdx.x) * spec.vec;
#pragma unroll 4
  for (; at + spec.vec <= end; at += spec.slices.num_threads * spec.vec) {
    store_raw(out + int64_t{at} * kSize, raw);
  }
  const float one[1] = {nothing[0]};
  for (; at < end; ++at) store_raw(out + int64_t{at} * kSize, from_f32<spec.dtype_out, 1>(one));
}

/// Top-k and whatever else of a row whose floor leaves a short list; false when it does not.
template <SamplingRowSpec spec>
__device__ __forceinline__ bool pick_sample(const Pick<spec>& pick, const SamplingParams& p,
                                            int64_t sample, const SampleRequest& r, Top top,
                                            uint32_t mine, const MassScale& scale) {
  constexpr bool kDraws = spec.job == SamplingJob::draw, kAlone = spec.slices.cluster == 1;
  const float top_p = r.greedy() ? 1.0f : r.top_p;
  const bool joint = p.joint && top_p < 1.0f;
  if (joint) pick.send_share(pick.row.team.reduce(own_mass<spec>(pick.row, scale), Add()));
  if constexpr (spec.slices.kept) pick.template offer_kept<spec.vec, false>(mine, top.floor);
  const uint32_t number = pick.collect(top.floor);
  if (number > pick.kMost) return false;
  if constexpr (!kDraws) {
    write_nothing<spec>(p, sample, pick.row.team.rank);
    if constexpr (!kAlone) cluster_arrive();
  }
  if (pick.row.team.rank != 0) return true;
  const uint32_t k = min_of(static_cast<uint32_t>(r.kept_at_most()), number);
  const uint32_t least = r.greedy() ? 0 : min_p_key(r.min_p, scale);
  pick.sort(number, k, least, scale);
  const auto kept = pick.keep(k, least, top_p, joint ? pick.sum_of_shares() : 0);
  if constexpr (kDraws) {
    draw_entry<spec>(pick, kept, p, sample, scale);
  } else {
    if constexpr (kAlone) __syncthreads();
    if constexpr (!kAlone) cluster_wait();  // all have written nothing
    if (threadIdx.x >= kept.number) return true;
    constexpr int kSize = size_of(spec.dtype_out);
    char* const out = static_cast<char*>(p.output) + sample * p.output_stride * kSize;
    const uint64_t own = pick.entry(threadIdx.x);
    float z[1] = {value_of(static_cast<uint32_t>(own >> 32))};
    if (!p.writes_logits) z[0] = share_of(z[0], scale, ShareScale::of(scale, kept.total));
    store_raw(out + int64_t{position_of(own)} * kSize, from_f32<spec.dtype_out, 1>(z));
  }
  return true;
}

/// What stands for a row that cannot be drawn from.
template <SamplingRowSpec spec>
__device__ __forceinline__ void give_up(Search<spec>& row, const SamplingParams& p,
                                        int64_t sample) {
  if constexpr (spec.job == SamplingJob::draw) {
    if (row.team.rank != 0 || threadIdx.x != 0) return;
    p.token[sample] = 0;
    if (p.logprob != nullptr) p.logprob[sample] = __int_as_float(0x7fc00000);
  } else {
    write_nothing<spec>(p, sample, row.team.rank);
  }
}

/// One look at the row: its largest value, a floor, what adjusts it. `mine`: of this thread's
/// values. `meanwhile` runs while the first values are on their way, and puts the request.
template <SamplingRowSpec spec, class Meanwhile>
__device__ __forceinline__ Top first_look(Pick<spec>& pick, const SamplingParams& p, int64_t sample,
                                          uint32_t& mine, Meanwhile&& meanwhile) {
  Search<spec>& row = pick.row;
  const char* const data =
      static_cast<const char*>(p.input) +
      max_of(row_of_sample(p, sample), int64_t{0}) * p.input_stride * size_of(spec.dtype);
  const auto tokens = [&] { return get_request<spec>(row).kept_at_most(); };
  if constexpr (spec.slices.kept) {
    Largest largest = load_row<spec.dtype, spec.vec, false>(row, data, p.vocab_size, meanwhile);
    if (!spec.probs && adjusts(p)) largest = adjust_row<spec>(row, p, sample, data);
    mine = largest.key();
    return find_top_of(row, mine, tokens);
  } else {
    constexpr int32_t kSlice = spec.slices.slice;
    const int32_t begin = row.team.rank * kSlice;
    row.values.put(data + int64_t{begin} * size_of(spec.dtype), p.vocab_size - begin);
    RowStream<spec.dtype, spec.vec, false, Pick<spec>> stream(pick, data, begin, p.vocab_size,
                                                              kSlice);
    return stream.template run<kNoKey<spec>>(meanwhile, tokens);
  }
}

}  // namespace sampling_kernel

/// REQUIRES: clusters of spec.slices.cluster CTAs, one for each sample; nothing that adjusts logits
/// where slices are not kept.
template <SamplingRowSpec spec>
__device__ __forceinline__ void sample_rows(const SamplingParams& p) {
  using namespace sampling_kernel;
  griddep_launch_dependents();
  Search<spec> row(dynamic_smem());
  Pick<spec> pick(row);
  const int64_t sample = blockIdx.x / spec.slices.cluster;
  pick.clear();
  griddep_wait();
  uint32_t mine = 0;
  const Top top = first_look<spec>(pick, p, sample, mine, [&] {
    if (threadIdx.x != 0) return;  // what it reads comes together with the row
    put_request<spec>(row, sample_request(p, sample));
    if constexpr (spec.job == SamplingJob::draw) {
      const uint64_t offset = p.offset == nullptr ? 0 : static_cast<uint64_t>(p.offset[sample]);
      const uint64_t seed = static_cast<uint64_t>(p.seed[sample]);
      store_shared(random_at<spec>(row), random_bits(seed, offset, 0));
    }
  });
  const SampleRequest r = get_request<spec>(row);
  SampleStatus status = SampleStatus::ok;
  if (top.key <= kNoKey<spec>) status = SampleStatus::nothing;
  if (top.key == ~0u) status = SampleStatus::nan;
  if (r.bad) status = SampleStatus::bad_parameter;
  if (row.team.rank == 0 && threadIdx.x == 0) {
    if (p.status != nullptr) p.status[sample] = static_cast<uint8_t>(status);
    if (r.bad && p.fault != nullptr) {
      atomicMin(reinterpret_cast<unsigned long long*>(p.fault), fault_word(r.fault, sample));
    }
  }
  if (status != SampleStatus::ok) return give_up<spec>(row, p, sample);
  const MassScale scale =
      spec.probs
          ? MassScale::of_probs(value_of(top.key))
          : MassScale::of_logits(value_of(top.key), r.temperature == 0.0f ? 1.0f : r.temperature);
  if (r.kept_at_most() <= kMostFloorTokens && top.floor > kNoKey<spec> &&
      pick_sample<spec>(pick, p, sample, r, top, mine, scale)) {
    return;
  }
  const Cut cut = cut_of<spec>(row, p, r, scale, top);
  if constexpr (spec.job == SamplingJob::draw) {
    draw_token<spec>(row, p, sample, cut, scale);
  } else {
    write_row<spec>(row, p, sample, cut, scale);
  }
}

}  // namespace weft
