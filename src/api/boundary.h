// SPDX-License-Identifier: Apache-2.0
// The one line that no exception crosses: turns what the C++ library throws into a status and a
// message kept per thread. Every function of c_api.h runs inside of guard(); nothing else catches.
#pragma once

#include "weft/c_api.h"

namespace weft::capi {

/// The status of the exception being handled; keeps its message for weft_last_error().
/// REQUIRES: called from a catch block.
weft_status status_of_current_exception() noexcept;

/// This thread's message, "" at first.
const char* last_error() noexcept;

template <class F>
weft_status guard(F&& body) noexcept {
  try {
    body();
    return WEFT_STATUS_OK;
  } catch (...) {
    return status_of_current_exception();
  }
}

}  // namespace weft::capi
