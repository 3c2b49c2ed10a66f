// SPDX-License-Identifier: Apache-2.0
// Everything activation refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "src/base/overlap.h"
#include "src/ops/activation/rooms.h"

namespace weft {

TensorView gate_of(const ActivationConfig& c, const ActivationArgs& args) {
  return args.x.slice(1, 0, c.hidden);
}

TensorView up_of(const ActivationConfig& c, const ActivationArgs& args) {
  return args.x.slice(1, c.hidden, 2 * int64_t{c.hidden});
}

void check_activation_args(const ActivationConfig& c, Device device, const ActivationArgs& args) {
  check_tensor("x", args.x, c.dtype, {kAnySize, 2 * int64_t{c.hidden}}, device);
  check_output("out", args.out, c.dtype_out, {args.x.shape[0], c.hidden}, device);
  check_scale("scale", args.scale);
  if (args.scales.given()) check_scales("scales", args.scales, 1, device);
  const TensorView gate = gate_of(c, args), up = up_of(c, args);
  const Extent out = extent_of("out", args.out);
  check_apart({out}, {extent_of("x", up), extent_of("scales", args.scales)});
  if (!is_same_view(gate, args.out)) check_apart({out}, {extent_of("x", gate)});
}

}  // namespace weft
