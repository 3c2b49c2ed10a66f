// SPDX-License-Identifier: Apache-2.0
// See select.h. Tile sizes and cost constants are values with the measurement they come from.
#include "src/ops/attention/select.h"

#include <algorithm>

#include "src/base/check.h"
#include "src/base/check_rope.h"
#include "src/ops/attention/select_cuda.h"

namespace weft {
namespace {

constexpr int kMaxHeadDim = 576;
constexpr int kDefaultSplitKv = 1024;

void check_dtype(const char* field, DType dtype, bool allowed, const char* expected) {
  if (!allowed) fail(ErrorKind::invalid_argument, field, expected, name_of(dtype));
}

void check_head_dim(const char* field, int dim) {
  check_range(field, dim, 8, kMaxHeadDim);
  if (dim % 8 != 0) {
    fail(ErrorKind::invalid_argument, field, "a multiple of 8", std::to_string(dim));
  }
}

void check_dtypes(const AttentionConfig& c) {
  constexpr const char* kQ = "f32, f16 or bf16";
  check_dtype("dtype_q", c.dtype_q, c.dtype_q == DType::f32 || is_float16(c.dtype_q), kQ);
  check_dtype("dtype_kv", c.dtype_kv, is_float(c.dtype_kv), "f32, f16, bf16, e4m3 or e5m2");
  check_dtype("dtype_o", c.dtype_o, c.dtype_o == DType::f32 || is_float16(c.dtype_o), kQ);
}

// The unit for a pair of dtypes: bf16 queries against anything bf16 holds exactly may use bf16
// products; all else keeps f32 precision.
AttentionUnit select_unit(const AttentionConfig& c, const Target& t) {
  const bool exact_in_bf16 =
      c.dtype_q == DType::bf16 && (c.dtype_kv == DType::bf16 || is_fp8(c.dtype_kv));
  if (exact_in_bf16 && t.isa >= Isa::amx_bf16) return AttentionUnit::cpu_amx_bf16;
  if (exact_in_bf16 && t.isa >= Isa::avx512_bf16 && t.fast_bf16) {
    return AttentionUnit::cpu_avx512_bf16;
  }
  if (t.isa >= Isa::avx512) return AttentionUnit::cpu_avx512;
  if (t.isa >= Isa::avx2) return AttentionUnit::cpu_avx2;
  return AttentionUnit::cpu_scalar;
}

// ns of one worker at head dim 128; only ratios matter. A state of 192 rows is 96 KB, which is
// written, read and folded, so pieces of many rows have a least size: 3 to 4 blocks with vectors, 7
// with tiles. Share of the roof with pieces of any size, then of this: causal 128 41 -> 54 %,
// causal 512 64 -> 72 % (AVX-512), 45 -> 54 and 66 -> 69 % (AVX2); AMX takes two thirds of the time
// at both lengths. Pieces of few rows stay at 1 to 2 blocks.
CostModel cost_of(AttentionUnit unit) {
  switch (unit) {
    case AttentionUnit::cpu_amx_bf16:
      return {400, 900, 20, 160};
    case AttentionUnit::cpu_avx512_bf16:
      return {400, 900, 80, 320};
    case AttentionUnit::cpu_avx512:
      return {400, 900, 150, 600};
    case AttentionUnit::cpu_avx2:
      return {400, 1000, 300, 1300};
    case AttentionUnit::cpu_scalar:
      return {400, 4000, 4000, 600};
    case AttentionUnit::cuda_mma:
    case AttentionUnit::cuda_wgmma:
      break;  // select_cuda.cc
  }
  return {};
}

// Lanes: the most heads side by side that still leave eight groups, so that waste is under 1/9.
int head_lanes(int num_kv_heads, int num_workers) {
  for (int lanes = std::min(num_kv_heads, std::max(1, num_workers / 8)); lanes > 1; --lanes) {
    if (num_kv_heads % lanes == 0) return lanes;
  }
  return 1;
}

// 192 rows of 128 f32 accumulators are 96 KB: they stay in L2 beside a packed KV block, and the
// packing of a block is spread over them. With AMX packing is a third of the time, hence twice as
// many: causal 1k / 2k / 4k on two cores 0.98 / 1.23 / 1.36 -> 1.04 / 1.28 / 1.49 TFLOP/s. With f32
// products it is 4 % and no difference was seen.
int qo_tile_of(const AttentionConfig& c, AttentionUnit unit) {
  if (c.head_dim_vo > 256) return 96;
  return unit == AttentionUnit::cpu_amx_bf16 ? 384 : 192;
}

ScheduleSpec select_schedule(const AttentionConfig& c, const Target& t, AttentionUnit unit) {
  ScheduleSpec s;
  s.group_size = c.num_qo_heads / c.num_kv_heads;
  s.qo_tile = qo_tile_of(c, unit);
  s.kv_tile = 64;
  s.head_lanes = head_lanes(c.num_kv_heads, t.num_workers);
  s.heads_per_lane = c.num_kv_heads / s.head_lanes;
  s.num_groups = std::max(1, t.num_workers / s.head_lanes);
  s.causal = c.mask == MaskMode::causal;
  s.window_left = c.window_left;
  s.min_blocks = 1;  // with 4, tiny decode steps were 13 % off balance and no faster; with 1, 4 %
  s.cost = cost_of(unit);
  if (c.schedule == ScheduleMode::batch_invariant) {
    s.split_blocks = c.split_kv / s.kv_tile;
    s.max_tile_partial_rows = 8 * s.qo_tile;
  }
  return s;
}

}  // namespace

const char* name_of(ScheduleMode mode) {
  return mode == ScheduleMode::deterministic ? "deterministic" : "batch_invariant";
}

AttentionConfig checked_config(AttentionConfig c) {
  if (c.dtype_o == DType::none) c.dtype_o = c.dtype_q;
  if (c.head_dim_vo == 0) c.head_dim_vo = c.head_dim_qk;
  if (c.split_kv == 0) c.split_kv = kDefaultSplitKv;
  check_dtypes(c);
  check_range("num_kv_heads", c.num_kv_heads, 1, 4096);
  check_range("num_qo_heads", c.num_qo_heads, 1, 4096);
  if (c.num_qo_heads % c.num_kv_heads != 0) {
    fail(ErrorKind::invalid_argument, "num_qo_heads",
         "a multiple of num_kv_heads = " + std::to_string(c.num_kv_heads),
         std::to_string(c.num_qo_heads));
  }
  check_head_dim("head_dim_qk", c.head_dim_qk);
  check_head_dim("head_dim_vo", c.head_dim_vo);
  check_range("page_size", c.page_size, 0, 1 << 20);
  check_range("kv_layout", static_cast<int>(c.kv_layout), 0, static_cast<int>(KvLayout::hnd));
  check_range("mask", static_cast<int>(c.mask), 0, static_cast<int>(MaskMode::tree));
  check_range("schedule", static_cast<int>(c.schedule), 0,
              static_cast<int>(ScheduleMode::batch_invariant));
  check_range("split_kv", c.split_kv, 64, 1 << 24);
  if (c.split_kv % 64 != 0) {
    fail(ErrorKind::invalid_argument, "split_kv", "a multiple of 64", std::to_string(c.split_kv));
  }
  check_range("window_left", c.window_left, -1, INT32_MAX);
  check_range("max_batch_size", c.max_batch_size, 1, 1 << 20);
  // Packed rows (tokens x group) are counted in int32.
  check_range("max_nnz_qo", c.max_nnz_qo, 1, INT32_MAX / (c.num_qo_heads / c.num_kv_heads) - 4096);
  c.rope = checked_rope(c.rope, c.head_dim_qk);
  return c;
}

AttentionSpec select_attention(const AttentionConfig& c, const Target& t) {
  if (t.device != DeviceType::cpu) {
    throw Error(ErrorKind::unsupported,
                "target.device: expected cpu, got " + to_string(t) +
                    " (a GPU is reached by Attention(config, CudaBackend))");
  }
  check_range("target.num_threads", t.num_threads, 1, 4096);
  check_range("target.num_workers", t.num_workers, 1, 1 << 16);
  AttentionSpec spec;
  spec.unit = select_unit(c, t);
  spec.dtype_q = c.dtype_q;
  spec.dtype_kv = c.dtype_kv;
  spec.dtype_o = c.dtype_o;
  spec.head_dim_qk = c.head_dim_qk;
  spec.head_dim_vo = c.head_dim_vo;
  spec.kv_layout = c.kv_layout;
  spec.mask = c.mask;
  spec.rope = c.rope;
  spec.schedule = select_schedule(c, t, spec.unit);
  return spec;
}

std::string explain_selection(const AttentionConfig& c, const Target& t,
                              const AttentionSpec& spec) {
  if (t.device != DeviceType::cpu) return explain_selection_cuda(c, t, spec);
  const ScheduleSpec& s = spec.schedule;
  std::string why = "f32 products: dtypes are not exact in bf16";
  if (spec.unit == AttentionUnit::cpu_amx_bf16 || spec.unit == AttentionUnit::cpu_avx512_bf16) {
    why = "bf16 products: q and kv are exact in bf16";
  } else if (c.dtype_q == DType::bf16 && (c.dtype_kv == DType::bf16 || is_fp8(c.dtype_kv))) {
    why = "f32 products: the target has no fast bf16 unit";
  }
  return std::string("unit: ") + name_of(spec.unit) + " (" + why + "; target " + to_string(t) +
         ")\ntile: " + std::to_string(s.qo_tile) + " packed rows x " + std::to_string(s.kv_tile) +
         " keys, group " + std::to_string(s.group_size) +
         "\nworkers: " + std::to_string(s.num_workers()) + " = " + std::to_string(s.num_groups) +
         " groups x " + std::to_string(s.head_lanes) + " head lanes of " +
         std::to_string(s.heads_per_lane) + " KV heads\nschedule: " + name_of(c.schedule) +
         (s.split_blocks > 0 ? ", KV split every " + std::to_string(c.split_kv) + " tokens"
                             : ", KV split where workers end") +
         "\n";
}

}  // namespace weft
