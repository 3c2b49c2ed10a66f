// SPDX-License-Identifier: Apache-2.0
// Fills the table through cuGetProcAddress, which knows the right version of each function.
#include "src/cuda/driver.h"

#include <type_traits>

#include "weft/error.h"

namespace weft::cu {
namespace {

// Versions of functions are asked for as CUDA 12.0 defines them: the oldest driver supported.
constexpr int kVersion = 12000;

}  // namespace

Driver::Driver(const std::vector<std::string>& names) : library_(names) {
  if (!library_.is_open()) {
    throw Error(ErrorKind::device,
                "cuda driver: expected libcuda.so.1 (an NVIDIA driver for CUDA "
                "12.0 or newer), got none: " +
                    library_.error());
  }
  Result (*find)(const char*, void**, int, uint64_t, int*) = nullptr;
  library_.bind("cuGetProcAddress_v2", find);
  const auto bind = [&](const char* name, auto*& function) {
    void* address = nullptr;
    int status = 0;
    if (find(name, &address, kVersion, 0, &status) != kSuccess || address == nullptr) {
      throw Error(ErrorKind::device,
                  library_.name() + ": expected the function " + name + ", got none");
    }
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
#define WEFT_DRIVER_BIND(member, name, arguments) bind(name, member);
  WEFT_DRIVER_FUNCTIONS(WEFT_DRIVER_BIND)
#undef WEFT_DRIVER_BIND
  check(init(0), "cuInit");
}

void Driver::refuse(Result result, const char* call) const {
  const char* name = nullptr;
  const char* text = nullptr;
  error_name(result, &name);
  error_string(result, &text);
  throw Error(result == kOutOfMemory ? ErrorKind::out_of_memory : ErrorKind::device,
              std::string(call) + ": " + (name != nullptr ? name : std::to_string(result)) +
                  (text != nullptr ? std::string(": ") + text : ""));
}

}  // namespace weft::cu
