// SPDX-License-Identifier: Apache-2.0
// An attention config written as JSON, field by field as weft::AttentionConfig names them. Strict:
// a field that is not known is an error. Used by `weft aot`.
#pragma once

#include <string>
#include <vector>

#include "tools/weft/json.h"
#include "weft/attention.h"

namespace weft::cli {

/// {"num_qo_heads": 32, "dtype_q": "bf16", "rope": {"mode": "neox"}, ...}; fields left out keep
/// their defaults. Throws UsageError naming the field.
AttentionConfig config_from_json(const JsonValue& json);

/// One config a line; blank lines and lines that begin with # are skipped. Throws UsageError naming
/// the line.
std::vector<AttentionConfig> read_configs(const std::string& path);

}  // namespace weft::cli
