// SPDX-License-Identifier: Apache-2.0
// The unit every processor runs: f32 in the compiler's own vectors.
#include "src/ops/attention/cpu/item.h"
#include "src/ops/attention/cpu/matrix_f32.h"

namespace weft {

extern const AttentionCpuUnit kAttentionScalar = {
    scratch_bytes<F32Matrix>,
    begin_run<F32Matrix>,
    run_items<F32Matrix>,
    end_run,
};

}  // namespace weft
