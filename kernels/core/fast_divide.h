// SPDX-License-Identifier: Apache-2.0
// Division by a value known at launch: a multiplication and a shift on the device, where a division
// costs thirty instructions. Made on the host, used by kernels.
#pragma once

#include "kernels/core/base.h"

namespace weft {

/// Exact for dividends in [0, 2^31). Source: Granlund and Montgomery, Division by invariant
/// integers using multiplication, 1994: with s = ceil(log2 d) and magic = ceil(2^(31 + s) / d), the
/// error of magic is below d, so that of the quotient is below 2^31 * d / 2^(31 + s) / d <= 1 / d.
struct FastDivisor {
  uint32_t magic = 0;  // 0: every quotient is 0
  uint32_t shift = 0;
  int32_t divisor = 0;

  WEFT_HD static constexpr FastDivisor of(int32_t d) {
    FastDivisor f;
    f.divisor = d;
    if (d <= 0) return f;
    uint32_t bits = 0;
    while ((uint64_t{1} << bits) < static_cast<uint64_t>(d)) ++bits;
    f.shift = 31 + bits;
    f.magic = static_cast<uint32_t>(((uint64_t{1} << f.shift) + static_cast<uint64_t>(d) - 1) /
                                    static_cast<uint64_t>(d));
    return f;
  }

  WEFT_HD constexpr int32_t quotient(int32_t n) const {
    return static_cast<int32_t>((uint64_t{static_cast<uint32_t>(n)} * magic) >> shift);
  }
  WEFT_HD constexpr int32_t remainder(int32_t n, int32_t q) const { return n - q * divisor; }

  bool operator==(const FastDivisor&) const = default;
};

}  // namespace weft
