// SPDX-License-Identifier: Apache-2.0
// Which row kernels a target gets. The units themselves are rows_<isa>.cc.
#include "src/cpu/rows.h"

#include "src/base/check.h"
#include "src/cpu/isa.h"

namespace weft {

extern const RowTable kRowTableScalar;
#if defined(__x86_64__)
extern const RowTable kRowTableAvx2;
extern const RowTable kRowTableAvx512;
#endif

const RowTable& row_table(RowUnit unit) {
#if defined(__x86_64__)
  if (unit == RowUnit::cpu_avx512) return kRowTableAvx512;
  if (unit == RowUnit::cpu_avx2) return kRowTableAvx2;
#endif
  (void)unit;
  return kRowTableScalar;
}

RowUnit row_unit(const Target& target) {
  if (target.device != DeviceType::cpu) {
    fail(ErrorKind::unsupported, "target", "a CPU, or a CudaBackend in place of the target",
         to_string(target));
  }
  if (target.isa > usable_isa()) {
    fail(ErrorKind::unsupported, "target.isa", std::string("at most ") + name_of(usable_isa()),
         name_of(target.isa));
  }
  if (target.isa >= Isa::avx512) return RowUnit::cpu_avx512;
  if (target.isa == Isa::avx2) return RowUnit::cpu_avx2;
  return RowUnit::cpu_scalar;
}

std::string explain_row_unit(RowUnit unit, const Target& target) {
  return std::string("unit: ") + name_of(unit) +
         ", the widest that target.isa = " + name_of(target.isa) + " allows; f32 arithmetic\n";
}

}  // namespace weft
