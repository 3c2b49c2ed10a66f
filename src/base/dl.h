// SPDX-License-Identifier: Apache-2.0
// A shared library opened while running: how weft meets the CUDA driver and NVRTC, neither of which
// it links. Called by src/jit and src/cuda.
#pragma once

#include <string>
#include <vector>

namespace weft {

class DynamicLibrary {
 public:
  DynamicLibrary() = default;
  /// Opens the first of `names` that the system's loader finds; not open when there is none.
  explicit DynamicLibrary(const std::vector<std::string>& names);
  DynamicLibrary(DynamicLibrary&& other) noexcept;
  DynamicLibrary& operator=(DynamicLibrary&& other) noexcept;
  /// Never closes: CUDA libraries do not survive being unloaded while their threads run.
  ~DynamicLibrary() = default;

  bool is_open() const { return handle_ != nullptr; }
  /// The name that was opened.
  const std::string& name() const { return name_; }
  /// What the loader said of each name, when none was opened.
  const std::string& error() const { return error_; }

  /// Address of a symbol, or null.
  void* find(const char* symbol) const;
  /// The same as a function. Throws Error(device) when the library lacks it.
  template <class F>
  void bind(const char* symbol, F*& function) const {
    function = reinterpret_cast<F*>(find_or_throw(symbol));
  }

 private:
  void* find_or_throw(const char* symbol) const;

  void* handle_ = nullptr;
  std::string name_;
  std::string error_;
};

}  // namespace weft
