// SPDX-License-Identifier: Apache-2.0
// A random row of an attention table: any combination of fields that a config allows. Finds what
// nobody thought of combining; a failing row goes into a table by name.
#pragma once

#include <string>

#include "tests/cases/attention_case.h"
#include "tests/cases/random.h"

namespace weft::cases {

/// `work` bounds qo * kv * dims * heads of the whole batch.
AttentionCase random_case(Random& random, double work);

/// All fields that differ from a plain row's, to write the row down.
std::string describe(const AttentionCase& c);

}  // namespace weft::cases
