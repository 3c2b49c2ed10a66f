// SPDX-License-Identifier: Apache-2.0
// The option parser: values, defaults, and a message a person can act on for each wrong use.
#include "tools/weft/args.h"

#include <gtest/gtest.h>

namespace weft::cli {
namespace {

const Command kCommand{"walk",
                       "PATH",
                       "Walks.",
                       "Walks along PATH.",
                       "  weft walk x",
                       1,
                       2,
                       {{"--steps", "N", "10", "how many"},
                        {"--speed", "X", "", "how fast"},
                        {"--lens", "A,B", "", "lengths"},
                        {"--gait", "NAME", "trot", "trot or canter"},
                        {"--quiet", "", "", "no sound"}}};

std::string error_of(const std::vector<std::string>& words) {
  try {
    const Args args(kCommand, words);
    args.integer("--steps", 1, 100);
    if (args.has("--speed")) args.number("--speed", 0, 1);
    if (args.has("--lens")) args.integers("--lens", 0, 9);
    args.choice("--gait", {"trot", "canter"});
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Args, ReadsBothForms) {
  const Args args(kCommand, {"a", "--steps", "3", "--speed=0.5", "--quiet", "--lens", "1,2", "b"});
  EXPECT_EQ(args.integer("--steps", 1, 100), 3);
  EXPECT_EQ(args.number("--speed", 0, 1), 0.5);
  EXPECT_EQ(args.integers("--lens", 0, 9), (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(args.has("--quiet"));
  EXPECT_EQ(args.positional(), (std::vector<std::string>{"a", "b"}));
}

TEST(Args, FillsDefaults) {
  const Args args(kCommand, {"a"});
  EXPECT_EQ(args.integer("--steps", 1, 100), 10);
  EXPECT_EQ(args.choice("--gait", {"trot", "canter"}), 0);
  EXPECT_FALSE(args.has("--json"));
}

TEST(Args, EndsOptionsAtTwoDashes) {
  const Args args(kCommand, {"--", "--steps"});
  EXPECT_EQ(args.positional(), std::vector<std::string>{"--steps"});
}

TEST(Args, AcceptsNegativeNumbersAsValues) {
  EXPECT_EQ(error_of({"a", "--steps", "-3"}),
            "--steps: expected an integer from 1 to 100, got '-3'");
}

TEST(Args, SuggestsTheNearestOption) {
  EXPECT_EQ(error_of({"a", "--step", "3"}),
            "--step: no such option of `weft walk`; did you mean --steps?");
  EXPECT_EQ(error_of({"a", "--qiuet"}),
            "--qiuet: no such option of `weft walk`; did you mean --quiet?");
  EXPECT_EQ(error_of({"a", "--zzzzzzzz"}), "--zzzzzzzz: no such option of `weft walk`");
}

TEST(Args, RefusesWrongUse) {
  EXPECT_EQ(error_of({}), "expected PATH");
  EXPECT_EQ(error_of({"a", "b", "c"}), "'c': one argument too many");
  EXPECT_EQ(error_of({"a", "--steps"}), "--steps: expected a value (N)");
  EXPECT_EQ(error_of({"a", "--quiet=1"}), "--quiet: takes no value");
  EXPECT_EQ(error_of({"a", "--quiet", "--quiet"}), "--quiet: given twice");
  EXPECT_EQ(error_of({"a", "--steps", "3x"}),
            "--steps: expected an integer from 1 to 100, got '3x'");
  EXPECT_EQ(error_of({"a", "--steps", "101"}),
            "--steps: expected an integer from 1 to 100, got '101'");
  EXPECT_EQ(error_of({"a", "--speed", "nan"}), "--speed: expected a number from 0 to 1, got 'nan'");
  EXPECT_EQ(error_of({"a", "--lens", "1,,2"}), "--lens: expected an integer from 0 to 9, got ''");
  EXPECT_EQ(error_of({"a", "--gait", "cantor"}),
            "--gait: expected one of trot, canter (did you mean canter?), got 'cantor'");
}

TEST(Args, HelpNeedsNoArguments) {
  EXPECT_TRUE(Args(kCommand, {"-h"}).has("--help"));
  const std::string help = help_of(kCommand);
  for (const char* part : {"weft walk PATH", "--steps N", "[10]", "--json", "examples:"}) {
    EXPECT_NE(help.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace weft::cli
