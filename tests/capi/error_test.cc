// SPDX-License-Identifier: Apache-2.0
// weft_last_error: one per thread, kept over calls that succeed, cut when long. Text buffers, and
// handles of the wrong kind.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/capi/small_attention.h"

namespace weft::capi_test {
namespace {

TEST(Error, EachThreadHasItsOwn) {
  int32_t value = 0;
  ASSERT_EQ(weft_dtype_from_name("of this thread", &value), WEFT_STATUS_INVALID_ARGUMENT);
  const std::string mine = weft_last_error();
  EXPECT_NE(mine.find("got of this thread"), std::string::npos) << mine;
  std::string before;
  std::string after;
  std::thread([&] {
    before = weft_last_error();
    weft_dtype_from_name("of the other", &value);
    after = weft_last_error();
  }).join();
  EXPECT_EQ(before, "");
  EXPECT_NE(after.find("got of the other"), std::string::npos) << after;
  EXPECT_EQ(weft_last_error(), mine);
}

TEST(Error, ManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&wrong, t] {
      const std::string name = "name" + std::to_string(t);
      int32_t value = 0;
      for (int i = 0; i < 2000; ++i) {
        weft_dtype_from_name(name.c_str(), &value);
        if (!last_error_has({("got " + name).c_str()})) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int count : wrong) EXPECT_EQ(count, 0);
}

TEST(Error, StaysOverCallsThatSucceed) {
  int32_t value = 0;
  weft_dtype_from_name("nothing", &value);
  const std::string message = weft_last_error();
  ASSERT_EQ(weft_dtype_from_name("f32", &value), WEFT_STATUS_OK);
  EXPECT_EQ(weft_last_error(), message);
}

TEST(Error, ALongMessageIsCutBetweenCharacters) {
  int32_t value = 0;
  for (size_t pad = 0; pad < 4; ++pad) {
    std::string name(pad, 'x');
    for (int i = 0; i < 2000; ++i) name += "\xc3\xa9";  // e acute, two bytes
    EXPECT_EQ(weft_dtype_from_name(name.c_str(), &value), WEFT_STATUS_INVALID_ARGUMENT);
    const std::string message = weft_last_error();
    EXPECT_GE(message.size(), 1021u);
    EXPECT_LE(message.size(), 1023u);
    EXPECT_EQ(message.substr(message.size() - 2), "\xc3\xa9");
  }
}

TEST(Error, AHandleOfAnotherKindIsRefused) {
  SmallAttention s;
  const auto as_attention = reinterpret_cast<weft_attention_t>(s.plan);
  const auto as_plan = reinterpret_cast<weft_attention_plan_t>(s.attention);
  size_t bytes = 0;
  EXPECT_EQ(weft_attention_workspace_bytes(as_attention, &bytes), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"attention: expected a weft_attention_t, got another kind"}))
      << weft_last_error();
  EXPECT_EQ(weft_attention_run(s.attention, as_plan, &s.args, nullptr),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_attention_plan_destroy(as_plan), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(weft_merge_destroy(reinterpret_cast<weft_merge_t>(s.plan)),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();  // both still live
}

TEST(Error, TextFitsOrNothingIsWritten) {
  SmallAttention s;
  size_t length = 0;
  ASSERT_EQ(weft_attention_explain(s.attention, nullptr, 0, &length), WEFT_STATUS_OK);
  ASSERT_GT(length, 20u);
  for (size_t capacity : {size_t{0}, size_t{1}, length}) {
    std::vector<char> buffer(length + 8, '#');
    size_t again = 0;
    EXPECT_EQ(weft_attention_explain(s.attention, buffer.data(), capacity, &again),
              WEFT_STATUS_OUT_OF_LIMITS);
    EXPECT_EQ(again, length);
    EXPECT_TRUE(last_error_has({"capacity: expected at least", "got "})) << weft_last_error();
    EXPECT_EQ(std::string(buffer.begin(), buffer.end()), std::string(length + 8, '#'));
  }
  std::vector<char> buffer(length + 8, '#');
  ASSERT_EQ(weft_attention_explain(s.attention, buffer.data(), length + 1, nullptr),
            WEFT_STATUS_OK);
  EXPECT_EQ(std::strlen(buffer.data()), length);
  EXPECT_EQ(buffer[length + 1], '#');
  EXPECT_NE(std::string(buffer.data()).find("attention q f32, kv f32"), std::string::npos);
}

TEST(Error, RunBeforePlanAndPlansOfOthers) {
  SmallAttention s;
  SmallAttention other;
  EXPECT_EQ(weft_attention_run(s.attention, s.plan, &s.args, nullptr),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"plan: expected a plan that holds a batch"})) << weft_last_error();
  weft_attention_plan_info info;
  weft_attention_plan_info_init(&info, sizeof(info));
  EXPECT_EQ(weft_attention_plan_get_info(s.plan, &info), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(info.batch_size, 0);
  EXPECT_EQ(info.balance, 1.0);
  // Of an equal config: works. Of another: refused.
  std::swap(s.plan, other.plan);
  EXPECT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();
  std::swap(s.plan, other.plan);
  weft_attention_t larger = nullptr;
  s.config.max_batch_size += 1;
  ASSERT_EQ(weft_attention_create(&s.config, nullptr, nullptr, &larger), WEFT_STATUS_OK);
  EXPECT_EQ(weft_attention_plan(larger, &s.batch, s.plan, nullptr), WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"plan: expected a plan of an Attention with the same config"}))
      << weft_last_error();
  EXPECT_EQ(weft_attention_destroy(larger), WEFT_STATUS_OK);
}

}  // namespace
}  // namespace weft::capi_test
