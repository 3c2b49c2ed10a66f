// SPDX-License-Identifier: Apache-2.0
// Calls that must be refused: what can be wrong with any tensor, and the check of a refusal (kind,
// words, no buffer changed). Used by every operator's bad input tables; free of any test framework.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/cases/buffers.h"
#include "weft/error.h"

namespace weft::cases {

/// Empty when `call` throws an Error of `kind` whose message has the form "argument: expected X,
/// got Y" with the given argument, contains `part`, and leaves all `buffers` and their fences as
/// they were.
std::string check_refusal(const std::function<void()>& call, ErrorKind kind,
                          const std::string& argument, const std::string& part,
                          const std::vector<const Buffer*>& buffers);

/// One thing that makes any tensor wrong for an argument that takes it.
struct TensorFault {
  const char* name;
  void (*apply)(TensorView& tensor);
  const char* part;  // of the message
};

/// Faults of a tensor with at least one element. For a tensor of one dimension "another size" makes
/// it shorter.
const std::vector<TensorFault>& tensor_faults();

/// Faults of outputs alone: elements that share memory.
const std::vector<TensorFault>& output_faults();

}  // namespace weft::cases
