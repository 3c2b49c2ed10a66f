// SPDX-License-Identifier: Apache-2.0
// sample_rows: one launch from the logits or probabilities of a row to a token, or to the filtered
// distribution. A cluster reads its row once, keeps it in shared memory, finds what is kept of it
// (row_search.cuh), and draws from that or writes it out.
#pragma once

#include "kernels/ptx/griddep.cuh"
#include "kernels/sampling/load_row.cuh"
#include "kernels/sampling/sample_search.cuh"
#include "kernels/sampling/sample_whole.cuh"

namespace weft {
namespace sampling_kernel {

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

/// Mass of all of this thread's values, which may be as they stand.
template <SamplingRowSpec spec>
__device__ __forceinline__ uint64_t own_mass(const Pick<spec>& pick, const MassScale& scale) {
  uint64_t sum = 0;
  const auto add = [&](float z) {
    sum += mass_of<spec.probs>(plain_form<spec.probs, false>(z), scale);
  };
  if constexpr (!spec.slices.kept) {
    WholeOf<spec>{pick, scale}.template each_back<kBackSteps>([&](const float(&z)[4], int32_t) {
#pragma unroll
      for (const float x : z) add(x);
    });
  } else {
    const Search<spec>& row = pick.row;
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
  if (joint) pick.send_share(pick.row.team.reduce(own_mass<spec>(pick, scale), Add()));
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
template <SamplingRowSpec spec, class Counts, class Meanwhile>
__device__ __forceinline__ Top first_look(Pick<spec>& pick, const SamplingParams& p, int64_t sample,
                                          uint32_t& mine, Counts& counts, Meanwhile&& meanwhile) {
  Search<spec>& row = pick.row;
  const char* const data =
      static_cast<const char*>(p.input) +
      max_of(row_of_sample(p, sample), int64_t{0}) * p.input_stride * size_of(spec.dtype);
  if constexpr (spec.slices.kept) {
    const auto tokens = [&] { return get_request<spec>(row).kept_at_most(); };
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
    const auto looked_for = [&] {
      const SampleRequest r = get_request<spec>(row);
      if (!takes_whole_row(r, p)) return r.kept_at_most();
      return r.top_p < 1.0f ? kSpreadTokens : kMaxVocab;
    };
    return stream.template run<kNoKey<spec>>(meanwhile, looked_for, counts);
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
  auto counts = counts_of<spec>(row, p);
  pick.clear();
  counts.clear();
  griddep_wait();
  uint32_t mine = 0;
  const Top top = first_look<spec>(pick, p, sample, mine, counts, [&] {
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
  if constexpr (!spec.slices.kept) put_top<spec>(row, top);
  if (takes_few<spec>(r, p, top)) {
    if (pick_sample<spec>(pick, p, sample, r, top, mine, scale_of<spec>(r, top))) return;
  } else if constexpr (!spec.slices.kept) {
    if (takes_whole_row(r, p) && top.key < key_of(kLargest) &&
        whole_sample<spec>(pick, p, sample, r, top, scale_of<spec>(r, top))) {
      return;
    }
  }
  if constexpr (spec.slices.kept) {
    search_sample<spec>(row, p, sample, r, top);
  } else {
    row.team.meet();
    row.begin_anew();
    search_sample<spec>(row, p, sample, get_request<spec>(row), get_top<spec>(row));
  }
}

}  // namespace weft
