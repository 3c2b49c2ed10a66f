// SPDX-License-Identifier: Apache-2.0
// select_topk_rows: the k largest of a row and where they are. A cluster reads its row once: many
// of a row come from lists (listed_pick.cuh), and few from a short one (pick_row.cuh). Where those
// do not serve, the row, kept in shared memory or read anew, is searched for the cut below k values
// (row_search.cuh); each warp then knows where its own go in the result, which one CTA sorts when
// that is asked for.
#pragma once

#include "kernels/ptx/griddep.cuh"
#include "kernels/topk/listed_pick.cuh"

namespace weft {
namespace topk_kernel {

template <TopkRowSpec spec>
using Pick = RowPick<spec.slices, false, Values<spec>>;

template <TopkRowSpec spec>
__device__ __forceinline__ Cut cut_of(Search<spec>& row, int32_t k, Top top) {
  const MassScale scale = MassScale::of_logits(value_of(top.key), 1.0f);
  typename Search<spec>::Range range{FallBins<false>(scale), 0.0f, kSearchBins};
  Wanted wanted{false, static_cast<uint64_t>(k), max_of(top.floor, kMaskedKey + 1)};
  uint32_t number = kSearchKeys + 1;
  if (top.floor > kMaskedKey) {
    range.least = value_of(wanted.least);
    number = row.gather(range);
  }
  if (number > kSearchKeys) {
    wanted.least = kMaskedKey + 1;
    range.least = value_of(wanted.least);
    row.narrow(wanted, scale, range);
    number = row.gather(range);
  }
  Cut cut;
  row.find(wanted, scale, range, number, cut);
  return cut;
}

/// Hands every kept value of this warp's stretch, in their order, to give(slot, position, value).
template <TopkRowSpec spec, class Give>
__device__ __forceinline__ void each_kept(Search<spec>& row, const Cut& cut, Give&& give) {
  const auto s = row.share_out(cut.key, [](float) { return uint64_t{1}; });
  uint64_t above = s.before, ties = s.ties_before;
  for (uint32_t w = 0; w < static_cast<uint32_t>(row.warp()); ++w) {
    above += load_shared_u64(row.tally_at(w));
    ties += load_shared_u64(row.tally_at(w) + 8);
  }
  row.team.meet();  // the tallies lie where results go
  const float least = value_of(cut.key);
  const int32_t begin = row.team.rank * spec.slices.slice + row.warp() * spec.slices.stretch();
#pragma unroll 1
  for (int32_t i = 0; i < spec.slices.stretch(); i += 128) {
    const float4 four = row.four(i);
    const float z[4] = {four.x, four.y, four.z, four.w};
    uint32_t mine = 0, tied = 0;
#pragma unroll
    for (int e = 0; e < 4; ++e) mine += z[e] > least, tied += z[e] == least;
    if (!__any_sync(~0u, mine + tied != 0)) continue;
    // Both counts in one sum.
    const uint64_t upto = warp_sum_upto(pair_of(mine, tied));
    const uint64_t all = __shfl_sync(~0u, upto, 31);
    uint64_t next = above + (upto >> 32) - mine;
    uint64_t next_tie = ties + static_cast<uint32_t>(upto) - tied;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const bool is_tie = z[e] == least;
      if (z[e] > least || (is_tie && next_tie < cut.ties)) {
        const uint64_t slot = next + min_of(next_tie, uint64_t{cut.ties});
        give(static_cast<uint32_t>(slot), begin + i + row.lane() * 4 + e, z[e]);
      }
      next += z[e] > least;
      next_tie += is_tie;
    }
    above += all >> 32;
    ties += static_cast<uint32_t>(all);
  }
}

/// The best of a row whose floor leaves a short list; false when it does not.
template <TopkRowSpec spec>
__device__ __forceinline__ bool pick_best(const Pick<spec>& pick, const TopkResult<spec>& result,
                                          Top top, uint32_t mine) {
  if constexpr (spec.slices.kept) pick.template offer_kept<spec.vec, true>(mine, top.floor);
  const uint32_t number = pick.collect(top.floor);
  if (number > pick.kMost) return false;
  if (pick.row.team.rank != 0) return true;
  const auto k = static_cast<uint32_t>(result.p.k);
  pick.sort(number, 0, 0, MassScale{});
  const typename Pick<spec>::Deal deal(k);
  const uint64_t own = pick.entry(deal.entry);
  uint32_t slot = deal.entry;
  if constexpr (!spec.sorted) {
    slot =
        pick.template before_in_row<uint32_t>(deal, own, k, [](uint32_t, uint64_t) { return 1u; });
  }
  if (deal.part != 0 || deal.entry >= k) return true;
  result.put(static_cast<int32_t>(slot), position_of(own));
  return true;
}

/// What a search of all of the row has found.
template <TopkRowSpec spec>
__device__ __forceinline__ void put_searched(Search<spec>& row, const TopkResult<spec>& result,
                                             const Cut& cut) {
  constexpr int32_t kThreads = spec.slices.num_threads;
  const uint32_t entries = row.smem + Search<spec>::kSmem.own_keys;
  each_kept<spec>(row, cut, [&](uint32_t slot, int32_t at, float z) {
    if constexpr (!spec.sorted) return result.put(static_cast<int32_t>(slot), at);
    const uint64_t entry = entry_of(key_of(z), at);
    if constexpr (spec.slices.cluster > 1) {
      store_peer(peer_address(entries + 8 * slot, 0), entry);
    } else {
      store_shared(entries + 8 * slot, entry);
    }
  });
  if constexpr (spec.sorted) {
    row.team.meet();
    if (row.team.rank != 0) return;
    const int32_t number = min_of(result.row.length, result.p.k);
    sort_entries<spec>(entries, static_cast<uint32_t>(number));
    for (int32_t e = threadIdx.x; e < number; e += kThreads) {
      result.put(e, load_shared_u64(entries + 8u * static_cast<uint32_t>(e)));
    }
  }
}

/// The row's largest value alone.
template <TopkRowSpec spec>
__device__ __forceinline__ Top find_largest(Search<spec>& row) {
  const float nothing = -__int_as_float(0x7f800000);
  float most = nothing;
  __syncthreads();  // where the values are is known
  row.each_value(nothing, [&](float z) { most = fmaxf(most, z); });
  const uint64_t key = row.team.share(row.team.reduce(key_of(most), Most()), Most());
  return {static_cast<uint32_t>(key), 0};
}

}  // namespace topk_kernel

/// REQUIRES: clusters of spec.slices.cluster CTAs, one for each row.
template <TopkRowSpec spec>
__device__ __forceinline__ void select_topk_rows(const TopkParams& p) {
  using namespace topk_kernel;
  constexpr int32_t kThreads = spec.slices.num_threads;
  griddep_launch_dependents();
  Search<spec> row(dynamic_smem());
  const int64_t i = blockIdx.x / spec.slices.cluster;
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  griddep_wait();
  const TopkRow r = topk_row(p, i);
  const TopkResult<spec> result{p, r, i};
  if (r.bad && p.fault != nullptr && row.team.rank == 0 && thread == 0) {
    atomicMin(reinterpret_cast<unsigned long long*>(p.fault), fault_word(r.fault, i));
  }
  const int32_t number = min_of(r.length, p.k);
  if (row.team.rank == 0) {
    for (int32_t e = number + thread; e < p.k; e += kThreads) result.put_nothing(e);
  }
  if (r.length <= p.k && !spec.sorted) {  // all of it, as it stands
    for (int32_t e = row.team.rank * kThreads + thread; e < number;
         e += kThreads * spec.slices.cluster) {
      result.put(e, e);
    }
    return;
  }
  const char* const data =
      static_cast<const char*>(p.input) + (i * p.input_stride + r.start) * size_of(spec.dtype);
  const int32_t begin = row.team.rank * spec.slices.slice;
  if constexpr (!spec.slices.kept) {
    row.values.put(data + int64_t{begin} * size_of(spec.dtype), r.length - begin);
  }
  if constexpr (spec.list > 0) {
    if (pick_listed<spec>(row, p, i, data, r.length)) return;
    // The row is looked up again rather than held in registers all the while.
    const TopkRow again = topk_row(p, i);
    Cut cut;
    if (again.length > p.k) cut = cut_of<spec>(row, p.k, find_largest<spec>(row));
    put_searched<spec>(row, TopkResult<spec>{p, again, i}, cut);
  } else {
    Pick<spec> pick(row);
    pick.clear();
    uint32_t mine = 0;
    Top top;
    if constexpr (spec.slices.kept) {
      mine = load_row<spec.dtype, spec.vec, true>(row, data, r.length).key();
      top = find_top(row, mine, p.k);
    } else {
      RowStream<spec.dtype, spec.vec, true, Pick<spec>> stream(pick, data, begin, r.length,
                                                               spec.slices.slice);
      top = stream.template run<kLowestKey>(Nothing(), [&] { return p.k; });
    }
    if (p.k > kMostFloorTokens || top.floor <= kLowestKey ||
        !pick_best<spec>(pick, result, top, mine)) {
      Cut cut;
      if (r.length > p.k) cut = cut_of<spec>(row, p.k, top);
      put_searched<spec>(row, result, cut);
    }
  }
}

}  // namespace weft
