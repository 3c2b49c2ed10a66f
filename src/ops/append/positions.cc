// SPDX-License-Identifier: Apache-2.0
// batch_indices_positions: the two index arrays of an append whose tokens end their requests.
#include "src/base/check.h"
#include "src/base/overlap.h"
#include "weft/append.h"

namespace weft {
namespace {

constexpr Device kCpu{};

std::string element(const char* name, int64_t i) {
  return std::string(name) + "[" + std::to_string(i) + "]";
}

// From 0, never decreasing, and no request shorter than what is appended to it.
void check_lengths(const int32_t* indptr, const int32_t* kv_lens, int64_t batch_size) {
  if (indptr[0] != 0) {
    fail(ErrorKind::invalid_argument, "append_indptr", "first element 0",
         std::to_string(indptr[0]));
  }
  for (int64_t r = 0; r < batch_size; ++r) {
    if (indptr[r + 1] < indptr[r]) {
      fail(
          ErrorKind::invalid_argument, "append_indptr",
          "non-decreasing, " + element("append_indptr", r + 1) + " >= " + std::to_string(indptr[r]),
          std::to_string(indptr[r + 1]));
    }
    if (kv_lens[r] >= indptr[r + 1] - indptr[r]) continue;
    fail(ErrorKind::invalid_argument, "kv_lens",
         element("kv_lens", r) + " >= its " + std::to_string(indptr[r + 1] - indptr[r]) +
             " new tokens",
         std::to_string(kv_lens[r]));
  }
}

}  // namespace

void batch_indices_positions(const TensorView& append_indptr, const TensorView& kv_lens,
                             const TensorView& batch_indices, const TensorView& positions) {
  check_tensor("append_indptr", append_indptr, DType::i32, {at_least(1)}, kCpu);
  const int64_t batch_size = append_indptr.shape[0] - 1;
  check_tensor("kv_lens", kv_lens, DType::i32, {batch_size}, kCpu);
  const int32_t* indptr = static_cast<const int32_t*>(append_indptr.data);
  const int32_t* lens = static_cast<const int32_t*>(kv_lens.data);
  check_lengths(indptr, lens, batch_size);
  const int64_t nnz = indptr[batch_size];
  check_output("batch_indices", batch_indices, DType::i32, {at_least(nnz)}, kCpu);
  check_output("positions", positions, DType::i32, {at_least(nnz)}, kCpu);
  check_apart({extent_of("batch_indices", batch_indices), extent_of("positions", positions)},
              {extent_of("append_indptr", append_indptr), extent_of("kv_lens", kv_lens)});
  int32_t* request_of_token = static_cast<int32_t*>(batch_indices.data);
  int32_t* position_of_token = static_cast<int32_t*>(positions.data);
  for (int64_t r = 0; r < batch_size; ++r) {
    const int32_t first = lens[r] - (indptr[r + 1] - indptr[r]);
    for (int32_t t = indptr[r]; t < indptr[r + 1]; ++t) {
      request_of_token[t] = static_cast<int32_t>(r);
      position_of_token[t] = first + (t - indptr[r]);
    }
  }
}

}  // namespace weft
