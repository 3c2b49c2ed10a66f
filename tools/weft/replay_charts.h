// SPDX-License-Identifier: Apache-2.0
// The plots of the replay report, each drawn for a given width: wide for a desk, narrow for a
// phone. Pure functions of the result.
#pragma once

#include <string>

#include "tools/weft/replay_output.h"

namespace weft::cli {

std::string chart_batch_mix(const ReplayContext& context, const ReplayResult& result, double width);
std::string chart_timeline(const ReplayResult& result, double width);
std::string chart_roofline(const ReplayResult& result, double width);
std::string chart_first_token(const ReplayResult& result, double width);
std::string chart_token_gap(const ReplayResult& result, double width);

}  // namespace weft::cli
