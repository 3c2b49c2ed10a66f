// SPDX-License-Identifier: Apache-2.0
// Everything merge refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "src/base/overlap.h"
#include "src/ops/merge/rooms.h"

namespace weft {
namespace {

void check_outputs(const MergeConfig& c, Device device, const TensorView& o, const TensorView& lse,
                   int64_t n) {
  check_output("o", o, c.dtype_o, {n, c.num_heads, c.head_dim}, device);
  if (lse.given()) check_output("lse", lse, DType::f32, {n, c.num_heads}, device);
}

// `output` may be one of `inputs` itself, and must be apart from the others.
void check_in_place(const Extent& output, std::initializer_list<Extent> inputs) {
  for (const Extent& input : inputs) {
    if (!is_same_view(*output.tensor, *input.tensor)) check_apart({output}, {input});
  }
}

}  // namespace

void check_merge_args(const MergeConfig& c, Device device, const MergeArgs& args) {
  check_tensor("o_in", args.o_in, c.dtype, {kAnySize, kAnySize, c.num_heads, c.head_dim}, device);
  const int64_t n = args.o_in.shape[0], num_states = args.o_in.shape[1];
  check_range("num_states", num_states, 0, 0x7fffffff);
  check_tensor("lse_in", args.lse_in, DType::f32, {n, num_states, c.num_heads}, device);
  check_outputs(c, device, args.o, args.lse, n);
  check_apart({extent_of("o", args.o), extent_of("lse", args.lse)},
              {extent_of("o_in", args.o_in), extent_of("lse_in", args.lse_in)});
}

void check_merge_args(const MergeConfig& c, Device device, const MergePairArgs& args) {
  check_tensor("o_a", args.o_a, c.dtype, {kAnySize, c.num_heads, c.head_dim}, device);
  const int64_t n = args.o_a.shape[0];
  check_tensor("lse_a", args.lse_a, DType::f32, {n, c.num_heads}, device);
  check_tensor("o_b", args.o_b, c.dtype, {n, c.num_heads, c.head_dim}, device);
  check_tensor("lse_b", args.lse_b, DType::f32, {n, c.num_heads}, device);
  check_optional("mask", args.mask, DType::u8, {n}, device);
  check_outputs(c, device, args.o, args.lse, n);
  const Extent o_a = extent_of("o_a", args.o_a), o_b = extent_of("o_b", args.o_b);
  const Extent lse_a = extent_of("lse_a", args.lse_a), lse_b = extent_of("lse_b", args.lse_b);
  const Extent o = extent_of("o", args.o), lse = extent_of("lse", args.lse);
  check_in_place(o, {o_a, o_b});
  check_in_place(lse, {lse_a, lse_b});
  check_apart({o, lse}, {extent_of("mask", args.mask)});
  check_apart({o}, {lse_a, lse_b});
  check_apart({lse}, {o_a, o_b});
}

}  // namespace weft
