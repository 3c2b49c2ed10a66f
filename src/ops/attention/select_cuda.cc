// SPDX-License-Identifier: Apache-2.0
// See select_cuda.h. Tile sizes and cost constants are values with the measurement they come from
// (docs/kernels/decode.md).
#include "src/ops/attention/select_cuda.h"

#include <algorithm>

#include "src/base/check.h"
#include "src/ops/attention/wgmma.h"

namespace weft {
namespace {

constexpr int kMaxHeadDim = 256;     // accumulators of 16 rows then take half of the registers
constexpr int kNumWarps = 4;         // a CTA
constexpr int kReservedSmem = 1024;  // the driver keeps 1 KB a CTA

// Of the groups, that read as fast as all of them: beside prompts an SM reads 54 GB/s of shuffled
// pages of 16, and the model's saturated memory gives it 33 (head_dim 128;
// docs/kernels/prefill.md).
constexpr int kEnoughPercent = 62;

[[noreturn]] void unsupported(const char* field, const std::string& expected,
                              const std::string& got) {
  fail(ErrorKind::unsupported, field, expected + " on CUDA", got);
}

// Rows of bytes are copied 16 at a time, and keys turn after they have been widened.
void check_one_byte_keys(const AttentionConfig& c, const Target& t) {
  const std::string keys = std::string(" with ") + name_of(c.dtype_kv) + " keys";
  if (t.arch < 89) unsupported("target.arch", "89 or later" + keys, std::to_string(t.arch));
  for (const auto& [field, dim] :
       {std::pair{"head_dim_qk", c.head_dim_qk}, std::pair{"head_dim_vo", c.head_dim_vo}}) {
    if (dim % 16 != 0) unsupported(field, "a multiple of 16" + keys, std::to_string(dim));
  }
  if (c.rope.mode == RopeMode::neox && c.rope.dim % 32 != 0) {
    unsupported("rope.dim", "a multiple of 32" + keys, std::to_string(c.rope.dim));
  }
}

void check_supported(const AttentionConfig& c, const Target& t) {
  if (t.arch < 80) unsupported("target.arch", "80 or later", std::to_string(t.arch));
  if (!is_float16(c.dtype_q)) unsupported("dtype_q", "f16 or bf16", name_of(c.dtype_q));
  if (is_fp8(c.dtype_kv)) {
    check_one_byte_keys(c, t);
  } else if (c.dtype_kv != c.dtype_q) {
    unsupported("dtype_kv", std::string("dtype_q = ") + name_of(c.dtype_q) + ", e4m3 or e5m2",
                name_of(c.dtype_kv));
  }
  for (const auto& [field, dim] :
       {std::pair{"head_dim_qk", c.head_dim_qk}, std::pair{"head_dim_vo", c.head_dim_vo}}) {
    if (dim > kMaxHeadDim) {
      unsupported(field, "at most " + std::to_string(kMaxHeadDim), std::to_string(dim));
    }
  }
}

// Rows of a tile: those of a request of the batch's mean query length. Accumulators of wide heads
// leave no registers for the addresses of a ring that several warps share.
int qo_tile(const AttentionConfig& c) {
  if (c.head_dim_vo > 192) return 16;
  const int64_t group = c.num_qo_heads / c.num_kv_heads;
  const int64_t rows = group * ceil_div(c.max_nnz_qo, c.max_batch_size);
  return rows <= 16 ? 16 : rows <= 32 ? 32 : 64;
}

// Rows of a tile for decodes: one token's, or as many as a product has anyway.
int token_tile(const AttentionConfig& c) {
  if (c.head_dim_vo > 192) return 16;
  const int group = c.num_qo_heads / c.num_kv_heads;
  return group <= 16 ? 16 : group <= 32 ? 32 : 64;
}

// Lanes: the most heads side by side whose lanes fill the workers to a hundredth.
int head_lanes(int num_kv_heads, int num_workers) {
  for (int lanes = std::min(num_kv_heads, num_workers); lanes > 1; --lanes) {
    const int used = num_workers / lanes * lanes;
    if (num_kv_heads % lanes == 0 && used * 100 >= num_workers * 99) return lanes;
  }
  return 1;
}

// As many CTAs on an SM as registers and shared memory hold; then as many stages, up to four. Two
// CTAs of two stages are as fast as of three (docs/kernels/decode.md).
// Small heads need more warps, because a block of theirs is half the bytes for the same latency.
AttentionMmaSpec fitted(AttentionMmaSpec s, const Target& t) {
  const bool small = max_of(s.head_dim_qk, s.head_dim_vo) <= 64 && s.row_warps() == 1;
  for (int ctas = small ? 3 : 2; ctas > 0; --ctas) {
    for (const int stages : {4, 3, 2}) {
      s.ctas_per_sm = ctas;
      s.num_stages = stages;
      const int bytes = AttentionMmaSmem::of(s).bytes;
      if (ctas * (bytes + kReservedSmem) <= t.smem_per_sm) return s;
    }
  }
  unsupported("head_dim_qk", "a ring of keys that fits shared memory",
              std::to_string(AttentionMmaSmem::of(s).bytes) + " bytes");
}

ScheduleSpec general_schedule(const AttentionConfig& c, const Target& t, AttentionSpec spec,
                              int qo_tile) {
  ScheduleSpec& s = spec.schedule;
  s.group_size = c.num_qo_heads / c.num_kv_heads;
  s.qo_tile = qo_tile;
  s.kv_tile = 16;
  s.split_blocks = c.schedule == ScheduleMode::batch_invariant ? c.split_kv / s.kv_tile : 0;
  s.max_tile_partial_rows = s.split_blocks > 0 ? 8 * s.qo_tile : 0;
  const int workers = t.num_sms * mma_spec(spec, t).ctas_per_sm;
  s.head_lanes = head_lanes(c.num_kv_heads, workers);
  s.heads_per_lane = c.num_kv_heads / s.head_lanes;
  s.num_groups = std::max(1, workers / s.head_lanes);
  s.causal = c.mask == MaskMode::causal;
  s.window_left = c.window_left;
  s.min_blocks = 1;  // 1 x 1k: 7.3 us, with 2 7.7, with 4 7.45, with 8 8.5
  s.spare_groups = s.num_groups / 16;
  // ns: a block of 16 keys is read at the worker's share of 4.4 TB/s.
  const int block_bytes = s.kv_tile * (c.head_dim_qk + c.head_dim_vo) * size_of(c.dtype_kv);
  s.cost.fixed = 700;
  s.cost.per_block = std::max(1, block_bytes * (workers / 8) / 550);
  return s;
}

// Why the general kernel runs a config alone; empty when the wgmma kernel computes its long
// queries. A config says of its steps only what they may hold at most: a mean of more rows than the
// general kernel's smallest tile means prompts, or many drafted tokens.
std::string kept_general(const AttentionConfig& c, const Target& t) {
  if (t.arch != 90) return "the wgmma kernel is sm_90's";
  const int64_t group = c.num_qo_heads / c.num_kv_heads;
  const int64_t tokens = ceil_div(c.max_nnz_qo, c.max_batch_size);
  if (tokens == 1 || tokens * group <= 16) {
    return "decode: max_nnz_qo / max_batch_size means " + std::to_string(tokens * group) +
           " packed rows a request";
  }
  const std::string why = why_not_wgmma(c);
  if (!why.empty() || c.schedule == ScheduleMode::deterministic) return why;
  // Its tiles are then whole, and a full batch must have one for each SM.
  const int64_t tiles = c.max_nnz_qo * group / wgmma_spec(c).tile_rows() * c.num_kv_heads;
  if (tiles >= t.num_sms) return "";
  return "batch_invariant, and max_nnz_qo means " + std::to_string(tiles) + " tiles for " +
         std::to_string(t.num_sms) + " SMs";
}

}  // namespace

AttentionMmaSpec mma_spec(const AttentionSpec& spec, const Target& target) {
  const ScheduleSpec& schedule =
      spec.unit == AttentionUnit::cuda_wgmma ? spec.short_schedule : spec.schedule;
  AttentionMmaSpec s;
  s.dtype_q = spec.dtype_q;
  s.dtype_kv = spec.dtype_kv;
  s.dtype_o = spec.dtype_o;
  s.head_dim_qk = spec.head_dim_qk;
  s.head_dim_vo = spec.head_dim_vo;
  s.mask = spec.mask;
  s.rope = spec.rope;
  s.qo_tile = schedule.qo_tile;
  s.num_warps = kNumWarps;
  s.fixed_splits = schedule.split_blocks > 0;
  return fitted(s, target);
}

AttentionSpec select_attention_cuda(const AttentionConfig& c, const Target& t) {
  check_supported(c, t);
  AttentionSpec spec;
  spec.unit = AttentionUnit::cuda_mma;
  spec.dtype_q = c.dtype_q;
  spec.dtype_kv = c.dtype_kv;
  spec.dtype_o = c.dtype_o;
  spec.head_dim_qk = c.head_dim_qk;
  spec.head_dim_vo = c.head_dim_vo;
  spec.kv_layout = c.kv_layout;
  spec.mask = c.mask;
  spec.rope = c.rope;
  const std::string kept = kept_general(c, t);
  spec.schedule = general_schedule(c, t, spec, kept.empty() ? token_tile(c) : qo_tile(c));
  // A batch of one request leaves nothing for another list.
  ScheduleSpec few = general_schedule(c, t, spec, token_tile(c));
  few.most_rows = few.group_size <= few.qo_tile && c.max_batch_size > 1 ? few.qo_tile : 0;
  if (kept.empty()) {
    spec.unit = AttentionUnit::cuda_wgmma;
    few.enough_percent = kEnoughPercent;
    spec.schedule = wgmma_schedule(c, wgmma_spec(c), t.num_sms);
  } else if (few.qo_tile == spec.schedule.qo_tile) {
    return spec;
  }
  spec.short_schedule = few;
  spec.schedule.least_rows = few.most_rows + 1;
  return spec;
}

AttentionSpec general_spec(AttentionSpec spec) {
  if (spec.unit != AttentionUnit::cuda_wgmma) return spec;
  spec = short_spec(spec);
  spec.schedule.most_rows = ScheduleSpec().most_rows;
  spec.schedule.enough_percent = 100;
  return spec;
}

AttentionSpec short_spec(AttentionSpec spec) {
  spec.unit = AttentionUnit::cuda_mma;
  spec.schedule = spec.short_schedule;
  spec.short_schedule = no_requests();
  return spec;
}

AttentionMmaParams mma_params(const AttentionSpec& spec, const AttentionParams& args) {
  const ScheduleSpec& s = spec.schedule;
  AttentionMmaParams p{};
  p.args = args;
  p.group = FastDivisor::of(s.group_size);
  p.lanes = FastDivisor::of(s.head_lanes);
  p.page = FastDivisor::of(args.lengths.page_size);
  p.split = FastDivisor::of(s.split_blocks * s.kv_tile);
  p.heads_per_lane = s.heads_per_lane;
  p.window_hint = s.window_left;
  const auto on_vectors = [](const void* base, DType dtype,
                             std::initializer_list<int64_t> strides) {
    uint64_t bits = reinterpret_cast<uintptr_t>(base);
    for (const int64_t stride : strides) bits |= static_cast<uint64_t>(stride * size_of(dtype));
    return static_cast<int32_t>(bits % 16 == 0);
  };
  p.q_vectors = on_vectors(args.q, spec.dtype_q, {args.q_stride_token, args.q_stride_head});
  p.kv_vectors = on_vectors(args.k, spec.dtype_kv,
                            {args.k_stride_page, args.k_stride_token, args.k_stride_head}) &
                 on_vectors(args.v, spec.dtype_kv,
                            {args.v_stride_page, args.v_stride_token, args.v_stride_head});
  return p;
}

namespace {

std::string explain_general(const ScheduleSpec& s, const AttentionMmaSpec& k) {
  return std::to_string(s.qo_tile) + " packed rows, group " + std::to_string(s.group_size) +
         "; a CTA of " + std::to_string(k.row_warps()) + " row warps x " +
         std::to_string(k.key_warps()) + " key warps, " + std::to_string(k.num_stages) +
         " stages, " + std::to_string(AttentionMmaSmem::of(k).bytes) + " bytes of shared memory, " +
         std::to_string(k.ctas_per_sm) + " an SM\n";
}

std::string explain_splits(const AttentionConfig& c, const AttentionSpec& spec) {
  if (c.schedule == ScheduleMode::deterministic) return ", KV split where workers end";
  const std::string tokens = ", KV split every " + std::to_string(c.split_kv) + " tokens";
  if (spec.unit != AttentionUnit::cuda_wgmma) return tokens;
  return (spec.short_schedule.serves_none() ? "" : tokens + " of short queries") +
         ", never in tiles of more";
}

std::string explain_workers(const ScheduleSpec& s) {
  return std::to_string(s.num_workers()) + " = " + std::to_string(s.num_groups) + " groups x " +
         std::to_string(s.head_lanes) + " head lanes of " + std::to_string(s.heads_per_lane) +
         " KV heads\n";
}

std::string explain_short_queries(const AttentionSpec& spec, const AttentionMmaSpec& k) {
  const ScheduleSpec& s = spec.short_schedule;
  if (s.serves_none()) return "short queries: no list of their own\n";
  const bool together = spec.unit == AttentionUnit::cuda_wgmma;
  return "short queries: up to " + std::to_string(s.most_rows) +
         " packed rows a request, by cuda_mma " +
         (together ? "at the same time" : "behind the others") +
         "; tile: " + explain_general(s, k) + "short queries' workers: " + explain_workers(s);
}

}  // namespace

std::string explain_selection_cuda(const AttentionConfig& c, const Target& t,
                                   const AttentionSpec& spec) {
  const ScheduleSpec& s = spec.schedule;
  const AttentionMmaSpec k = mma_spec(spec, t);
  std::string out = std::string("unit: ") + name_of(spec.unit) + " (";
  if (spec.unit == AttentionUnit::cuda_mma) {
    out += kept_general(c, t) + "; target " + to_string(t) + ")\ntile: " + explain_general(s, k) +
           "workers: " + explain_workers(s);
    if (!spec.short_schedule.serves_none()) {
      out += explain_short_queries(spec, mma_spec(short_spec(spec), t));
    }
  } else {
    const AttentionWgmmaSpec w = wgmma_spec(c);
    out +=
        "the limits allow " + std::to_string(ceil_div(c.max_nnz_qo, c.max_batch_size)) +
        " query tokens a request; target " + to_string(t) +
        ")\ntile: " + std::to_string(s.qo_tile) + " packed rows x " + std::to_string(s.kv_tile) +
        " keys, group " + std::to_string(s.group_size) + "; a CTA of " +
        std::to_string(w.num_consumers) + " consumer warpgroups, " + std::to_string(w.num_stages) +
        " stages, " + std::to_string(AttentionWgmmaSmem::of(w).bytes) +
        " bytes of shared memory\nworkers: " + explain_workers(s) + explain_short_queries(spec, k) +
        "tensors off 16 bytes (data or strides): cuda_mma alone, planned anew by each run\n";
  }
  return out + "schedule: " + name_of(c.schedule) + explain_splits(c, spec) + "\n";
}

}  // namespace weft
