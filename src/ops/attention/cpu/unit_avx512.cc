// SPDX-License-Identifier: Apache-2.0
// The f32 unit on AVX-512.
#if !defined(__AVX512F__)
#error "this file needs the flags of its instruction set (cmake/library.cmake)"
#endif

#include "src/ops/attention/cpu/item.h"
#include "src/ops/attention/cpu/matrix_f32.h"

namespace weft {

extern const AttentionCpuUnit kAttentionAvx512 = {
    scratch_bytes<F32Matrix>,
    begin_run<F32Matrix>,
    run_items<F32Matrix>,
    end_run,
};

}  // namespace weft
