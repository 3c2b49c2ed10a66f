// SPDX-License-Identifier: Apache-2.0
// Everything norm refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "src/base/overlap.h"
#include "src/ops/norm/rooms.h"

namespace weft {
namespace {

using Check = void (*)(const char*, const TensorView&, DType, std::initializer_list<int64_t>,
                       Device);

void check_rows(Check check, const NormConfig& c, Device device, const char* name,
                const TensorView& tensor, DType dtype, int64_t n) {
  if (c.num_heads == 0) return check(name, tensor, dtype, {n, c.hidden}, device);
  check(name, tensor, dtype, {n, c.num_heads, c.hidden}, device);
}

// One row of weights, or one a head.
void check_weight(const NormConfig& c, Device device, const char* name, const TensorView& tensor) {
  if (!tensor.given()) return;
  if (c.num_heads > 0 && tensor.ndim == 2) {
    return check_tensor(name, tensor, c.dtype_weight, {c.num_heads, c.hidden}, device);
  }
  check_tensor(name, tensor, c.dtype_weight, {c.hidden}, device);
}

void check_overlap(const NormArgs& args) {
  const Extent x = extent_of("x", args.x), weight = extent_of("weight", args.weight);
  const Extent bias = extent_of("bias", args.bias), scales = extent_of("scales", args.scales);
  const Extent out = extent_of("out", args.out), residual = extent_of("residual", args.residual);
  check_apart({out, residual}, {weight, bias, scales});
  check_apart({residual}, {x});
  if (!is_same_view(args.x, args.out)) check_apart({out}, {x});
}

}  // namespace

void check_norm_args(const NormConfig& c, Device device, const NormArgs& args) {
  check_rows(check_tensor, c, device, "x", args.x, c.dtype, kAnySize);
  const int64_t n = args.x.shape[0];
  check_weight(c, device, "weight", args.weight);
  if (c.kind == NormKind::rms) refuse_given("bias", args.bias, "with an rms norm");
  check_weight(c, device, "bias", args.bias);
  if (!args.weight.given() && c.weight_offset != 0.0f) {
    fail(ErrorKind::invalid_argument, "weight", "a tensor, as weight_offset is given", "nothing");
  }
  if (c.residual) {
    check_rows(check_output, c, device, "residual", args.residual, c.dtype, n);
  } else {
    refuse_given("residual", args.residual, "with config.residual = false");
  }
  check_rows(check_output, c, device, "out", args.out, c.dtype_out, n);
  check_scale("scale", args.scale);
  if (args.scales.given()) check_scales("scales", args.scales, max_of(1, c.num_heads), device);
  check_overlap(args);  // of tensors that are all known to be sound
}

}  // namespace weft
