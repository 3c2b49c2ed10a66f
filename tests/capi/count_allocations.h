// SPDX-License-Identifier: Apache-2.0
// A program that links count_allocations.cc counts what anyone in it takes from operator new.
#pragma once

namespace weft::capi_test {

int allocations();

}  // namespace weft::capi_test
