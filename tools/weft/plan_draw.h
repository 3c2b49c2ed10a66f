// SPDX-License-Identifier: Apache-2.0
// A plan drawn in text: one line a group of workers, time to the right, a letter a request.
#pragma once

#include <string>
#include <vector>

#include "tools/weft/plan_view.h"

namespace weft::cli {

/// The letter that stands for a request in the drawing.
char request_letter(int request);

/// `width` columns stand for the busiest group's time.
std::string draw_plan(const PlanView& plan, const BatchShape& batch, int width);

}  // namespace weft::cli
