// SPDX-License-Identifier: Apache-2.0
// Attention of a prefill or mixed case as `Attention` runs it, ready to be captured. Built from the
// operator's rooms rather than through the public API, so that a schedule can be raced without a
// build of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/gpu/cases.h"
#include "bench/gpu/device.h"
#include "src/ops/attention/plan.h"

namespace weft::bench {

/// A case's arrays on the device, random, pages shuffled. Every case that is measured here reads
/// and writes more than the L2 holds.
struct PrefillTensors {
  PrefillTensors(const CudaBackend& backend, const Case& c);

  AttentionBatch batch;
  AttentionArgs args;

 private:
  Array<int32_t> qo_indptr_, kv_indptr_, last_page_len_, pages_;
  Array<uint16_t> q_, k_, v_, o_;
};

class Prefill {
 public:
  /// `tuning`: fields of the schedules to use instead of what select chose, "per_block=1800" or, of
  /// the short queries' list, "short.enough_percent=40", and the config's "max_nnz_qo". Throws
  /// Error(unsupported) when the config is, std::runtime_error for another field.
  Prefill(const CudaBackend& backend, const Case& c, const std::string& tuning);
  void plan(const PrefillTensors& tensors, void* stream);
  void run(const PrefillTensors& tensors, void* stream) const;
  /// Kernel and shares of the plan.
  std::string describe() const;

 private:
  detail::AttentionImpl impl_;
  std::unique_ptr<detail::AttentionPlanImpl> plan_;
};

struct PrefillResult {
  std::string tuning;
  std::string kernel;  // Prefill::describe
  double us = 0;       // of one run, rested
  double warm_us = 0;
};

/// Runs of one case back to back in a graph, about 5 ms of them; tunings take turns; medians. The
/// chip's clock falls by up to a fifth within a tenth of a second at its power limit, so there are
/// two figures: rested, 25 ms after the last work and behind three replays, and warm, behind 0.1 s
/// without a pause. Throws as Prefill.
std::vector<PrefillResult> measure_prefill(const CudaBackend& backend, const Case& c,
                                           const std::vector<std::string>& tunings, int rounds);

/// A line of JSON: the case, its rate, what is asked of it and what a peer reached.
std::string to_json(const Case& c, const PrefillResult& result, const std::string& device);

}  // namespace weft::bench
