// SPDX-License-Identifier: Apache-2.0
// The bf16 unit on AMX-BF16. isa.cc has asked the kernel for tile state before this is chosen.
#if !defined(__AMX_BF16__) && !defined(__AMXBF16__)  // gcc's spelling, and that of clang 14
#error "this file needs the flags of its instruction set (cmake/library.cmake)"
#endif

#include "src/ops/attention/cpu/item.h"
#include "src/ops/attention/cpu/matrix_amx.h"

namespace weft {
namespace {

void begin_amx(const AttentionSpec& spec, void* memory) {
  begin_run<AmxMatrix>(spec, memory);
  // Steps of K beyond the head: packing never writes them, whole tiles read them.
  const Scratch scratch = carve_scratch<AmxMatrix>(spec, memory).many;
  const int words = spec.head_dim_qk / AmxMatrix::kPerWord;
  memset(scratch.k + words * kBlockKeys, 0,
         static_cast<size_t>(scratch.ldq - words) * kBlockKeys * 4);
}

void end_amx() { release_tiles(); }

}  // namespace

extern const AttentionCpuUnit kAttentionAmxBf16 = {
    scratch_bytes<AmxMatrix>,
    begin_amx,
    run_items<AmxMatrix>,
    end_amx,
};

}  // namespace weft
