// SPDX-License-Identifier: Apache-2.0
// A program that links weft_count_calls counts what anyone in it allocates and which locks it
// takes. The replaced functions stand apart from their callers: a compiler that sees both sides may
// leave the pair out, or warn that free meets new.
#pragma once

namespace weft::test {

struct Calls {
  int allocations = 0;
  int locks = 0;  // always 0 under TSan, whose own hooks they are
};

Calls calls_so_far();

/// Those of any thread while f() runs.
template <class F>
Calls calls_of(F&& f) {
  const Calls before = calls_so_far();
  f();
  const Calls after = calls_so_far();
  return {after.allocations - before.allocations, after.locks - before.locks};
}

}  // namespace weft::test
