// SPDX-License-Identifier: Apache-2.0
// The program `weft` end to end: exit status, last line of JSON, and what a person sees when wrong.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tools/weft/json.h"

namespace weft::cli {
namespace {

const std::string kTrace =
    std::string(WEFT_SOURCE_DIR) + "/data/traces/azure_llm_2023_conv_300.csv";

struct Output {
  int status = -1;
  std::string text;  // both streams

  JsonValue json() const {
    const std::string body = text.substr(0, text.find_last_not_of('\n') + 1);
    return parse_json(body.substr(body.rfind('\n') + 1));
  }
};

Output weft(const std::string& arguments) {
  Output output;
  std::FILE* pipe = popen((std::string(WEFT_PROGRAM) + " " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    output.text.append(buffer, n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) output.status = WEXITSTATUS(status);
  return output;
}

std::string temporary(const std::string& name) { return testing::TempDir() + "/weft_cli_" + name; }

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Cli, ReplaysTheTraceInTheTree) {
  const std::string page = temporary("report.html"), events = temporary("events.json");
  const Output out = weft("replay " + kTrace + " --requests 5 --layers 2 --tp 8 --json --report " +
                          page + " --trace-events " + events);
  ASSERT_EQ(out.status, 0) << out.text;
  const JsonValue json = out.json();
  EXPECT_EQ(json.at("requests").number, 5);
  EXPECT_EQ(json.at("prompt_tokens").number, 374 + 396 + 879 + 91 + 91);
  EXPECT_EQ(json.at("generated_tokens").number, 44 + 109 + 55 + 16 + 16);
  EXPECT_GT(json.at("rows_checked").number, 100);
  EXPECT_EQ(json.at("rows_failed").number, 0);
  EXPECT_EQ(json.at("plans_failed").number, 0);
  EXPECT_NE(contents(page).find("</html>"), std::string::npos);
  EXPECT_FALSE(parse_json(contents(events)).at("traceEvents").array.empty());
}

TEST(Cli, GeneratesTheDemo) {
  const Output out = weft("generate --demo --json");
  ASSERT_EQ(out.status, 0) << out.text;
  EXPECT_NE(out.text.find("got      | tokyo.  ok"), std::string::npos);
  const JsonValue json = out.json();
  EXPECT_EQ(json.at("right").number, json.at("requests").number);
  EXPECT_GT(json.at("cached_tokens").number, 0);
  EXPECT_GT(json.at("mixed_steps").number, 0);
  EXPECT_GT(json.at("preemptions").number, 0);
}

TEST(Cli, MakesABundleOrNamesTheCompilerItLacks) {
  const std::string bundle = temporary("kernels.bundle"), configs = temporary("configs.jsonl");
  std::remove(bundle.c_str());
  std::ofstream(configs) << "# two of one spec, and one of another\n\n"
                            R"({"num_qo_heads": 8, "num_kv_heads": 2, "head_dim_qk": 64, )"
                            R"("page_size": 16, "max_batch_size": 4, "max_nnz_qo": 4})"
                            "\n"
                            R"({"num_qo_heads": 8, "num_kv_heads": 2, "head_dim_qk": 64, )"
                            R"("page_size": 32, "checked": true, )"
                            R"("max_batch_size": 4, "max_nnz_qo": 4})"
                            "\n";
  const Output out = weft("aot " + bundle + " " + configs + " --json");
  if (out.status == 1 && out.text.find("nvrtc") != std::string::npos) {
    EXPECT_EQ(contents(bundle), "");
    GTEST_SKIP() << "no NVRTC on this machine";
  }
  ASSERT_EQ(out.status, 0) << out.text;
  EXPECT_EQ(out.json().at("configs").number, 2);
  EXPECT_EQ(out.json().at("kernels").number, 3);  // planner, attention, the check
  EXPECT_GT(contents(bundle).size(), out.json().at("cubin_bytes").number);
  std::ofstream(configs) << R"({"num_qo_head": 8})";
  const Output wrong = weft("aot " + bundle + " " + configs);
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.text.find(":1: num_qo_head: no such field; did you mean num_qo_heads?"),
            std::string::npos)
      << wrong.text;
}

TEST(Cli, OnAGpuOrSaysThatThereIsNone) {
  const Output listed = weft("bench --device cuda --list --targets " +
                             std::string(WEFT_SOURCE_DIR) + "/bench/targets.jsonl");
  ASSERT_EQ(listed.status, 0) << listed.text;
  EXPECT_NE(listed.text.find("decode/b64_l4k\n"), std::string::npos);
  EXPECT_EQ(weft("bench --device cuda --list --isa avx2").status, 2);
  if (!weft("info --json").json().at("gpus").array.empty()) GTEST_SKIP() << "there is a GPU";
  const Output replay = weft("replay " + kTrace + " --requests 2 --device cuda");
  EXPECT_EQ(replay.status, 1);
  EXPECT_NE(replay.text.find("cuda driver: expected libcuda.so.1"), std::string::npos)
      << replay.text;
}

TEST(Cli, ExplainsABatchAndAStep) {
  const Output batch = weft("explain --qo 1,1,512 --kv 4096,77,8192 --json");
  ASSERT_EQ(batch.status, 0) << batch.text;
  EXPECT_EQ(batch.json().at("batch_size").number, 3);
  EXPECT_NE(batch.text.find("C  request 2: 512 new, 8192 in the KV cache"), std::string::npos);
  EXPECT_EQ(weft("explain " + kTrace + " --step 40").status, 0);
  EXPECT_EQ(weft("explain --qo 1,2 --kv 5").status, 2);
}

TEST(Cli, InformsAndBenches) {
  const Output info = weft("info --json");
  ASSERT_EQ(info.status, 0) << info.text;
  EXPECT_GE(info.json().at("threads").number, 1);
  const Output bench = weft("bench --filter plan_host/b64 --json --threads 1");
  ASSERT_EQ(bench.status, 0) << bench.text;
  const size_t line = bench.text.find("{\"id\"");
  ASSERT_NE(line, std::string::npos) << bench.text;
  const JsonValue json = parse_json(bench.text.substr(line, bench.text.find('\n', line) - line));
  EXPECT_EQ(json.at("id").string, "cpu/plan_host/b64");
  EXPECT_GT(json.at("us").number, 0);
  EXPECT_EQ(json.at("target_us").number, 20);
}

TEST(Cli, HelpsWithEveryCommand) {
  EXPECT_EQ(weft("--help").status, 0);
  EXPECT_EQ(weft("").status, 2);
  for (const char* command : {"replay", "generate", "bench", "explain", "info", "jit"}) {
    const Output out = weft(std::string(command) + " --help");
    EXPECT_EQ(out.status, 0);
    EXPECT_NE(out.text.find("examples:"), std::string::npos) << command;
  }
}

struct Misuse {
  const char* name;
  std::string arguments;
  const char* error;
};

class CliMisuse : public testing::TestWithParam<Misuse> {};

TEST_P(CliMisuse, IsExplained) {
  const Output out = weft(GetParam().arguments);
  EXPECT_EQ(out.status, 2) << out.text;
  EXPECT_NE(out.text.find(GetParam().error), std::string::npos) << out.text;
}

INSTANTIATE_TEST_SUITE_P(
    All, CliMisuse,
    testing::Values(
        Misuse{"command", "replya x", "did you mean replay?"},
        Misuse{"flag", "replay x --request 3", "did you mean --requests?"},
        Misuse{"no_trace", "replay", "expected TRACE"},
        Misuse{"missing_file", "replay /nonexistent.csv", "/nonexistent.csv: cannot be opened"},
        Misuse{"report", "replay " + kTrace + " --report /nonexistent/a.html",
               "--report: /nonexistent/a.html cannot be written"},
        Misuse{"events", "replay " + kTrace + " --trace-events /nonexistent/a.json",
               "--trace-events: /nonexistent/a.json cannot be written"},
        Misuse{"model", "replay " + kTrace + " --model mistral-8b", "did you mean mistral-7b?"},
        Misuse{"heads", "replay " + kTrace + " --tp 3", "--tp: expected a divisor of 8"},
        Misuse{"cache", "replay " + kTrace + " --layers 1 --kv-tokens 64", "--kv-tokens: expected"},
        Misuse{"number", "bench --threads -1", "--threads: expected an integer"},
        Misuse{"filter", "bench --filter '('", "--filter: expected a regular expression"},
        Misuse{"no_case", "bench --filter nothing_like_it", "no case matches"},
        Misuse{"isa", "info --isa avx2", "no such option"},
        Misuse{"nothing_to_say", "generate", "expected --demo or --prompt"},
        Misuse{"isa_of_a_gpu", "generate --demo --device cuda --isa scalar",
               "--isa: expected nothing"},
        Misuse{"letter", "generate --prompt 'what is 2 and 2?'", "got '2'"}),
    [](const auto& info) { return info.param.name; });

TEST(Cli, NamesTheLineOfATruncatedTrace) {
  const std::string path = temporary("cut.csv");
  std::ofstream(path) << contents(kTrace).substr(0, 200);
  const Output out = weft("replay " + path);
  EXPECT_EQ(out.status, 2);
  EXPECT_NE(out.text.find(path + ": line 6: expected"), std::string::npos) << out.text;
}

}  // namespace
}  // namespace weft::cli
