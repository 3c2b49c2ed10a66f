// SPDX-License-Identifier: Apache-2.0
// Spec value -> the text that the compiler is given: a stub that includes one kernel header, states
// the spec and instantiates the kernel. All logic stays in kernels/. Called by kernel_store.
#pragma once

#include <string>

#include "src/base/check.h"
#include "src/jit/fields.h"

namespace weft {

/// What an operator says of a kernel, specialised beside the operator:
///   using Params = ...;                    // the launch argument
///   static constexpr const char* name;     // "plan", for people
///   static constexpr const char* header;   // "kernels/plan/plan.cuh"
///   static constexpr const char* spec;     // "weft::PlanSpec"
///   static constexpr const char* params;   // "weft::PlanParams"
///   static constexpr const char* smem;     // "weft::PlanSmem", where of(spec).bytes is known
///   static constexpr const char* function; // "weft::plan_batch", a template on the spec
///   static KernelShape shape(const Spec&);
template <class Spec>
struct KernelTraits;

struct KernelShape {
  int num_threads = 0;
  int min_ctas = 1;  // CTAs an SM must hold: bounds the registers
  int smem_bytes = 0;
};

/// The part of KernelTraits that types alone decide, for a spec that says num_threads and
/// ctas_per_sm.
template <class Spec, class LaunchParams, class Smem>
struct UsualKernel {
  using Params = LaunchParams;
  static KernelShape shape(const Spec& s) {
    return {s.num_threads, s.ctas_per_sm, Smem::of(s).bytes};
  }
};

/// A stub and what the host must know to launch what comes of it.
struct KernelSource {
  std::string name;
  std::string text;
  KernelShape shape;
  int params_bytes = 0;
};

/// The parts of a stub, as text.
struct StubText {
  const char* header;
  const char* spec_type;
  std::string spec_value;
  const char* params_type;
  const char* smem_type;
  const char* function;
};

std::string make_stub(const StubText& parts, const KernelShape& shape, int params_bytes);

template <class Spec>
KernelSource make_source(const Spec& spec) {
  using Traits = KernelTraits<Spec>;
  if (!lists_all_fields(spec)) {
    throw Error(ErrorKind::internal, std::string(Traits::spec) + ": for_each_field misses a field");
  }
  KernelSource source{Traits::name, {}, Traits::shape(spec), sizeof(typename Traits::Params)};
  source.text = make_stub(
      {Traits::header, Traits::spec, to_cpp(spec), Traits::params, Traits::smem, Traits::function},
      source.shape, source.params_bytes);
  return source;
}

}  // namespace weft
