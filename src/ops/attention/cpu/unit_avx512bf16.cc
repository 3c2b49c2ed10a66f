// SPDX-License-Identifier: Apache-2.0
// The bf16 unit on AVX512-BF16.
#if !defined(__AVX512BF16__)
#error "this file needs the flags of its instruction set (cmake/library.cmake)"
#endif

#include "src/ops/attention/cpu/item.h"
#include "src/ops/attention/cpu/matrix_bf16.h"

namespace weft {

extern const AttentionCpuUnit kAttentionAvx512Bf16 = {
    scratch_bytes<Bf16Matrix>,
    begin_run<Bf16Matrix>,
    run_items<Bf16Matrix>,
    end_run,
};

}  // namespace weft
