// SPDX-License-Identifier: Apache-2.0
// The packed call of c_ffi.h, with values packed by hand as tvm-ffi packs them: the bits of the
// plain call, joined caches, streams, and every wrong value as a status.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/capi/small_attention.h"
#include "tests/cases/run_case.h"
#include "weft/c_ffi.h"

namespace weft::capi_test {
namespace {

// TVMFFIAny, as its specification writes it down.
struct Value {
  int32_t type = 0;
  uint32_t padding = 0;
  union {
    int64_t i64;
    double f64;
    const void* pointer;
  };
  Value() : i64(0) {}
  explicit Value(int64_t value) : type(1), i64(value) {}
  explicit Value(double value) : type(3), f64(value) {}
  explicit Value(const weft_tensor* tensor) : type(tensor == nullptr ? 0 : 7), pointer(tensor) {}
  static Value handle(const void* pointer) {
    Value value(reinterpret_cast<int64_t>(pointer));
    return value;
  }
};
static_assert(sizeof(Value) == 16);

const weft_field kRunFields[] = {
    {"q", WEFT_FIELD_TENSOR, offsetof(weft_attention_args, q)},
    {"k", WEFT_FIELD_TENSOR_PAIR, offsetof(weft_attention_args, k)},
    {"o", WEFT_FIELD_TENSOR, offsetof(weft_attention_args, o)},
    {"lse", WEFT_FIELD_TENSOR, offsetof(weft_attention_args, lse)},
    {"sm_scale", WEFT_FIELD_F32_POINTER, offsetof(weft_attention_args, sm_scale)},
    {"logits_soft_cap", WEFT_FIELD_F32, offsetof(weft_attention_args, logits_soft_cap)},
    {"window_left", WEFT_FIELD_I32, offsetof(weft_attention_args, window_left)},
};

struct RunCall {
  RunCall() {
    weft_attention_args_init(&defaults, sizeof(defaults));
    call = {sizeof(call),
            WEFT_CALL_HANDLE_ARGS,
            7,
            sizeof(defaults),
            &defaults,
            kRunFields,
            reinterpret_cast<void*>(&weft_attention_run),
            nullptr};
  }
  weft_attention_args defaults;
  weft_call call;
};

weft_status invoke(const std::vector<Value>& values) {
  Value result;
  EXPECT_EQ(weft_ffi_call(nullptr, values.data(), static_cast<int32_t>(values.size()), &result), 0);
  EXPECT_EQ(result.type, 1);
  return static_cast<weft_status>(result.i64);
}

std::vector<Value> values_of(const RunCall& run, const SmallAttention& s) {
  return {Value::handle(&run.call),
          Value(),
          Value::handle(s.attention),
          Value::handle(s.plan),
          Value(s.args.q),
          Value(s.args.k),
          Value(s.args.v),
          Value(s.args.o),
          Value(s.args.lse),
          Value(),
          Value(0.0),
          Value(int64_t{-1})};
}

TEST(Ffi, GivesTheBitsOfThePlainCall) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();
  const std::vector<char> expected = cases::output_bits(s.data);
  std::memset(s.args.o->data, 0, 3 * 32 * sizeof(float));
  const RunCall run;
  ASSERT_EQ(invoke(values_of(run, s)), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(cases::output_bits(s.data), expected);
}

TEST(Ffi, ValuesActAsTheFieldsThatTheyFill) {
  SmallAttention s;
  float scale = 0.25f;
  s.args.sm_scale = &scale;
  s.args.logits_soft_cap = 3.0f;
  s.args.window_left = 2;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();
  const std::vector<char> expected = cases::output_bits(s.data);
  const RunCall run;
  std::vector<Value> values = values_of(run, s);
  ASSERT_EQ(invoke(values), WEFT_STATUS_OK);
  EXPECT_NE(cases::output_bits(s.data), expected);
  values[9] = Value(0.25);
  values[10] = Value(int64_t{3});  // an integer serves where a number is wanted
  values[11] = Value(int64_t{2});
  ASSERT_EQ(invoke(values), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(cases::output_bits(s.data), expected);
}

TEST(Ffi, OneTensorIsSplitIntoKAndV) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK);
  const std::vector<char> expected = cases::output_bits(s.data);
  const weft_tensor& k = *s.args.k;
  const int64_t page = k.shape[1] * k.shape[2] * k.shape[3];
  std::vector<float> joined(static_cast<size_t>(2 * k.shape[0] * page));
  for (int64_t p = 0; p < k.shape[0]; ++p) {
    for (const auto& [half, from] : {std::pair{0, s.args.k}, std::pair{1, s.args.v}}) {
      const float* rows = static_cast<const float*>(from->data) + p * from->strides[0];
      std::memcpy(joined.data() + (2 * p + half) * page, rows,
                  static_cast<size_t>(page) * sizeof(float));
    }
  }
  int64_t shape[] = {k.shape[0], 2, k.shape[1], k.shape[2], k.shape[3]};
  weft_tensor both = k;
  both.data = joined.data();
  both.ndim = 5;
  both.shape = shape;
  both.strides = nullptr;
  both.byte_offset = 0;
  const RunCall run;
  std::vector<Value> values = values_of(run, s);
  values[5] = Value(&both);
  values[6] = Value();
  ASSERT_EQ(invoke(values), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(cases::output_bits(s.data), expected);
  shape[1] = 3;
  EXPECT_EQ(invoke(values), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"k", "[n, 2, ...]", "size 3"})) << weft_last_error();
}

TEST(Ffi, WrongValuesAreAStatusThatNamesThem) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK);
  const RunCall run;
  const std::vector<Value> good = values_of(run, s);
  struct Row {
    size_t at;
    Value value;
    std::initializer_list<const char*> message;
  };
  const Row rows[] = {{0, Value(), {"call"}},
                      {2, Value(), {"attention", "NULL"}},
                      {3, Value(1.5), {"plan", "a number"}},
                      {4, Value(int64_t{5}), {"q", "a tensor", "an integer"}},
                      {9, Value(s.args.q), {"sm_scale", "a number", "a tensor"}},
                      {11, Value(1.5), {"window_left", "an integer", "a number"}},
                      {11, Value(int64_t{1} << 40), {"window_left"}}};
  for (const Row& row : rows) {
    std::vector<Value> values = good;
    values[row.at] = row.value;
    EXPECT_EQ(invoke(values), WEFT_STATUS_INVALID_ARGUMENT) << row.at;
    EXPECT_TRUE(last_error_has(row.message)) << weft_last_error();
  }
  std::vector<Value> few(good.begin(), good.end() - 1);
  EXPECT_EQ(invoke(few), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"values"})) << weft_last_error();
  RunCall wrong;
  wrong.call.form = 9;
  EXPECT_EQ(invoke(values_of(wrong, s)), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"call.form"})) << weft_last_error();
}

// A tensor on a GPU asks for that device's stream; the run then refuses it, here on the CPU.
int asked_device = -1;
void* stream_of(int32_t, int32_t device_id) {
  asked_device = device_id;
  return nullptr;
}

TEST(Ffi, AsksForTheStreamOfTheFirstCudaTensor) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK);
  RunCall run;
  run.call.current_stream = stream_of;
  ASSERT_EQ(invoke(values_of(run, s)), WEFT_STATUS_OK);
  EXPECT_EQ(asked_device, -1);
  SmallAttention::Copy q(*s.args.q);
  q.t.device = {static_cast<decltype(q.t.device.device_type)>(WEFT_DEVICE_CUDA), 3};
  std::vector<Value> values = values_of(run, s);
  values[4] = Value(&q.t);
  EXPECT_EQ(invoke(values), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(asked_device, 3);
}

}  // namespace
}  // namespace weft::capi_test
