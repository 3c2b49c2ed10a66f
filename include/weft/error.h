// SPDX-License-Identifier: Apache-2.0
// The one exception type of the C++ API. Thrown by checks with a message of the form
// "argument: expected X, got Y"; caught at one boundary, src/api, which turns it into a status.
#pragma once

#include <stdexcept>
#include <string>

#include "weft/export.h"

namespace weft {

enum class ErrorKind : int {
  invalid_argument = 1,  // a value, shape, stride, dtype or pointer that breaks the contract
  unsupported = 2,       // well-formed, but nothing in this build can run it
  out_of_limits = 3,     // exceeds a limit fixed in the config (batch, tokens, pages, workspace)
  out_of_memory = 4,
  device = 5,   // driver or compiler missing or failing
  internal = 6  // a broken invariant of weft itself; please report
};

/// Human name of a kind, e.g. "invalid_argument".
constexpr const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return "invalid_argument";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::out_of_limits:
      return "out_of_limits";
    case ErrorKind::out_of_memory:
      return "out_of_memory";
    case ErrorKind::device:
      return "device";
    case ErrorKind::internal:
      return "internal";
  }
  return "invalid";
}

class WEFT_API Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace weft
