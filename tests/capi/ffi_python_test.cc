// SPDX-License-Identifier: Apache-2.0
// weft_python_call with a Python of the test's own: objects with a head and a class, and functions
// that read them. The bits of the plain call, what it takes, and what it leaves to others.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/capi/small_attention.h"
#include "tests/cases/run_case.h"
#include "weft/c_ffi.h"

namespace weft::capi_test {
namespace {

// Addresses are all that classes need.
const char kNoneType = 0, kBoolType = 0, kIntType = 0, kFloatType = 0, kTensorType = 0,
           kOtherType = 0;

struct Object {
  intptr_t references = 1;
  const void* type = nullptr;
  int64_t i64 = 0;
  double f64 = 0.0;
  const weft_tensor* tensor = nullptr;
};
Object none{1, &kNoneType};

bool error_set = false;
int released = 0;
int asked_device = -1;
Object given_back;

Object* object(void* pointer) { return static_cast<Object*>(pointer); }
long long as_int(void* from) {
  error_set = error_set || object(from)->i64 == -77;  // an integer beyond 64 bits
  return object(from)->i64;
}
double as_float(void* from) { return object(from)->f64; }
void* from_int(long value) {
  given_back = {1, &kIntType, value};
  return &given_back;
}
void* error_occurred() { return error_set ? &none : nullptr; }
void* release() {
  ++released;
  return &released;
}
void acquire(void* state) { EXPECT_EQ(state, &released); }
int tensor_of(void* from, weft_tensor* tensor) {
  *tensor = *object(from)->tensor;
  return 0;
}
int current_stream(int32_t, int32_t device_id, void** stream) {
  asked_device = device_id;
  *stream = nullptr;
  return 0;
}

weft_python python() {
  return {sizeof(weft_python), 0,         &none,          &kBoolType, &kIntType, &kFloatType,
          &kTensorType,        tensor_of, current_stream, as_int,     as_float,  from_int,
          error_occurred,      release,   acquire};
}

const weft_field kRunFields[] = {
    {"q", WEFT_FIELD_TENSOR, offsetof(weft_attention_args, q)},
    {"k", WEFT_FIELD_TENSOR_PAIR, offsetof(weft_attention_args, k)},
    {"o", WEFT_FIELD_TENSOR, offsetof(weft_attention_args, o)},
    {"lse", WEFT_FIELD_TENSOR, offsetof(weft_attention_args, lse)},
    {"sm_scale", WEFT_FIELD_F32_POINTER, offsetof(weft_attention_args, sm_scale)},
    {"window_left", WEFT_FIELD_I32, offsetof(weft_attention_args, window_left)},
};

/// The arguments of a run of SmallAttention, as Python's objects.
struct PythonRun {
  explicit PythonRun(SmallAttention& s) {
    error_set = false;
    asked_device = -1;
    weft_attention_args_init(&defaults, sizeof(defaults));
    call = {sizeof(call),
            WEFT_CALL_HANDLE_ARGS,
            6,
            sizeof(defaults),
            &defaults,
            kRunFields,
            reinterpret_cast<void*>(&weft_attention_run),
            nullptr};
    number(&call), add(none), number(s.attention), number(s.plan);
    for (const weft_tensor* t : {s.args.q, s.args.k, s.args.v, s.args.o, s.args.lse}) {
      add({1, &kTensorType, 0, 0.0, t});
    }
    add({1, &kFloatType, 0, 0.25});
    add({1, &kIntType, 2});
    const weft_python found = python();
    EXPECT_EQ(weft_python_bind(&found), WEFT_STATUS_OK) << weft_last_error();
  }
  void add(Object made) { objects.push_back(made); }
  void number(const void* address) {
    add({1, &kIntType, static_cast<int64_t>(reinterpret_cast<intptr_t>(address))});
  }
  /// What the call gives back; nothing is told apart as -1000.
  long invoke() {
    std::vector<void*> args;
    for (Object& o : objects) args.push_back(o.type == &kNoneType ? &none : &o);
    void* got = weft_python_call(nullptr, args.data(), static_cast<intptr_t>(args.size()));
    return got == nullptr ? -1000 : static_cast<long>(object(got)->i64);
  }
  weft_attention_args defaults;
  weft_call call;
  std::vector<Object> objects;
};

TEST(FfiPython, GivesTheBitsOfThePlainCall) {
  SmallAttention s;
  float scale = 0.25f;
  s.args.sm_scale = &scale;
  s.args.window_left = 2;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();
  const std::vector<char> expected = cases::output_bits(s.data);
  std::memset(s.args.o->data, 0, 3 * 32 * sizeof(float));
  PythonRun run(s);
  released = 0;
  ASSERT_EQ(run.invoke(), 0) << weft_last_error();
  EXPECT_EQ(cases::output_bits(s.data), expected);
  EXPECT_EQ(released, 1);
}

TEST(FfiPython, ObjectsOfOtherClassesAreLeftAlone) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK);
  PythonRun run(s);
  run.objects[4].type = &kOtherType;
  released = 0;
  EXPECT_EQ(run.invoke(), -1);
  EXPECT_EQ(released, 0);
  PythonRun many(s);
  many.objects.resize(41, none);
  EXPECT_EQ(many.invoke(), -1);
}

TEST(FfiPython, WrongValuesAreAStatusThatNamesThem) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK);
  PythonRun run(s);
  run.objects[10] = {1, &kFloatType, 0, 1.5};
  EXPECT_EQ(run.invoke(), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"window_left", "an integer"})) << weft_last_error();
  PythonRun big(s);
  big.objects[10].i64 = -77;
  EXPECT_EQ(big.invoke(), -1000);  // Python's own exception stands
  error_set = false;
  PythonRun few(s);
  few.objects.pop_back();
  EXPECT_EQ(few.invoke(), WEFT_STATUS_INVALID_ARGUMENT);
}

TEST(FfiPython, AsksForTheStreamOfTheFirstCudaTensor) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK);
  SmallAttention::Copy q(*s.args.q);
  q.t.device = {static_cast<decltype(q.t.device.device_type)>(WEFT_DEVICE_CUDA), 3};
  PythonRun run(s);
  run.objects[4].tensor = &q.t;
  EXPECT_EQ(run.invoke(), WEFT_STATUS_INVALID_ARGUMENT);  // the run refuses it, here on the CPU
  EXPECT_EQ(asked_device, 3);
  PythonRun given(s);
  given.objects[4].tensor = &q.t;
  given.objects[1] = {1, &kIntType, 0};
  EXPECT_EQ(given.invoke(), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(asked_device, -1);
}

TEST(FfiPython, BindingRefusesWhatItDoesNotKnow) {
  weft_python wrong = python();
  wrong.reserved = 1;
  EXPECT_EQ(weft_python_bind(&wrong), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"reserved"})) << weft_last_error();
  EXPECT_EQ(weft_python_bind(nullptr), WEFT_STATUS_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace weft::capi_test
