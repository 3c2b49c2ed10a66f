// SPDX-License-Identifier: Apache-2.0
// The body of sampling on the CPU, compiled once per ISA by cpu_<isa>.cc: the cut of a row, then a
// draw from what it keeps or all of it written out. Anonymous namespace, no standard containers.
#pragma once

#include "src/cpu/row_draw.h"
#include "src/ops/sampling/source.h"
#include "src/ops/sampling/unit.h"

namespace weft {
namespace {

using SampleSearch = RowSearch<SampleSource>;

inline MassScale scale_of(const SamplingSpec& spec, const SampleRequest& r, uint32_t top) {
  if (spec.probs) return MassScale::of_probs(value_of(top));
  return MassScale::of_logits(value_of(top), r.temperature == 0.0f ? 1.0f : r.temperature);
}

inline Cut cut_of(const SamplingSpec& spec, const SampleRequest& r, const MassScale& scale,
                  SampleSearch& row) {
  if (r.greedy()) return {row.top_key(), 1};
  const uint32_t least = min_p_key(r.min_p, scale);
  Cut cut{least - 1, 0};
  if (r.top_k < spec.vocab_size) {
    const uint32_t floor = max_of(least, row.floor_of(r.top_k));
    row.find({false, static_cast<uint64_t>(r.top_k), floor}, scale, cut);
  }
  if (r.top_p >= 1.0f) return cut;
  const uint64_t mass = row.kept_mass(spec.joint ? Cut{} : cut, scale);
  const uint32_t lowest = cut.ties == 0 ? cut.key + 1 : cut.key;
  Cut by_mass;
  if (!row.find({true, share_of_mass(r.top_p, mass), lowest}, scale, by_mass)) return cut;
  if (by_mass.key == cut.key) by_mass.ties = min_of(by_mass.ties, cut.ties);
  return by_mass;
}

/// What is known of a row once it was scanned.
inline SampleStatus status_of(const SamplingSpec& spec, const SampleRequest& r, SampleSearch& row) {
  if (r.bad) return SampleStatus::bad_parameter;
  if (!row.scan()) return SampleStatus::nan;
  const uint32_t nothing = spec.probs ? key_of(0.0f) : kMaskedKey;
  return row.top_key() <= nothing ? SampleStatus::nothing : SampleStatus::ok;
}

inline void put_sample(const SamplingParams& p, int64_t i, int32_t token, float logprob,
                       SampleStatus status) {
  p.token[i] = token;
  if (p.logprob != nullptr) p.logprob[i] = logprob;
  if (p.status != nullptr) p.status[i] = static_cast<uint8_t>(status);
}

void draw_token(const SamplingSpec& spec, const SamplingParams& p, int64_t i) {
  const SampleRequest r = sample_request(p, i);
  const SampleSource source(spec.dtype, spec.probs, p, r);
  SampleSearch row(source);
  const SampleStatus status = status_of(spec, r, row);
  if (status != SampleStatus::ok) return put_sample(p, i, 0, __builtin_nanf(""), status);
  const MassScale scale = scale_of(spec, r, row.top_key());
  const Cut cut = cut_of(spec, r, scale, row);
  const uint64_t offset = p.offset == nullptr ? 0 : static_cast<uint64_t>(p.offset[i]);
  uint64_t total = 0;
  const int token =
      draw_from(row, cut, scale, random_bits(static_cast<uint64_t>(p.seed[i]), offset, 0), total);
  float z[kRowBlock];
  row.fill(token / kRowBlock, z);
  put_sample(p, i, token, log_share(z[token % kRowBlock], scale, total), status);
}

/// The shares, or values, of one block; `ties` counts down what may still be kept at the cut.
inline void filter_block(const SamplingParams& p, const Cut& cut, const MassScale& scale,
                         const ShareScale& share, uint32_t& ties, float* z) {
  const float least = value_of(cut.key);
  for (int i = 0; i < kRowBlock; ++i) {
    bool kept = z[i] > least;
    if (z[i] == least && ties > 0) {
      kept = true;
      --ties;
    }
    const float left_out = p.writes_logits ? float_of(0xff800000u) : 0.0f;
    z[i] = !kept ? left_out : p.writes_logits ? z[i] : share_of(z[i], scale, share);
  }
}

void filter_row(const SamplingSpec& spec, const SamplingParams& p, DType dtype_out, int64_t i) {
  const SampleRequest r = sample_request(p, i);
  const SampleSource source(spec.dtype, spec.probs, p, r);
  SampleSearch row(source);
  const SampleStatus status = status_of(spec, r, row);
  if (p.status != nullptr) p.status[i] = static_cast<uint8_t>(status);
  Cut cut{~0u, 0};
  MassScale scale = MassScale::of_logits(0.0f, 1.0f);
  ShareScale share{};
  if (status == SampleStatus::ok) {
    scale = scale_of(spec, r, row.top_key());
    cut = cut_of(spec, r, scale, row);
    if (!p.writes_logits) share = ShareScale::of(scale, row.kept_mass(cut, scale));
  }
  uint32_t ties = cut.ties;
  for (int b = 0; b < row.num_blocks(); ++b) {
    float z[kRowBlock];
    row.fill(b, z);
    if (status != SampleStatus::ok) {
      for (float& x : z) x = p.writes_logits ? float_of(0xff800000u) : 0.0f;
    } else {
      filter_block(p, cut, scale, share, ties, z);
    }
    store_values(p.output, dtype_out, i * p.output_stride + b * kRowBlock, row.block_size(b), z);
  }
}

constexpr SamplingTable make_table() { return {draw_token, filter_row}; }

}  // namespace
}  // namespace weft
