// SPDX-License-Identifier: Apache-2.0
// What the compile gate knows of each shipped kernel: a spec, where it is compiled for, and the
// budget it must keep. Operators add their rows in tests/compile/<op>_specs.cc.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "src/jit/kernel_store.h"

namespace weft::test {

struct GateRow {
  std::string name;
  KernelRequest request;
  std::string arch;
  int num_threads = 0;
  int smem_bytes = 0;
  int max_registers = 0;
};

/// How test frameworks print a row.
inline void PrintTo(const GateRow& row, std::ostream* out) { *out << row.name; }

template <class Spec>
GateRow gate_row(const std::string& name, const Spec& spec, int arch, int max_registers) {
  const KernelShape shape = KernelTraits<Spec>::shape(spec);
  return {name + "_sm" + std::to_string(arch),
          kernel_request(spec, arch),
          arch_name(arch),
          shape.num_threads,
          shape.smem_bytes,
          max_registers};
}

/// The planner, for each architecture it is compiled for.
std::vector<GateRow> planner_rows();
/// The mma.sync attention kernel.
std::vector<GateRow> attention_rows();
/// Checked mode's kernel.
std::vector<GateRow> attention_check_rows();
/// Prefill on Hopper.
std::vector<GateRow> attention_wgmma_rows();

/// Registers of a thread when an SM is to hold spec.ctas_per_sm.
template <class Spec>
int registers(const Spec& spec) {
  return 64 * 1024 / (spec.num_threads * spec.ctas_per_sm) / 8 * 8;
}

/// The row-wise operators.
std::vector<GateRow> rope_rows();
std::vector<GateRow> append_rows();
std::vector<GateRow> merge_rows();
std::vector<GateRow> norm_rows();
std::vector<GateRow> activation_rows();
std::vector<GateRow> packbits_rows();
/// Long rows.
std::vector<GateRow> sampling_rows();
std::vector<GateRow> verify_rows();
std::vector<GateRow> logprobs_rows();

}  // namespace weft::test
