// SPDX-License-Identifier: Apache-2.0
// KernelImage: a kernel as the compiler left it, for one architecture, not yet on any device. Made
// or found by src/jit, loaded by src/cuda. Plain data: it may be printed, stored and compared.
#pragma once

#include <string>
#include <vector>

namespace weft {

/// What the assembler reported of the kernel.
struct KernelResources {
  int registers = 0;
  int stack_bytes = 0;
  int spill_store_bytes = 0;
  int spill_load_bytes = 0;
  int static_smem_bytes = 0;
  std::vector<std::string> warnings;  // "C7508: ...", in the compiler's words
  bool operator==(const KernelResources&) const = default;
};

enum class KernelOrigin { compiled, disk_cache, bundle };

constexpr const char* name_of(KernelOrigin origin) {
  switch (origin) {
    case KernelOrigin::compiled:
      return "compiled";
    case KernelOrigin::disk_cache:
      return "disk cache";
    case KernelOrigin::bundle:
      return "bundle";
  }
  return "invalid";
}

struct KernelImage {
  std::string key;       // SHA-256 of source, arch, flags and the kernels/ tree
  std::string name;      // of the operator: "plan"
  std::string arch;      // "sm_90a"
  std::string compiler;  // "nvrtc 13.0"
  std::string source;    // the generated stub
  std::string log;       // all the compiler said
  std::string cubin;     // binary

  KernelResources resources;
  // How a loader launches it.
  int num_threads = 0;
  int smem_bytes = 0;    // dynamic
  int params_bytes = 0;  // of its one argument

  KernelOrigin origin = KernelOrigin::compiled;
  double seconds = 0;  // to compile or to load
  std::string note;    // why the disk cache was not written, when it was not
};

/// The entry point of every generated kernel.
inline constexpr const char* kKernelEntry = "weft_kernel";

}  // namespace weft
