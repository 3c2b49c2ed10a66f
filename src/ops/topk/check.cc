// SPDX-License-Identifier: Apache-2.0
// Everything topk refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "src/base/overlap.h"
#include "src/ops/topk/rooms.h"

namespace weft {
void check_topk_args(const TopkConfig& config, Device device, const TopkArgs& args) {
  check_tensor("input", args.input, config.dtype, {kAnySize, config.max_len}, device);
  const int64_t n = args.input.shape[0];
  check_optional("lengths", args.lengths, DType::i32, {n}, device);
  check_optional("row_starts", args.row_starts, DType::i32, {n}, device);
  if (args.page_table.given()) {
    const int64_t rows = args.row_to_batch.given() ? kAnySize : at_least(n);
    check_tensor("page_table", args.page_table, DType::i32, {rows, kAnySize}, device);
    check_optional("row_to_batch", args.row_to_batch, DType::i32, {n}, device);
    refuse_given("offsets", args.offsets, "beside a page_table");
  } else {
    refuse_given("row_to_batch", args.row_to_batch, "without a page_table");
    check_optional("offsets", args.offsets, DType::i32, {n}, device);
  }
  check_output("indices", args.indices, DType::i32, {n, config.k}, device);
  if (args.values.given()) {
    check_output("values", args.values, config.dtype, {n, config.k}, device);
  }
  check_apart({extent_of("indices", args.indices), extent_of("values", args.values)},
              {extent_of("input", args.input), extent_of("lengths", args.lengths),
               extent_of("row_starts", args.row_starts), extent_of("page_table", args.page_table),
               extent_of("row_to_batch", args.row_to_batch), extent_of("offsets", args.offsets)});
}

void check_contents(const TopkParams& params) {
  for (int64_t i = 0; i < params.n; ++i) {
    const TopkRow row = topk_row(params, i);
    if (!row.bad) continue;
    const char* name = name_of(row.fault);
    fail(ErrorKind::invalid_argument, name, "every element in its range",
         std::string(name) + "[" + std::to_string(i) + "] out of it");
  }
}

}  // namespace weft
