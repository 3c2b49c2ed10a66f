// SPDX-License-Identifier: Apache-2.0
// AttentionSpec: everything about an attention kernel that is fixed before it runs. `select` makes
// it from a config and a target; CPU units and GPU kernels are built for it; it names them.
#pragma once

#include "kernels/core/dtype.h"
#include "kernels/core/variant.h"
#include "kernels/core/work.h"

namespace weft {

/// The code that executes a spec.
enum class AttentionUnit : uint8_t {
  cpu_scalar = 0,
  cpu_avx2,         // f32 FMA, 8 lanes
  cpu_avx512,       // f32 FMA, 16 lanes
  cpu_avx512_bf16,  // vdpbf16ps
  cpu_amx_bf16,     // tdpbf16ps
  cuda_mma,         // mma.sync, sm_80 and later
  cuda_wgmma,       // wgmma and the bulk copy engine, sm_90; mma.sync beside it for short queries
};

WEFT_HD constexpr const char* name_of(AttentionUnit u) {
  switch (u) {
    case AttentionUnit::cpu_scalar:
      return "cpu_scalar";
    case AttentionUnit::cpu_avx2:
      return "cpu_avx2";
    case AttentionUnit::cpu_avx512:
      return "cpu_avx512";
    case AttentionUnit::cpu_avx512_bf16:
      return "cpu_avx512_bf16";
    case AttentionUnit::cpu_amx_bf16:
      return "cpu_amx_bf16";
    case AttentionUnit::cuda_mma:
      return "cuda_mma";
    case AttentionUnit::cuda_wgmma:
      return "cuda_wgmma";
  }
  return "invalid";
}

struct AttentionSpec {
  AttentionUnit unit = AttentionUnit::cpu_scalar;
  DType dtype_q = DType::bf16;
  DType dtype_kv = DType::bf16;
  DType dtype_o = DType::bf16;
  int32_t head_dim_qk = 0;
  int32_t head_dim_vo = 0;
  KvLayout kv_layout = KvLayout::nhd;
  MaskMode mask = MaskMode::none;
  Rope rope;
  ScheduleSpec schedule;
  /// On CUDA, of the general kernel for requests of few rows, where limits allow others too: at the
  /// same time as cuda_wgmma, behind cuda_mma.
  ScheduleSpec short_schedule = no_requests();

  bool operator==(const AttentionSpec&) const = default;
};

}  // namespace weft
