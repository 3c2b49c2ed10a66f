// SPDX-License-Identifier: Apache-2.0
// The trace readers: what real files say, and the line of what is wrong in bad ones.
#include <gtest/gtest.h>

#include <string>

#include "tools/weft/trace.h"

namespace weft::cli {
namespace {

const std::string kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
const std::string kRow = "2023-11-16 18:15:46.6805900,374,44\n";
const std::string kMooncake =
    R"({"timestamp": 27482, "input_length": 600, "output_length": 52, "hash_ids": [46, 47]})";

TEST(AzureTrace, ReadsLengthsAndArrivals) {
  const Trace trace = parse_trace(kHeader + kRow + "2023-11-17 00:00:00.0000000,396,109");
  EXPECT_EQ(trace.format, "azure csv");
  ASSERT_EQ(trace.requests.size(), 2u);
  EXPECT_EQ(trace.requests[0].arrival_s, 0.0);
  EXPECT_NEAR(trace.requests[1].arrival_s, 5 * 3600 + 44 * 60 + 13.31941, 1e-5);
  EXPECT_EQ(trace.requests[1].prompt_tokens, 396);
  EXPECT_EQ(trace.requests[1].generated_tokens, 109);
  EXPECT_TRUE(trace.requests[1].blocks.empty());
}

TEST(AzureTrace, ReadsCarriageReturns) {
  const Trace trace = parse_trace(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
      "2023-11-16 18:15:46.6805900,374,44\r\n");
  ASSERT_EQ(trace.requests.size(), 1u);
  EXPECT_EQ(trace.requests[0].generated_tokens, 44);
}

TEST(AzureTrace, CrossesALeapDay) {
  const Trace trace = parse_trace(kHeader + "2024-02-28 23:59:59,1,1\n2024-03-01 00:00:00,1,1\n");
  EXPECT_EQ(trace.requests[1].arrival_s, 86401.0);
}

TEST(MooncakeTrace, ReadsBlocksAndNumbersThem) {
  const std::string second =
      R"({"timestamp": 28482, "input_length": 512, "output_length": 1, "hash_ids": [46]})";
  const Trace trace = parse_trace(kMooncake + "\n" + second + "\n");
  EXPECT_EQ(trace.format, "mooncake jsonl");
  ASSERT_EQ(trace.requests.size(), 2u);
  EXPECT_EQ(trace.requests[1].arrival_s, 1.0);
  EXPECT_EQ(trace.requests[0].blocks, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(trace.requests[1].blocks, (std::vector<int32_t>{0}));
}

struct BadFile {
  const char* name;
  std::string text;
  const char* error;  // a part of the message
};

class BadTrace : public testing::TestWithParam<BadFile> {};

TEST_P(BadTrace, NamesTheLine) {
  try {
    parse_trace(GetParam().text);
    FAIL() << "no error";
  } catch (const TraceError& error) {
    EXPECT_NE(std::string(error.what()).find(GetParam().error), std::string::npos) << error.what();
  }
}

std::string mooncake(const std::string& from, const std::string& to) {
  std::string text = kMooncake;
  return kMooncake + "\n" + text.replace(text.find(from), from.size(), to);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadTrace,
    testing::Values(
        BadFile{"empty", "", "line 1: expected the header"},
        BadFile{"binary", std::string("\x7f\0ELF", 5), "line 1: expected the header"},
        BadFile{"header_only", kHeader, "line 1: expected a request"},
        BadFile{"cut_in_time", kHeader + kRow + "2023-11-16 18:1", "line 3: expected three fields"},
        BadFile{"cut_after_context", kHeader + kRow + "2023-11-16 18:15:46.68,374",
                "line 3: expected three fields"},
        BadFile{"cut_before_generated", kHeader + "2023-11-16 18:15:46.68,374,",
                "line 2: expected GeneratedTokens"},
        BadFile{"negative", kHeader + "2023-11-16 18:15:46.68,-3,4", "ContextTokens"},
        BadFile{"zero", kHeader + "2023-11-16 18:15:46.68,0,4", "ContextTokens"},
        BadFile{"huge", kHeader + "2023-11-16 18:15:46.68,99999999999999999999,4", "ContextTokens"},
        BadFile{"float", kHeader + "2023-11-16 18:15:46.68,3.5,4", "ContextTokens"},
        BadFile{"blank_number", kHeader + "2023-11-16 18:15:46.68, 3,4", "ContextTokens"},
        BadFile{"month_13", kHeader + "2023-13-16 18:15:46.68,3,4", "line 2: expected a time"},
        BadFile{"bad_mark", kHeader + "2023-11-16 18.15:46.68,3,4", "line 2: expected a time"},
        BadFile{"not_a_fraction", kHeader + "2023-11-16 18:15:46.6x,3,4", "expected a time"},
        BadFile{"four_fields", kHeader + "2023-11-16 18:15:46,3,4,5", "three fields"},
        BadFile{"blank_line", kHeader + "\n" + kRow, "line 2: expected three fields"},
        BadFile{"disordered", kHeader + kRow + "2022-11-16 18:15:46,3,4", "line 3: expected req"},
        BadFile{"json_cut", mooncake("\"hash", "\"hash").substr(0, 120), "line 2: column"},
        BadFile{"json_array", kMooncake + "\n[1]", "line 2: expected an object"},
        BadFile{"json_missing", mooncake("output_length", "outputlength"),
                "line 2: \"output_length\": expected"},
        BadFile{"json_text", mooncake("52", "\"52\""), "line 2: output_length: expected"},
        BadFile{"json_negative", mooncake("600", "-600"), "line 2: input_length: expected"},
        BadFile{"json_huge", mooncake("600", "1e300"), "line 2: input_length: expected"},
        BadFile{"json_few_ids", mooncake(", 47", ""), "line 2: hash_ids: expected 2"},
        BadFile{"json_id_text", mooncake("47", "\"x\""), "line 2: expected an integer"},
        BadFile{"json_deep", kMooncake + "\n" + std::string(100000, '['), "line 2: column 34"},
        BadFile{"json_deep_member", kMooncake + "\n{\"a\":" + std::string(100000, '['), "levels"},
        BadFile{"json_two", kMooncake + kMooncake, "line 1: column"}),
    [](const auto& info) { return info.param.name; });

TEST(ReadTrace, NamesAMissingFile) {
  try {
    read_trace("/nonexistent/trace.csv");
    FAIL() << "no error";
  } catch (const TraceError& error) {
    EXPECT_STREQ(error.what(), "/nonexistent/trace.csv: cannot be opened");
  }
}

TEST(ReadTrace, ReadsTheCutInTheTree) {
  const Trace trace =
      read_trace(std::string(WEFT_SOURCE_DIR) + "/data/traces/azure_llm_2023_conv_300.csv");
  EXPECT_EQ(trace.requests.size(), 300u);
}

}  // namespace
}  // namespace weft::cli
