// SPDX-License-Identifier: Apache-2.0
// See refusal.h.
#include "tests/cases/refusal.h"

namespace weft::cases {
namespace {

uint64_t hash_all(const std::vector<const Buffer*>& buffers) {
  uint64_t h = 0;
  for (const Buffer* b : buffers) h = h * 31 + b->hash();
  return h;
}

size_t last_dim(const TensorView& t) { return static_cast<size_t>(t.ndim) - 1; }

}  // namespace

std::string check_refusal(const std::function<void()>& call, ErrorKind kind,
                          const std::string& argument, const std::string& part,
                          const std::vector<const Buffer*>& buffers) {
  const uint64_t before = hash_all(buffers);
  std::string message;
  try {
    call();
    return "expected a refusal, got none";
  } catch (const Error& error) {
    message = error.what();
    if (error.kind() != kind) {
      return std::string("expected kind ") + name_of(kind) + ", got " + name_of(error.kind()) +
             " with: " + message;
    }
  }
  if (message.rfind(argument + ": expected ", 0) != 0) {
    return "expected a message about " + argument + ", got: " + message;
  }
  if (message.find(", got ") == std::string::npos) return "no \", got\" in: " + message;
  if (message.find(part) == std::string::npos) return "no \"" + part + "\" in: " + message;
  if (hash_all(buffers) != before) return "something was written before: " + message;
  for (const Buffer* b : buffers) {
    if (!b->fences_intact()) return "written outside of a buffer before: " + message;
  }
  return "";
}

const std::vector<TensorFault>& tensor_faults() {
  static const std::vector<TensorFault> faults = {
      {"absent", [](TensorView& t) { t = {}; }, "got nothing"},
      {"another dtype", [](TensorView& t) { t.dtype = DType::u8; }, "got u8"},
      {"no dimension", [](TensorView& t) { t.ndim = 0; }, "expected shape ["},
      {"a dimension more",
       [](TensorView& t) { t.shape[last_dim(t) + 1] = t.strides[last_dim(t) + 1] = 1, ++t.ndim; },
       "expected shape ["},
      {"more dimensions than exist", [](TensorView& t) { t.ndim = 99; }, "0 to 6 dimensions"},
      {"negative dimensions", [](TensorView& t) { t.ndim = -1; }, "0 to 6 dimensions"},
      {"a negative size", [](TensorView& t) { t.shape[0] = -1; }, "expected shape ["},
      {"another size", [](TensorView& t) { --t.shape[last_dim(t)]; }, "expected shape ["},
      {"device",
       [](TensorView& t) {
         t.device = {DeviceType::cuda, 0};
       },
       "a tensor on cpu"},
      {"device index", [](TensorView& t) { t.device.index = 1; }, "a tensor on cpu"},
      {"null", [](TensorView& t) { t.data = nullptr; }, "a data pointer"},
      {"a negative stride", [](TensorView& t) { t.strides[0] = -t.strides[0]; },
       "non-negative strides"},
      {"a sparse last dimension", [](TensorView& t) { t.strides[last_dim(t)] = 2; },
       "dense last dimension"},
  };
  return faults;
}

const std::vector<TensorFault>& output_faults() {
  static const std::vector<TensorFault> faults = {
      {"all rows are one", [](TensorView& t) { t.strides[0] = 0; }, "no two elements overlap"},
      {"rows overlap", [](TensorView& t) { t.strides[0] = t.shape[last_dim(t)] - 1; },
       "no two elements overlap"},
  };
  return faults;
}

}  // namespace weft::cases
