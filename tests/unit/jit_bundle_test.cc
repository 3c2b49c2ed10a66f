// SPDX-License-Identifier: Apache-2.0
// Bundles: what is written is read; a file with any damage is refused by name.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "src/jit/bundle.h"
#include "tests/support/temporary.h"
#include "weft/error.h"

namespace weft {
namespace {

KernelImage image_of(char key, const std::string& cubin) {
  KernelImage image;
  image.key = std::string(64, key);
  image.name = "plan";
  image.arch = "sm_90a";
  image.source = "// stub\n";
  image.log = "log\n";
  image.cubin = cubin;
  return image;
}

TEST(Bundle, RoundTrip) {
  const test::TemporaryDir dir;
  const KernelImage a = image_of('a', std::string("\0one\n", 5));
  const KernelImage b = image_of('b', std::string(100000, 'x'));
  const std::vector<const KernelImage*> images{&a, &b};
  write_bundle(dir / "kernels.weft", images);
  const Bundle bundle(dir / "kernels.weft");
  EXPECT_EQ(bundle.size(), 2u);
  EXPECT_EQ(bundle.load(a.key)->cubin, a.cubin);
  EXPECT_EQ(bundle.load(b.key)->cubin, b.cubin);
  EXPECT_EQ(bundle.load(b.key)->source, "// stub\n");
  EXPECT_FALSE(bundle.load(std::string(64, 'c')).has_value());
}

// Truncations and flipped bits all over the file are refused, when it is opened or an entry read.
TEST(Bundle, DamageIsRefused) {
  const test::TemporaryDir dir;
  const KernelImage image = image_of('a', "binary");
  const std::vector<const KernelImage*> images{&image};
  write_bundle(dir / "whole", images);
  const std::string whole = test::read_file(dir / "whole");
  const auto refused = [&](const std::string& bytes) {
    test::write_file(dir / "damaged", bytes);
    try {
      const Bundle bundle(dir / "damaged");
      bundle.load(image.key);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::invalid_argument &&
             std::string(error.what()).find("damaged)") != std::string::npos;
    }
    return false;
  };
  for (size_t length = 0; length < whole.size(); length += 5) {
    EXPECT_TRUE(refused(whole.substr(0, length))) << "cut to " << length;
  }
  for (size_t at = 0; at < whole.size(); at += 3) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1 << at % 8);
    EXPECT_TRUE(refused(flipped)) << "bit flipped in byte " << at;
  }
}

TEST(Bundle, PathsThatDoNotWorkAreNamed) {
  EXPECT_THROW(Bundle("/nowhere/kernels.weft"), Error);
  EXPECT_THROW(write_bundle("/nowhere/kernels.weft", {}), Error);
}

}  // namespace
}  // namespace weft
