// SPDX-License-Identifier: Apache-2.0
// sample_rows: one launch from the logits or probabilities of a row to a token, or to the filtered
// distribution. A cluster reads its row once, keeps it in shared memory, finds what is kept of it
// (row_search.cuh), and draws from that or writes it out.
#pragma once

#include "kernels/ptx/griddep.cuh"
#include "kernels/sampling/load_row.cuh"
#include "kernels/sampling/params.h"

namespace weft {
namespace sampling_kernel {

// Largest k whose floor comes from the largest values of threads: few enough that most threads hold
// none of the k.
inline constexpr int32_t kMostFloorTokens = 256;

template <SamplingRowSpec spec>
using Search = RowSearch<spec.slices, spec.probs>;

/// Penalties, bias and mask, over the values that this thread loaded.
template <SamplingRowSpec spec>
__device__ __forceinline__ Largest adjust_row(const Search<spec>& row, const SamplingParams& p,
                                              const SampleRequest& r, const char* data) {
  constexpr int kStep = 32 * spec.vec, kSize = size_of(spec.dtype);
  const int32_t begin = row.team.rank * spec.slices.slice + row.warp() * spec.slices.stretch();
  Largest largest;
#pragma unroll 1
  for (int32_t i = 0; i < spec.slices.stretch() / 32; ++i) {
    const int32_t at = i / spec.vec * kStep + row.lane() * spec.vec + i % spec.vec;
    if (begin + at >= p.vocab_size) break;
    // From memory again: NaN and infinity as they were.
    float z[1];
    to_f32<spec.dtype, 1>(load_raw<kSize>(data + int64_t{begin + at} * kSize), z);
    z[0] = largest.take<false>(adjusted_value(p, r, begin + at, z[0]));
    store_shared(row.value_at(at), static_cast<int32_t>(bits_of(z[0])));
  }
  return largest;
}

struct Top {
  uint32_t key;    // of the row's largest value; ~0 when some value is NaN
  uint32_t floor;  // a key that at least top_k values reach
};

/// The row's largest value, and from the largest of each thread a key that many values reach: `k`
/// of one CTA reach it, or a share of k of each CTA.
template <SamplingRowSpec spec>
__device__ __forceinline__ Top find_top(Search<spec>& row, uint32_t mine, int32_t k) {
  constexpr int kCtas = spec.slices.cluster;
  // Threads that hold nothing but masked tokens stay out of the lower end.
  const uint64_t ends = row.team.reduce(pair_of(mine, mine > kMaskedKey ? ~mine : 0), MostEach());
  const uint32_t high = static_cast<uint32_t>(ends >> 32), low = ~static_cast<uint32_t>(ends);
  uint64_t keys[3] = {high, 0, 0};
  row.clear_histogram();  // by all CTAs, which take turns together
  if (k <= kMostFloorTokens && high > low && high != ~0u) {
    const float most = value_of(high);
    const float rate = static_cast<float>(kSearchBins - 1) / (most - value_of(low));
    const float fall = (most - value_of(max_of(mine, low))) * rate;
    const uint32_t bin = static_cast<uint32_t>(fminf(fall, static_cast<float>(kSearchBins - 1)));
    if (mine > kMaskedKey) row.count(bin, 1);
    const auto of_one = row.find_bin(static_cast<uint64_t>(k), false);
    __syncthreads();
    const auto share = row.find_bin(static_cast<uint64_t>(ceil_div(k, kCtas)), false);
    // Turned round, so that the largest is the smallest key.
    const uint32_t own = mine > kMaskedKey ? ~mine : 0;
    const uint64_t floors = row.team.reduce(
        pair_of(bin <= of_one.index ? own : 0, bin <= share.index ? own : 0), MostEach());
    if (of_one.reached) keys[1] = ~static_cast<uint32_t>(floors >> 32);
    if (share.reached) keys[2] = ~static_cast<uint32_t>(floors);
  }
  Top top{0, 0};
  uint32_t of_all = ~0u;
  row.team.exchange(keys, [&](int, const Mail& read) {
    top.key = max_of(top.key, static_cast<uint32_t>(read(0)));
    top.floor = max_of(top.floor, static_cast<uint32_t>(read(1)));
    of_all = min_of(of_all, static_cast<uint32_t>(read(2)));
  });
  top.floor = max_of(top.floor, of_all);
  return top;
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

/// What the row's warps and CTAs hold of what is kept.
struct Shares {
  uint64_t mass_before, mass, all_mass;  // of the CTAs before this one, of this one, of all
  uint64_t ties_before, ties;            // values at the cut, likewise
};

/// Leaves the tallies of this CTA's warps in the list's memory, mass and number at 16 bytes each.
template <SamplingRowSpec spec>
__device__ __forceinline__ Shares share_out(Search<spec>& row, const Cut& cut,
                                            const MassScale& scale) {
  constexpr int kWarps = spec.slices.num_warps();
  const auto tally = row.tally(cut.key, scale);
  const uint32_t tallies = row.smem + Search<spec>::kSmem.all_keys;
  __syncthreads();  // the list has been read
  if (row.lane() == 0) {
    store_shared(tallies + 16u * static_cast<uint32_t>(row.warp()), tally.mass);
    store_shared(tallies + 16u * static_cast<uint32_t>(row.warp()) + 8, uint64_t{tally.at});
  }
  __syncthreads();
  uint64_t sums[2] = {0, 0};
#pragma unroll
  for (uint32_t w = 0; w < kWarps; ++w) {
    sums[0] += load_shared_u64(tallies + 16 * w);
    sums[1] += load_shared_u64(tallies + 16 * w + 8);
  }
  Shares s{0, sums[0], 0, 0, sums[1]};
  row.team.exchange(sums, [&](int r, const Mail& read) {
    const uint64_t mass = read(0), ties = read(1);
    s.all_mass += mass;
    if (r < row.team.rank) s.mass_before += mass, s.ties_before += ties;
  });
  return s;
}

/// One of the values of this warp's stretch: the first at which the running sum of amount(z) passes
/// `draw`. REQUIRES: there is one.
template <SamplingRowSpec spec, class Amount>
__device__ __forceinline__ int32_t find_in_stretch(const Search<spec>& row, uint64_t draw,
                                                   Amount&& amount) {
  int32_t found = -1;
#pragma unroll 1
  for (int32_t i = 0; i < Search<spec>::kStretch; i += 128) {
    const float4 z = load_shared_f32x4(row.value_at(i + row.lane() * 4));
    const uint64_t a[4] = {amount(z.x), amount(z.y), amount(z.z), amount(z.w)};
    const uint64_t sum = a[0] + a[1] + a[2] + a[3];
    uint64_t upto = sum;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const uint64_t other = __shfl_sync(~0u, upto, max_of(row.lane() - step, 0));
      if (row.lane() >= step) upto += other;
    }
    const uint64_t all = __shfl_sync(~0u, upto, 31);
    if (draw >= all) {
      draw -= all;
      continue;
    }
    uint64_t before = upto - sum;
    if (draw >= before && draw < upto) {
      found = i + row.lane() * 4;
#pragma unroll
      for (int e = 0; e < 3; ++e) {
        before += a[e];
        found += draw >= before;
      }
    }
    break;
  }
  return found;
}

template <SamplingRowSpec spec>
__device__ __forceinline__ void draw_token(Search<spec>& row, const SamplingParams& p,
                                           int64_t sample, const Cut& cut, const MassScale& scale) {
  constexpr uint32_t kWarps = spec.slices.num_warps();
  const Shares s = share_out<spec>(row, cut, scale);
  const uint64_t each = cut.ties == 0 ? 0 : mass_of<spec.probs>(value_of(cut.key), scale);
  const uint64_t total = s.all_mass + cut.ties * each;
  const uint64_t offset = p.offset == nullptr ? 0 : static_cast<uint64_t>(p.offset[sample]);
  const uint64_t random = random_bits(static_cast<uint64_t>(p.seed[sample]), offset, 0);
  uint64_t draw = draw_below(total, random);
  const bool at_cut = draw >= s.all_mass;
  if (at_cut) draw = (draw - s.all_mass) / each;
  const uint64_t before = at_cut ? s.ties_before : s.mass_before;
  if (draw < before || draw - before >= (at_cut ? s.ties : s.mass)) return;  // another CTA's
  draw -= before;
  uint32_t warp = 0;
  const uint32_t tallies = row.smem + Search<spec>::kSmem.all_keys + (at_cut ? 8 : 0);
  for (; warp + 1 < kWarps; ++warp) {
    const uint64_t here = load_shared_u64(tallies + 16 * warp);
    if (draw < here) break;
    draw -= here;
  }
  if (warp != static_cast<uint32_t>(row.warp())) return;
  const float least = value_of(cut.key);
  const int32_t at = find_in_stretch<spec>(row, draw, [&](float z) {
    if (at_cut) return uint64_t{z == least};
    const uint64_t mass = mass_of<spec.probs>(z, scale);
    return z > least ? mass : uint64_t{0};
  });
  if (at < 0) return;
  const float z = __int_as_float(load_shared_i32(row.value_at(at)));
  p.token[sample] = row.team.rank * spec.slices.slice + row.warp() * spec.slices.stretch() + at;
  if (p.logprob != nullptr) p.logprob[sample] = log_share(z, scale, total);
}

/// Writes this CTA's part of the row: shares, or values.
template <SamplingRowSpec spec>
__device__ __forceinline__ void write_row(Search<spec>& row, const SamplingParams& p,
                                          int64_t sample, const Cut& cut, const MassScale& scale) {
  constexpr int kSize = size_of(spec.dtype_out);
  const Shares s = share_out<spec>(row, cut, scale);
  const uint64_t each = cut.ties == 0 ? 0 : mass_of<spec.probs>(value_of(cut.key), scale);
  const ShareScale share = ShareScale::of(scale, s.all_mass + cut.ties * each);
  const float least = value_of(cut.key);
  const float left_out = p.writes_logits ? -__int_as_float(0x7f800000) : 0.0f;
  // How many values at the cut lie before this warp's.
  uint64_t rank = s.ties_before;
  const uint32_t ties = row.smem + Search<spec>::kSmem.all_keys + 8;
  for (int32_t w = 0; w < row.warp(); ++w) {
    rank += load_shared_u64(ties + 16 * static_cast<uint32_t>(w));
  }
  char* const out = static_cast<char*>(p.output) + sample * p.output_stride * kSize;
  const int32_t begin = row.team.rank * spec.slices.slice + row.warp() * spec.slices.stretch();
#pragma unroll 1
  for (int32_t i = 0; i < Search<spec>::kStretch; i += 128) {
    const int32_t at = begin + i + row.lane() * 4;
    const float4 four = load_shared_f32x4(row.value_at(i + row.lane() * 4));
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

/// What stands for a row that cannot be drawn from.
template <SamplingRowSpec spec>
__device__ __forceinline__ void give_up(Search<spec>& row, const SamplingParams& p,
                                        int64_t sample) {
  if constexpr (spec.job == SamplingJob::draw) {
    if (row.team.rank != 0 || threadIdx.x != 0) return;
    p.token[sample] = 0;
    if (p.logprob != nullptr) p.logprob[sample] = __int_as_float(0x7fc00000);
  } else {
    constexpr int kSize = size_of(spec.dtype_out);
    char* const out = static_cast<char*>(p.output) + sample * p.output_stride * kSize;
    const float nothing[1] = {p.writes_logits ? -__int_as_float(0x7f800000) : 0.0f};
    const int32_t begin = row.team.rank * spec.slices.slice;
    const int32_t end = min_of(begin + spec.slices.slice, p.vocab_size);
    for (int32_t i = begin + static_cast<int32_t>(threadIdx.x); i < end;
         i += spec.slices.num_threads) {
      store_raw(out + int64_t{i} * kSize, from_f32<spec.dtype_out, 1>(nothing));
    }
  }
}

}  // namespace sampling_kernel

/// REQUIRES: clusters of spec.slices.cluster CTAs, one for each sample.
template <SamplingRowSpec spec>
__device__ __forceinline__ void sample_rows(const SamplingParams& p) {
  using namespace sampling_kernel;
  griddep_launch_dependents();
  Search<spec> row(dynamic_smem());
  const int64_t sample = blockIdx.x / spec.slices.cluster;
  griddep_wait();
  const SampleRequest r = sample_request(p, sample);
  const char* const data =
      static_cast<const char*>(p.input) + r.row * p.input_stride * size_of(spec.dtype);
  Largest largest = load_row<spec.dtype, spec.vec>(row, data, p.vocab_size);
  if (!spec.probs && r.adjusts) largest = adjust_row<spec>(row, p, r, data);
  const uint32_t mine = largest.key();
  const Top top = find_top<spec>(row, mine, r.top_k);
  SampleStatus status = SampleStatus::ok;
  if (top.key <= (spec.probs ? 0x80000000u : kMaskedKey)) status = SampleStatus::nothing;
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
  const Cut cut = cut_of<spec>(row, p, r, scale, top);
  if constexpr (spec.job == SamplingJob::draw) {
    draw_token<spec>(row, p, sample, cut, scale);
  } else {
    write_row<spec>(row, p, sample, cut, scale);
  }
}

}  // namespace weft
