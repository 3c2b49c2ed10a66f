// SPDX-License-Identifier: Apache-2.0
// verify_rows: one launch from drafts and probabilities to the tokens that stand and one more. A
// cluster takes a request: every CTA finds out by itself which drafts stand, then all of them draw
// the last token from one row, which they read twice (once from memory, once from L2).
#pragma once

#include "kernels/ptx/griddep.cuh"
#include "kernels/sampling/mass.h"
#include "kernels/tile/elements.cuh"
#include "kernels/tile/row_steps.cuh"
#include "kernels/tile/row_team.cuh"
#include "kernels/verify/params.h"
#include "kernels/verify/smem.h"

namespace weft {
namespace verify_kernel {

inline constexpr int kOk = 0, kNan = 1, kNothing = 2, kBad = 3;  // TokenStatus

/// One probability.
template <DType dtype>
struct Probabilities {
  const char* data;
  int64_t row_stride;

  __device__ __forceinline__ float operator()(int32_t row, int32_t token) const {
    constexpr int kSize = size_of(dtype);
    float z[1];
    to_f32<dtype, 1>(load_raw<kSize>(data + (row * row_stride + token) * kSize), z);
    return z[0];
  }
};

/// What a tree's walk keeps, in shared memory.
struct KeptPath {
  uint32_t path;

  __device__ __forceinline__ void operator()(int32_t place, int32_t token) const {
    if (threadIdx.x == 0) store_shared(path + 4u * static_cast<uint32_t>(place), token);
  }
};

/// Tokens of [begin, end) in a list in shared memory; one thread makes it.
struct ListedChildren {
  uint32_t list;
  int32_t begin, end;
  int32_t& count;

  __device__ __forceinline__ void operator()(int32_t token) const {
    if (token < begin || token >= end) return;
    store_shared(list + 4u * static_cast<uint32_t>(count++), token);
  }
};

/// The row that the last token is drawn from.
template <VerifyRowSpec spec>
struct LastRow {
  static constexpr int kSize = size_of(spec.dtype);
  static constexpr int kStepsInFlight =
      spec.tree ? 4 : 2;  // of one row or two: 64 registers hold it

  const char* target;
  const char* draft;  // null: not subtracted
  uint32_t children;  // in shared memory: tokens left out
  int32_t num_children;
  int32_t vocab_size;

  template <int n>
  struct Loaded {
    float p[n], q[n];
  };

  __device__ __forceinline__ int32_t size() const { return vocab_size; }
  __device__ __forceinline__ static float nothing() { return 0.0f; }

  template <int n>
  __device__ __forceinline__ Loaded<n> load(int32_t at) const {
    Loaded<n> x;
    to_f32<spec.dtype, n>(load_raw<n * kSize>(target + int64_t{at} * kSize), x.p);
    if (!spec.tree && draft != nullptr) {
      to_f32<spec.dtype, n>(load_raw<n * kSize>(draft + int64_t{at} * kSize), x.q);
    }
    return x;
  }

  /// No -0, no +infinity, nothing below 0. NaN stays.
  template <int n>
  __device__ __forceinline__ void finish(int32_t at, const Loaded<n>& x, float (&z)[n]) const {
#pragma unroll
    for (int e = 0; e < n; ++e) {
      z[e] = x.p[e];
      if (!spec.tree && draft != nullptr) z[e] = __fadd_rn(z[e], -x.q[e]);
    }
    for (int32_t c = 0; spec.tree && c < num_children; ++c) {
      const int32_t token = load_shared_i32(children + 4u * static_cast<uint32_t>(c));
#pragma unroll
      for (int e = 0; e < n; ++e) z[e] = at + e == token ? 0.0f : z[e];
    }
#pragma unroll
    for (int e = 0; e < n; ++e) {
      const float plain = __fadd_rn(z[e], 0.0f);
      z[e] = plain > kLargest ? kLargest : plain < 0.0f ? 0.0f : plain;
    }
  }
};

template <VerifyRowSpec spec>
struct Request {
  static constexpr VerifySmem kSmem = VerifySmem::of(spec);
  static constexpr int32_t kThreads = spec.slices.num_threads;
  using Steps = RowSteps<spec.slices, spec.vec>;

  const VerifyParams& p;
  int64_t i;
  uint32_t smem;
  RowTeam<spec.slices> team;

  __device__ __forceinline__ Request(const VerifyParams& params, int64_t request, uint32_t base)
      : p(params), i(request), smem(base), team(base + kSmem.team) {}

  __device__ __forceinline__ Probabilities<spec.dtype> target() const {
    return {static_cast<const char*>(p.target_probs) + i * p.target_stride * size_of(spec.dtype),
            p.target_row_stride};
  }
  __device__ __forceinline__ Probabilities<spec.dtype> draft() const {
    return {static_cast<const char*>(p.draft_probs) + i * p.draft_stride * size_of(spec.dtype),
            p.draft_row_stride};
  }

  /// verify_chain, a draft a thread.
  __device__ __forceinline__ VerifyEnd chain() {
    const int32_t* tokens = p.draft_tokens + i * p.draft_tokens_stride;
    uint64_t counts = 0;  // drafts outside of the vocabulary, drafts that pass
    uint64_t left = 0;    // of the first that does not pass: how many drafts are left
    for (int32_t j = static_cast<int32_t>(threadIdx.x); j < p.num_draft; j += kThreads) {
      const int32_t token = tokens[j];
      if (!in_vocabulary(p, token)) {
        counts += uint64_t{1} << 32;
      } else if (draft_passes(p, i, j, token, target(), draft())) {
        ++counts;
      } else {
        left = max_of(left, static_cast<uint64_t>(p.num_draft - j));
      }
    }
    counts = team.reduce(counts, Add());
    left = team.reduce(left, Most());
    if (counts >> 32 != 0) return {0, 0, 0, false, true};
    const int32_t end = p.num_draft - static_cast<int32_t>(left);
    return {end, end, static_cast<int32_t>(counts), left != 0, false};
  }

  /// verify_tree, every thread all of it; its path is left in shared memory.
  __device__ __forceinline__ VerifyEnd tree() {
    return verify_tree(p, i, target(), KeptPath{smem + kSmem.path});
  }

  __device__ __forceinline__ LastRow<spec> last_row(const VerifyEnd& end, bool subtracts) {
    constexpr int kSize = size_of(spec.dtype);
    LastRow<spec> row{target().data + end.row * p.target_row_stride * kSize, nullptr,
                      smem + kSmem.children, 0, p.vocab_size};
    if constexpr (spec.tree) {
      if (!subtracts) return row;
      if (threadIdx.x == 0) {
        int32_t count = 0;
        const int32_t begin = team.rank * spec.slices.slice;
        each_child(p, i, end.row,
                   ListedChildren{row.children, begin, begin + spec.slices.slice, count});
        store_shared(smem + kSmem.count, count);
      }
      __syncthreads();
      row.num_children = load_shared_i32(smem + kSmem.count);
    } else if (subtracts) {
      row.draft = draft().data + end.row * p.draft_row_stride * kSize;
    }
    return row;
  }

  /// Draws from `row` to tokens[place]; the status, the same in every thread.
  __device__ __forceinline__ int draw(const LastRow<spec>& row, int32_t place) {
    float most = 0.0f;
    bool nan = false;
    Steps::each(team.rank, row, [&](int32_t, const float(&z)[spec.vec]) {
#pragma unroll
      for (int e = 0; e < spec.vec; ++e) nan |= z[e] != z[e], most = fmaxf(most, z[e]);
    });
    // Bits of numbers that are not negative are in their order.
    uint64_t top = nan ? ~0u : bits_of(most);
    top = team.share(team.reduce(top, Most()), Most());
    if (top == ~0u) return kNan;
    if (top == 0) return kNothing;
    const float largest = float_of(static_cast<uint32_t>(top));
    uint64_t sum = 0;
    Steps::each(team.rank, row, [&](int32_t, const float(&z)[spec.vec]) {
#pragma unroll
      for (int e = 0; e < spec.vec; ++e) sum += linear_mass(z[e], largest);
    });
    sum = warp_reduce(sum, Add());
    const uint64_t once = threadIdx.x % 32 == 0 ? sum : 0;
    uint64_t before = __shfl_sync(~0u, team.sum_before(once), 0), all = 0;
    const uint64_t here[1] = {team.reduce(once, Add())};
    team.exchange(here, [&](int r, const Mail& read) {
      all += read(0);
      if (r < team.rank) before += read(0);
    });
    const uint64_t drawn = draw_below(all, last_draw(p, i));
    if (drawn >= before && drawn - before < sum) find(row, largest, drawn - before, place);
    return kOk;
  }

  /// Of this warp's stretch, the token at which the running mass passes `drawn`.
  __device__ __forceinline__ void find(const LastRow<spec>& row, float largest, uint64_t drawn,
                                       int32_t place) {
    const int32_t begin = Steps::begin(team.rank);
#pragma unroll 1
    for (int32_t step = 0;; ++step) {
      float z[spec.vec];
      Steps::load_step(row, begin + Steps::at(step), z);
      uint64_t mass[spec.vec], mine = 0;
#pragma unroll
      for (int e = 0; e < spec.vec; ++e) mine += mass[e] = linear_mass(z[e], largest);
      const uint64_t upto = warp_sum_upto(mine), all = __shfl_sync(~0u, upto, 31);
      if (drawn >= all) {
        drawn -= all;
        continue;
      }
      uint64_t before = upto - mine;
#pragma unroll
      for (int e = 0; e < spec.vec; ++e) {
        if (drawn >= before && drawn - before < mass[e]) {
          p.tokens[i * p.tokens_stride + place] = begin + Steps::at(step) + e;
        }
        before += mass[e];
      }
      return;
    }
  }

  /// All but the token that was drawn.
  __device__ __forceinline__ void write(const VerifyEnd& end, int status) {
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    int32_t* const tokens = p.tokens + i * p.tokens_stride;
    for (int32_t j = thread; j <= p.num_draft; j += kThreads) {
      if (j == end.emitted && status == kOk) continue;
      int32_t token = j == end.emitted ? 0 : -1;
      if (j < end.emitted) {
        token = spec.tree ? load_shared_i32(smem + kSmem.path + 4u * static_cast<uint32_t>(j))
                          : p.draft_tokens[i * p.draft_tokens_stride + j];
      }
      tokens[j] = token;
    }
    if (thread != 0) return;
    if (p.accepted != nullptr) p.accepted[i] = end.accepted;
    if (p.emitted != nullptr) p.emitted[i] = end.emitted;
    if (p.status != nullptr) p.status[i] = static_cast<uint8_t>(status);
  }
};

}  // namespace verify_kernel

/// REQUIRES: clusters of spec.slices.cluster CTAs, one for each request.
template <VerifyRowSpec spec>
__device__ __forceinline__ void verify_rows(const VerifyParams& p) {
  using namespace verify_kernel;
  griddep_launch_dependents();
  Request<spec> request(p, blockIdx.x / spec.slices.cluster, dynamic_smem());
  griddep_wait();
  VerifyEnd end;
  if constexpr (spec.tree) {
    end = request.tree();
  } else {
    end = request.chain();
  }
  int status = kBad;
#pragma unroll 1
  for (bool subtracts = end.subtracts; !end.bad; subtracts = false) {
    status = request.draw(request.last_row(end, subtracts), end.emitted);
    // Two equal distributions leave nothing: by rounding alone a draft was refused.
    if (status != kNothing || !subtracts) break;
  }
  __syncthreads();  // a tree's path is written
  if (request.team.rank == 0) request.write(end, status);
}

}  // namespace weft
