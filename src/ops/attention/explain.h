// SPDX-License-Identifier: Apache-2.0
// A plan in words and as JSON, for people and for tests of how work is spread.
#pragma once

#include <string>

namespace weft {

namespace detail {
struct AttentionPlanImpl;
}

std::string explain_plan(const detail::AttentionPlanImpl& plan);
std::string explain_plan_json(const detail::AttentionPlanImpl& plan);

}  // namespace weft
