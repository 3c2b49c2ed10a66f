// SPDX-License-Identifier: Apache-2.0
// Config + Target -> AppendSpec: what is supported, and by which unit.
#include <cmath>

#include "src/base/check.h"
#include "src/base/check_rope.h"
#include "src/cpu/rows.h"
#include "src/ops/append/rooms.h"

namespace weft {
namespace {

constexpr int kMaxHeads = 1 << 16;
constexpr int kMaxHeadDim = 1 << 16;
constexpr int kMaxPageSize = 1 << 24;

// The dtype of q_out, and that something happens to q.
void check_query(AppendConfig& c) {
  if (c.dtype_q_out == DType::none) c.dtype_q_out = c.dtype;
  if (c.dtype_q_out != c.dtype && !is_fp8(c.dtype_q_out)) {
    fail(ErrorKind::invalid_argument, "dtype_q_out",
         std::string(name_of(c.dtype)) + ", e4m3 or e5m2", name_of(c.dtype_q_out));
  }
  if (c.num_qo_heads == 0 || c.qk_norm || c.rope.mode != RopeMode::none) return;
  if (c.dtype_q_out != c.dtype) return;
  fail(ErrorKind::invalid_argument, "num_qo_heads",
       "0 without a rope, qk_norm or dtype_q_out: q would not change",
       std::to_string(c.num_qo_heads));
}

void check_norm(const AppendConfig& c) {
  if (!c.qk_norm) return;
  check_range("head_dim_qk", c.head_dim_qk, 1, kMaxNormedHead);
  if (!(c.norm_eps >= 0.0f) || !std::isfinite(c.norm_eps)) {
    fail(ErrorKind::invalid_argument, "norm_eps", "a finite number >= 0",
         std::to_string(c.norm_eps));
  }
  if (!std::isfinite(c.norm_weight_offset)) {
    fail(ErrorKind::invalid_argument, "norm_weight_offset", "a finite number",
         std::to_string(c.norm_weight_offset));
  }
}

}  // namespace

std::string to_string(const AppendConfig& c) {
  const DType dtype_kv = c.dtype_kv == DType::none ? c.dtype : c.dtype_kv;
  std::string text = std::string("append ") + name_of(c.dtype) + " into " + name_of(dtype_kv) +
                     ", kv heads " + std::to_string(c.num_kv_heads) + ", head_dim " +
                     std::to_string(c.head_dim_qk);
  if (c.head_dim_vo != 0 && c.head_dim_vo != c.head_dim_qk) {
    text += "/" + std::to_string(c.head_dim_vo);
  }
  text += ", page_size " + std::to_string(c.page_size) + " " + name_of(c.kv_layout) + ", " +
          describe(c.rope);
  if (c.qk_norm) text += ", heads of q and k normalised";
  if (c.num_qo_heads > 0) text += ", q heads " + std::to_string(c.num_qo_heads);
  if (is_fp8(c.dtype_q_out)) text += std::string(" into ") + name_of(c.dtype_q_out);
  return text + (c.checked ? ", checked" : "");
}

AppendConfig checked_config(AppendConfig config) {
  check_dtype("dtype", config.dtype, kRowInputs);
  if (config.dtype_kv == DType::none) config.dtype_kv = config.dtype;
  check_dtype("dtype_kv", config.dtype_kv, kRowOutputs);
  check_range("num_kv_heads", config.num_kv_heads, 1, kMaxHeads);
  check_range("num_qo_heads", config.num_qo_heads, 0, kMaxHeads);
  check_range("head_dim_qk", config.head_dim_qk, 1, kMaxHeadDim);
  if (config.head_dim_vo == 0) config.head_dim_vo = config.head_dim_qk;
  check_range("head_dim_vo", config.head_dim_vo, 1, kMaxHeadDim);
  check_range("page_size", config.page_size, 1, kMaxPageSize);
  check_range("kv_layout", static_cast<int>(config.kv_layout), static_cast<int>(KvLayout::nhd),
              static_cast<int>(KvLayout::hnd));
  config.rope = checked_rope(config.rope, config.head_dim_qk);
  check_query(config);
  check_norm(config);
  return config;
}

AppendSpec select_append(const AppendConfig& config, const Target& target) {
  return {.unit = row_unit(target),
          .dtype = config.dtype,
          .dtype_kv = config.dtype_kv,
          .num_kv_heads = config.num_kv_heads,
          .num_qo_heads = config.num_qo_heads,
          .head_dim_qk = config.head_dim_qk,
          .head_dim_vo = config.head_dim_vo,
          .page_size = config.page_size,
          .rope = config.rope,
          .dtype_q_out = config.dtype_q_out};
}

}  // namespace weft
