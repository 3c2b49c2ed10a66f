// SPDX-License-Identifier: Apache-2.0
// See tensors.h.
#include "tests/cases/tensors.h"

#include <cmath>
#include <cstring>

#include "tests/cases/attention_data.h"
#include "tests/oracle/numbers.h"

namespace weft::cases {

OwnedTensor::OwnedTensor(DType dtype, const std::vector<int64_t>& shape, int64_t pad)
    : view(make_view(nullptr, dtype, shape, padded_strides(shape, pad))) {
  const size_t misalign = pad > 0 ? static_cast<size_t>(size_of(dtype)) : 0;
  buffer = Buffer(span_bytes(view), kPoisonByte, misalign);
  view.data = buffer.data();
}

OwnedTensor OwnedTensor::clone() const {
  OwnedTensor copy;
  copy.view = view;
  copy.buffer = Buffer(buffer.size(), kPoisonByte, reinterpret_cast<uintptr_t>(buffer.data()) % 64);
  std::memcpy(copy.buffer.data(), buffer.data(), buffer.size());
  copy.view.data = copy.buffer.data();
  return copy;
}

void fill_normal(const TensorView& tensor, Random& random, double magnitude) {
  for_each_element(tensor, [&](char* at, int64_t) {
    oracle::encode(at, tensor.dtype, 0, random.normal() * magnitude);
  });
}

std::string compare_rounded(const void* data, DType dtype, double exact, double error) {
  const double got = oracle::decode(data, dtype, 0);
  if (std::isnan(exact) && std::isnan(got)) return "";
  const double low = oracle::rounded(dtype, exact - error);
  const double high = oracle::rounded(dtype, exact + error);
  if (low <= got && got <= high) return "";
  char text[128];
  std::snprintf(text, sizeof text, "expected %.9g (between %.9g and %.9g), got %.9g", exact, low,
                high, got);
  return text;
}

std::vector<char> bytes_of(const std::vector<OwnedTensor>& tensors) {
  std::vector<char> all;
  for (const OwnedTensor& t : tensors) {
    const std::vector<char> bytes = bytes_of(t.buffer);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

std::string find_stray_write(const std::vector<OwnedTensor>& tensors) {
  for (const OwnedTensor& t : tensors) {
    const std::string stray = find_stray_write(t.buffer, t.view, kPoisonByte);
    if (!stray.empty()) return stray;
  }
  return "";
}

}  // namespace weft::cases
