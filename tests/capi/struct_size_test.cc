// SPDX-License-Identifier: Apache-2.0
// Convention 4 of c_api.h: init of every struct at every size, callers compiled with older and with
// newer headers.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/capi/small_attention.h"
#include "weft/c_activation.h"
#include "weft/c_cuda.h"
#include "weft/c_logprobs.h"
#include "weft/c_norm.h"
#include "weft/c_packbits.h"

namespace weft::capi_test {
namespace {

struct InitRow {
  const char* name;
  size_t size;
  size_t alignment;
  weft_status (*init)(void* memory, size_t struct_size);
};

#define INIT(T)                                                                  \
  {                                                                              \
#T, sizeof(T), alignof(T), [](void* memory, size_t size) {                     \
      return T##_init(static_cast<T*>(memory), size); /* as its caller writes it */ \
    } \
  }

const std::vector<InitRow>& init_rows() {
  static const std::vector<InitRow> rows = {
      INIT(weft_target),
      INIT(weft_rope_form),
      INIT(weft_executor),
      INIT(weft_allocator),
      INIT(weft_attention_config),
      INIT(weft_attention_batch),
      INIT(weft_attention_args),
      INIT(weft_attention_plan_info),
      INIT(weft_append_config),
      INIT(weft_append_args),
      INIT(weft_merge_config),
      INIT(weft_merge_args),
      INIT(weft_sampling_config),
      INIT(weft_sampling_args),
      INIT(weft_filter_args),
      INIT(weft_topk_config),
      INIT(weft_topk_args),
      INIT(weft_verify_config),
      INIT(weft_verify_args),
      INIT(weft_merge_pair_args),
      INIT(weft_rope_config),
      INIT(weft_rope_args),
      INIT(weft_cuda_options),
      INIT(weft_sampling_config),
      INIT(weft_sampling_args),
      INIT(weft_filter_args),
      INIT(weft_topk_config),
      INIT(weft_topk_args),
      INIT(weft_verify_config),
      INIT(weft_verify_args),
      INIT(weft_logprobs_config),
      INIT(weft_logprobs_args),
      INIT(weft_packbits_config),
      INIT(weft_packbits_args),
      INIT(weft_norm_config),
      INIT(weft_norm_args),
      INIT(weft_activation_config),
      INIT(weft_activation_args),
      {"weft_target_host", sizeof(weft_target), alignof(weft_target),
       [](void* memory, size_t size) {
         return weft_target_host(static_cast<weft_target*>(memory), size);
       }},
      {"weft_target_h200", sizeof(weft_target), alignof(weft_target),
       [](void* memory, size_t size) {
         return weft_target_h200(static_cast<weft_target*>(memory), size);
       }},
  };
  return rows;
}

constexpr size_t kRoom = 8192;

struct Memory {
  Memory() { std::memset(bytes, 0xee, sizeof(bytes)); }
  bool untouched_from(size_t begin) const {
    for (size_t i = begin; i < kRoom; ++i) {
      if (bytes[i] != 0xee) return false;
    }
    return true;
  }
  uint32_t struct_size() const {
    uint32_t size = 0;
    std::memcpy(&size, bytes, sizeof(size));
    return size;
  }
  alignas(16) unsigned char bytes[kRoom];
};

TEST(StructSize, InitWritesWhatTheCallerHasAndNoMore) {
  for (const InitRow& row : init_rows()) {
    Memory full;
    ASSERT_EQ(row.init(full.bytes, row.size), WEFT_STATUS_OK) << row.name;
    for (size_t size = 8; size <= row.size + 64; size += row.alignment) {
      Memory memory;
      ASSERT_EQ(row.init(memory.bytes, size), WEFT_STATUS_OK) << row.name << " " << size;
      EXPECT_EQ(memory.struct_size(), size) << row.name;
      EXPECT_TRUE(memory.untouched_from(size)) << row.name << " " << size;
      const size_t known = std::min(size, row.size);
      EXPECT_EQ(std::memcmp(memory.bytes + 4, full.bytes + 4, known - 4), 0) << row.name;
      for (size_t i = row.size; i < size; ++i) EXPECT_EQ(memory.bytes[i], 0) << row.name;
    }
  }
}

TEST(StructSize, InitRefusesSizesNoStructHas) {
  for (const InitRow& row : init_rows()) {
    for (size_t size : {size_t{0}, size_t{4}, row.size + 1, row.size - 2, size_t{5000}, SIZE_MAX}) {
      Memory memory;
      EXPECT_EQ(row.init(memory.bytes, size), WEFT_STATUS_INVALID_ARGUMENT) << row.name << size;
      EXPECT_TRUE(last_error_has({".struct_size: expected the sizeof of the struct, "}));
      EXPECT_TRUE(memory.untouched_from(0)) << row.name;
    }
    EXPECT_EQ(row.init(nullptr, row.size), WEFT_STATUS_INVALID_ARGUMENT) << row.name;
    EXPECT_TRUE(last_error_has({": expected a struct, got NULL"}));
  }
}

// The caller's struct ends before `field`: what lies there is not weft's to read.
template <class T, class F>
T older(const T& now, F T::*field) {
  T out = now;
  const auto size =
      static_cast<uint32_t>(reinterpret_cast<char*>(&(out.*field)) - reinterpret_cast<char*>(&out));
  std::memset(reinterpret_cast<char*>(&out) + size, 0xee, sizeof(T) - size);
  out.struct_size = size;
  return out;
}

TEST(StructSize, FieldsAnOlderCallerLacksTakeTheirDefaults) {
  SmallAttention small;
  const weft_attention_args now = small.args;
  ASSERT_EQ(small.step(), WEFT_STATUS_OK) << weft_last_error();
  const std::vector<char> bits(small.data.o.data(), small.data.o.data() + small.data.o.size());

  small.data.poison_outputs();
  small.args = older(now, &weft_attention_args::k_scales);
  ASSERT_EQ(small.step(), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(std::memcmp(bits.data(), small.data.o.data(), bits.size()), 0);

  // Cut before the outputs: they are absent, and the message says so.
  small.args = older(now, &weft_attention_args::o);
  EXPECT_EQ(small.step(), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"o: expected", "got nothing"})) << weft_last_error();

  // A config without `rope` and without the limits.
  weft_attention_t made = nullptr;
  weft_attention_config config = older(small.config, &weft_attention_config::rope);
  EXPECT_EQ(weft_attention_create(&config, nullptr, nullptr, &made), WEFT_STATUS_OK);
  EXPECT_EQ(weft_attention_destroy(made), WEFT_STATUS_OK);
  config = older(small.config, &weft_attention_config::max_nnz_qo);
  EXPECT_EQ(weft_attention_create(&config, nullptr, nullptr, &made), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"max_nnz_qo: expected", "got 0"})) << weft_last_error();
}

// A caller whose struct has 16 more bytes.
template <class T>
struct Newer {
  explicit Newer(const T& from) : now(from) { now.struct_size = sizeof(Newer); }
  T now;
  char tail[16] = {};
};

TEST(StructSize, FieldsOfANewerCallerMustBeUnset) {
  SmallAttention small;
  Newer config(small.config);
  weft_attention_t made = nullptr;
  EXPECT_EQ(weft_attention_create(&config.now, nullptr, nullptr, &made), WEFT_STATUS_OK)
      << weft_last_error();
  EXPECT_EQ(weft_attention_destroy(made), WEFT_STATUS_OK);
  config.tail[9] = 1;
  EXPECT_EQ(weft_attention_create(&config.now, nullptr, nullptr, &made), WEFT_STATUS_UNSUPPORTED);
  EXPECT_EQ(made, nullptr);
  EXPECT_TRUE(last_error_has(
      {"config.struct_size: expected zeros beyond the 80 bytes", "a field set at byte 89"}))
      << weft_last_error();

  Newer args(small.args);
  ASSERT_EQ(small.step(), WEFT_STATUS_OK);
  EXPECT_EQ(weft_attention_run(small.attention, small.plan, &args.now, nullptr), WEFT_STATUS_OK);
  args.tail[0] = 1;
  EXPECT_EQ(weft_attention_run(small.attention, small.plan, &args.now, nullptr),
            WEFT_STATUS_UNSUPPORTED);

  // What the library writes: its fields, then zeros.
  Newer info(weft_attention_plan_info{});
  std::memset(info.tail, 0xee, sizeof(info.tail));
  EXPECT_EQ(weft_attention_plan_get_info(small.plan, &info.now), WEFT_STATUS_OK);
  EXPECT_EQ(info.now.batch_size, 2);
  EXPECT_EQ(info.now.struct_size, sizeof(info));
  for (char byte : info.tail) EXPECT_EQ(byte, 0);
}

TEST(StructSize, AStructThatWasNeverInitialisedIsRefused) {
  SmallAttention small;
  small.args.struct_size = 0;
  EXPECT_EQ(small.step(), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"args.struct_size", "(use its init), got 0"})) << weft_last_error();
  small.batch.struct_size = 12;
  EXPECT_EQ(small.step(), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"batch.struct_size", "got 12"})) << weft_last_error();
  weft_attention_plan_info info{};
  EXPECT_EQ(weft_attention_plan_get_info(small.plan, &info), WEFT_STATUS_INVALID_ARGUMENT);
  weft_executor executor{};
  EXPECT_EQ(weft_attention_plan(small.attention, &small.batch, small.plan, &executor),
            WEFT_STATUS_INVALID_ARGUMENT);
}

TEST(StructSize, ReservedFieldsMustBeZero) {
  SmallAttention small;
  small.batch.reserved = 1;
  EXPECT_EQ(small.step(), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"reserved", "got 1"})) << weft_last_error();
  small.config.reserved = 7;
  weft_attention_t made = nullptr;
  EXPECT_EQ(weft_attention_create(&small.config, nullptr, nullptr, &made),
            WEFT_STATUS_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace weft::capi_test
