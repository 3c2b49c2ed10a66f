// SPDX-License-Identifier: Apache-2.0
// Targets, rope forms, executors and text across the C ABI. The enums of c_api.h repeat the values
// of the C++ ones; the assertions here are what keeps them the same.
#include "src/api/c_values.h"

#include <cstring>

#include "src/api/c_struct.h"

namespace weft::capi {

static_assert(WEFT_ISA_SCALAR == int(Isa::scalar) && WEFT_ISA_AVX2 == int(Isa::avx2) &&
              WEFT_ISA_AVX512 == int(Isa::avx512) &&
              WEFT_ISA_AVX512_BF16 == int(Isa::avx512_bf16) &&
              WEFT_ISA_AMX_BF16 == int(Isa::amx_bf16));
static_assert(WEFT_ROPE_NONE == int(RopeMode::none) && WEFT_ROPE_NEOX == int(RopeMode::neox) &&
              WEFT_ROPE_INTERLEAVED == int(RopeMode::interleaved));

weft_target to_c(const Target& target) {
  const bool cuda = target.device == DeviceType::cuda;
  return {.struct_size = sizeof(weft_target),
          .device_type = cuda ? WEFT_DEVICE_CUDA : WEFT_DEVICE_CPU,
          .device_index = target.device_index,
          .isa = static_cast<int32_t>(target.isa),
          .fast_bf16 = target.fast_bf16,
          .num_threads = target.num_threads,
          .arch = target.arch,
          .num_sms = target.num_sms,
          .smem_per_sm = target.smem_per_sm,
          .num_workers = target.num_workers,
          .l2_bytes = target.l2_bytes};
}

Target to_target(const weft_target* in) {
  if (in == nullptr) return Target::host();
  const weft_target c = read_struct("target", in, to_c(Target{}));
  check_range("target.device_type", c.device_type, WEFT_DEVICE_CPU, WEFT_DEVICE_CUDA);
  Target target;
  target.device = c.device_type == WEFT_DEVICE_CUDA ? DeviceType::cuda : DeviceType::cpu;
  target.device_index = c.device_index;
  target.isa = to_enum("target.isa", c.isa, Isa::amx_bf16);
  target.fast_bf16 = to_bool("target.fast_bf16", c.fast_bf16);
  target.num_threads = c.num_threads;
  target.arch = c.arch;
  target.num_sms = c.num_sms;
  target.smem_per_sm = c.smem_per_sm;
  target.num_workers = c.num_workers;
  target.l2_bytes = c.l2_bytes;
  return target;
}

weft_rope_form to_c(const Rope& rope) {
  return {.struct_size = sizeof(weft_rope_form),
          .mode = static_cast<int32_t>(rope.mode),
          .dim = rope.dim,
          .theta = rope.theta,
          .scale = rope.scale,
          .llama31 = rope.llama31,
          .low_freq_factor = rope.low_freq_factor,
          .high_freq_factor = rope.high_freq_factor,
          .old_context_len = rope.old_context_len};
}

Rope to_rope(const weft_rope_form* in) {
  if (in == nullptr) return {};
  const weft_rope_form c = read_struct("rope", in, to_c(Rope{}));
  return {.mode = to_enum("rope.mode", c.mode, RopeMode::interleaved),
          .dim = c.dim,
          .theta = c.theta,
          .scale = c.scale,
          .llama31 = to_bool("rope.llama31", c.llama31),
          .low_freq_factor = c.low_freq_factor,
          .high_freq_factor = c.high_freq_factor,
          .old_context_len = c.old_context_len};
}

ExecutorHolder::ExecutorHolder(const weft_executor* in) {
  if (in == nullptr) return;
  weft_executor c{};
  c.struct_size = sizeof(c);
  c = read_struct("executor", in, c);
  executor_.stream = c.stream;
  if (c.parallel_for == nullptr) {
    if (c.num_threads == 0 && c.parallel_context == nullptr) return;
    fail(ErrorKind::invalid_argument, "executor.parallel_for",
         "a function beside num_threads or parallel_context", "NULL");
  }
  check_range("executor.num_threads", c.num_threads, 1, INT32_MAX);
  parallel_for_ = {
      .context = c.parallel_context, .run = c.parallel_for, .num_threads = c.num_threads};
  executor_.parallel_for = &parallel_for_;
}

void write_text(const std::string& text, char* buffer, size_t capacity, size_t* length) {
  if (buffer == nullptr && capacity > 0) {
    fail(ErrorKind::invalid_argument, "buffer", "memory for the capacity given", "NULL");
  }
  if (buffer == nullptr && length == nullptr) {
    fail(ErrorKind::invalid_argument, "length", "a place for the length when buffer is NULL",
         "NULL");
  }
  if (length != nullptr) *length = text.size();
  if (buffer == nullptr) return;
  if (capacity < text.size() + 1) {
    fail(ErrorKind::out_of_limits, "capacity", "at least " + std::to_string(text.size() + 1),
         std::to_string(capacity));
  }
  std::memcpy(buffer, text.c_str(), text.size() + 1);
}

void check_out(const char* argument, const void* pointer) {
  if (pointer == nullptr) {
    fail(ErrorKind::invalid_argument, argument, "a place for the result", "NULL");
  }
}

}  // namespace weft::capi
