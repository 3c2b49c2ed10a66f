// SPDX-License-Identifier: Apache-2.0
// Config + Target -> Spec: the one place that decides what runs, and so also what is supported.
// Pure; knows no tensors and no lengths.
#pragma once

#include <string>

#include "kernels/attention/spec.h"
#include "weft/attention.h"

namespace weft {

/// Config with its defaults filled in. Throws Error(invalid_argument) naming the wrong field.
AttentionConfig checked_config(AttentionConfig config);

/// The spec that runs `config` (already checked) on `target`.
/// Throws Error(unsupported) when nothing can.
AttentionSpec select_attention(const AttentionConfig& config, const Target& target);

/// Why select_attention chose this spec, in a few lines.
std::string explain_selection(const AttentionConfig& config, const Target& target,
                              const AttentionSpec& spec);

}  // namespace weft
