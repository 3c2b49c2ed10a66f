// SPDX-License-Identifier: Apache-2.0
// NVRTC by dlopen: stub text -> cubin, headers from memory. Called by kernel_store; knows neither
// caches nor devices. Thread-safe: programs compile side by side.
#pragma once

#include <string>
#include <vector>

#include "src/base/dl.h"
#include "src/base/kernel.h"
#include "src/jit/source.h"

namespace weft {

/// Names tried in order. 12.0 is the first that speaks C++20.
std::vector<std::string> nvrtc_names();

/// "sm_90a" for 90, "sm_80" for 80: Hopper's own instructions need the a.
std::string arch_name(int arch);

/// Flags of every compile, part of every cache key.
const std::vector<std::string>& nvrtc_flags();

/// Registers, spills and warnings out of a log made with --ptxas-options=-v.
KernelResources parse_resources(const std::string& log);

/// The first line of a failed compile that says what is wrong.
std::string first_error(const std::string& log);

class Nvrtc {
 public:
  /// Throws Error(device) when none of `names` can be opened or the version is too old.
  explicit Nvrtc(const std::vector<std::string>& names);

  /// "13.0".
  std::string version() const;

  /// Throws Error(device) with the compiler's first error.
  KernelImage compile(const KernelSource& source, const std::string& arch) const;

 private:
  using Program = void*;
  void check(int result, const char* call) const;
  std::string log_of(Program program) const;
  std::string cubin_of(Program program) const;

  DynamicLibrary library_;
  int major_ = 0;
  int minor_ = 0;
  const char* (*error_string_)(int) = nullptr;
  int (*create_)(Program*, const char* source, const char* name, int num_headers,
                 const char* const* headers, const char* const* names) = nullptr;
  int (*destroy_)(Program*) = nullptr;
  int (*compile_)(Program, int num_options, const char* const* options) = nullptr;
  int (*log_size_)(Program, size_t*) = nullptr;
  int (*log_)(Program, char*) = nullptr;
  int (*cubin_size_)(Program, size_t*) = nullptr;
  int (*cubin_)(Program, char*) = nullptr;
};

}  // namespace weft
