// SPDX-License-Identifier: Apache-2.0
// See dl.h. POSIX only.
#include "src/base/dl.h"

#include <dlfcn.h>

#include <utility>

#include "weft/error.h"

namespace weft {

DynamicLibrary::DynamicLibrary(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      name_ = name;
      error_.clear();
      return;
    }
    const char* reason = dlerror();
    error_ += (error_.empty() ? "" : "; ") + std::string(reason != nullptr ? reason : name);
  }
}

DynamicLibrary::DynamicLibrary(DynamicLibrary&& other) noexcept { *this = std::move(other); }

DynamicLibrary& DynamicLibrary::operator=(DynamicLibrary&& other) noexcept {
  handle_ = std::exchange(other.handle_, nullptr);
  name_ = std::move(other.name_);
  error_ = std::move(other.error_);
  return *this;
}

void* DynamicLibrary::find(const char* symbol) const {
  return handle_ == nullptr ? nullptr : dlsym(handle_, symbol);
}

void* DynamicLibrary::find_or_throw(const char* symbol) const {
  void* address = find(symbol);
  if (address == nullptr) {
    throw Error(ErrorKind::device, name_ + ": expected the function " + symbol + ", got none");
  }
  return address;
}

}  // namespace weft
