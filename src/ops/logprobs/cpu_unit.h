// SPDX-License-Identifier: Apache-2.0
// The body of logprobs on the CPU, compiled once per ISA by cpu_<isa>.cc: the cut below the tokens
// that are reported, those tokens in order, and the mass of the row. Anonymous namespace, no
// standard containers.
#pragma once

#include "src/cpu/row_search.h"
#include "src/ops/logprobs/unit.h"
#include "src/ops/sampling/source.h"

namespace weft {
namespace {

/// The largest entries that were put in, in order, zeros behind them.
class TopEntries {
 public:
  explicit TopEntries(int32_t num) : num_(num) {
    for (int32_t j = 0; j < num; ++j) entries_[j] = 0;
  }
  void put(uint64_t entry) {
    int32_t at = num_;
    for (; at > 0 && entries_[at - 1] < entry; --at) entries_[at] = entries_[at - 1];
    if (at < num_) entries_[at] = entry;
  }
  uint64_t operator[](int32_t j) const { return entries_[j]; }

 private:
  int32_t num_;
  uint64_t entries_[kMostLogprobs + 1];
};

inline TopEntries top_entries(RowSearch<SampleSource>& row, int32_t num, const MassScale& scale) {
  Cut cut{kMaskedKey, 0};
  row.find({false, static_cast<uint64_t>(num), row.floor_of(num)}, scale, cut);
  const uint32_t least = cut.ties == 0 ? cut.key + 1 : cut.key;
  TopEntries top(num);
  for (int b = 0; b < row.num_blocks(); ++b) {
    if (row.block_top(b) < least) continue;
    float z[kRowBlock];
    row.fill(b, z);
    for (int e = 0; e < row.block_size(b); ++e) {
      if (key_of(z[e]) >= least) top.put(token_entry(z[e], b * kRowBlock + e));
    }
  }
  return top;
}

inline SampleStatus status_of(const SampleRequest& r, RowSearch<SampleSource>& row) {
  if (r.bad) return SampleStatus::bad_parameter;
  if (!row.scan()) return SampleStatus::nan;
  return row.top_key() <= kMaskedKey ? SampleStatus::nothing : SampleStatus::ok;
}

void report_sample(const LogprobsSpec& spec, const LogprobsParams& p, int64_t i) {
  const SampleRequest r = logprobs_request(p, i);
  const SampleSource source(spec.dtype, false, p.row, r);
  RowSearch<SampleSource> row(source);
  const SampleStatus status = status_of(r, row);
  if (p.row.status != nullptr) p.row.status[i] = static_cast<uint8_t>(status);
  if (status != SampleStatus::ok) {
    for (int32_t j = 0; j < p.num; ++j) put_no_logprob(p, i, j);
    if (p.token != nullptr) p.token_logprob[i] = float_of(0x7fc00000u);
    return;
  }
  const MassScale scale = logprobs_scale(r, row.top_key());
  const uint64_t total = row.mass_above(kMaskedKey, scale, nullptr);
  const TopEntries top = top_entries(row, p.num, scale);
  for (int32_t j = 0; j < p.num; ++j) put_logprob(p, i, j, top[j], scale, total);
  if (p.token == nullptr) return;
  float z[kRowBlock];
  row.fill(p.token[i] / kRowBlock, z);
  p.token_logprob[i] = log_share(z[p.token[i] % kRowBlock], scale, total);
}

constexpr LogprobsTable make_table() { return {report_sample}; }

}  // namespace
}  // namespace weft
