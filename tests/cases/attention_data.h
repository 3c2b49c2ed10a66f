// SPDX-License-Identifier: Apache-2.0
// Tensors for a row of a case table. Numbers depend on (seed, request id, token, head) alone, never
// on where they are stored, so the same content can be laid out as other pages, page sizes or
// ragged and compared bit for bit. Everything a right program must not read is poisoned.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/cases/attention_case.h"
#include "tests/cases/buffers.h"

namespace weft::cases {

struct AttentionData {
  AttentionConfig config;
  AttentionBatch batch;
  AttentionArgs args;  // outputs poisoned
  int64_t num_pages = 0;

  Buffer o;
  Buffer lse;
  std::vector<Buffer> inputs;

  /// Sets every byte of the outputs to kPoisonByte.
  void poison_outputs();
  /// Of all inputs that are not merely reserved address space.
  uint64_t input_hash() const;
};

/// `layout_seed` chooses the order of pages.
AttentionData make_attention_data(const AttentionCase& c, uint64_t seed, uint64_t layout_seed = 1);

/// The tensors of the step alone, for tests that plan and do not run.
AttentionBatch make_batch(const AttentionCase& c, std::vector<int32_t> pages,
                          std::vector<Buffer>& owners);

/// Strides of a tensor whose rows are padded by `pad` elements at every level; pad 0 is dense.
std::vector<int64_t> padded_strides(const std::vector<int64_t>& shape, int64_t pad);

TensorView make_view(void* data, DType dtype, const std::vector<int64_t>& shape,
                     const std::vector<int64_t>& strides);

/// A dense i32 or f32 tensor of one dimension; the memory goes to `owners`.
TensorView make_ints(const std::vector<int32_t>& values, std::vector<Buffer>& owners);
TensorView make_floats(const std::vector<float>& values, std::vector<Buffer>& owners);

/// Pages a request holds.
int pages_of(const AttentionCase& c, const Lengths& request);

}  // namespace weft::cases
