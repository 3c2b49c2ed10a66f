// SPDX-License-Identifier: Apache-2.0
// Everything packbits refuses, before anything is written. The passing path allocates nothing.
#include "src/base/check.h"

#include "src/base/overlap.h"
#include "src/ops/packbits/rooms.h"

namespace weft {
namespace {

void check_segments(const PackBitsArgs& args) {
  const int32_t* indptr = static_cast<const int32_t*>(args.indptr.data);
  const int32_t* bytes = static_cast<const int32_t*>(args.out_indptr.data);
  const int64_t count = args.indptr.shape[0] - 1;
  if (indptr[0] < 0) {
    fail(ErrorKind::invalid_argument, "indptr", "indptr[0] >= 0", std::to_string(indptr[0]));
  }
  if (bytes[0] < 0) {
    fail(ErrorKind::invalid_argument, "out_indptr", "out_indptr[0] >= 0", std::to_string(bytes[0]));
  }
  for (int64_t s = 0; s < count; ++s) {
    if (indptr[s + 1] < indptr[s]) {
      fail(ErrorKind::invalid_argument, "indptr",
           "non-decreasing, " + element("indptr", s + 1) + " >= " + std::to_string(indptr[s]),
           std::to_string(indptr[s + 1]));
    }
    const int64_t least = bytes[s] + (int64_t{indptr[s + 1]} - indptr[s] + 7) / 8;
    if (bytes[s + 1] < least) {
      fail(ErrorKind::invalid_argument, "out_indptr",
           element("out_indptr", s + 1) + " >= " + std::to_string(least),
           std::to_string(bytes[s + 1]));
    }
  }
  if (indptr[count] > args.x.shape[0]) {
    fail(ErrorKind::invalid_argument, "indptr", "at most nnz = " + std::to_string(args.x.shape[0]),
         std::to_string(indptr[count]));
  }
  if (bytes[count] > args.out.shape[0]) {
    fail(ErrorKind::invalid_argument, "out",
         "at least out_indptr[-1] = " + std::to_string(bytes[count]) + " bytes",
         std::to_string(args.out.shape[0]));
  }
}

}  // namespace

void check_packbits_args(Device device, const PackBitsArgs& args) {
  check_tensor("x", args.x, DType::u8, {kAnySize}, device);
  const int64_t nnz = args.x.shape[0];
  if (args.indptr.given()) {
    check_tensor("indptr", args.indptr, DType::i32, {at_least(1)}, device);
    check_tensor("out_indptr", args.out_indptr, DType::i32, {args.indptr.shape[0]}, device);
    check_output("out", args.out, DType::u8, {kAnySize}, device);
    if (device.type == DeviceType::cpu) check_segments(args);
  } else {
    refuse_given("out_indptr", args.out_indptr, "without indptr");
    check_output("out", args.out, DType::u8, {at_least(nnz / 8 + (nnz % 8 != 0 ? 1 : 0))}, device);
  }
  check_apart({extent_of("out", args.out)},
              {extent_of("x", args.x), extent_of("indptr", args.indptr),
               extent_of("out_indptr", args.out_indptr)});
}

}  // namespace weft
