// SPDX-License-Identifier: Apache-2.0
// The linked library is the one the headers describe, and the numbers agree with the string.
#include "weft/version.h"

#include <gtest/gtest.h>

#include <string>

namespace {

TEST(Version, HeaderAndLibraryAgree) { EXPECT_STREQ(weft::version(), WEFT_VERSION_STRING); }

TEST(Version, StringIsMadeOfTheNumbers) {
  const std::string numbers = std::to_string(WEFT_VERSION_MAJOR) + "." +
                              std::to_string(WEFT_VERSION_MINOR) + "." +
                              std::to_string(WEFT_VERSION_PATCH);
  EXPECT_EQ(numbers, WEFT_VERSION_STRING);
}

}  // namespace
