// SPDX-License-Identifier: Apache-2.0
// The disk cache under faults: damaged entries, a process killed at every step of a publish,
// directories that cannot be written. No compiler and no GPU.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "src/jit/disk_cache.h"
#include "tests/support/temporary.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
const std::string kName(32, 'a');
const std::string kOther(32, 'b');

KernelImage image_of(const std::string& cubin) {
  KernelImage image;
  image.key = std::string(64, 'c');
  image.name = "plan";
  image.arch = "sm_90a";
  image.compiler = "nvrtc 13.0";
  image.source = "// stub\n";
  image.log = "ptxas info    : Used 24 registers, used 1 barriers\n";
  image.cubin = cubin;
  image.num_threads = 128;
  image.smem_bytes = 1024;
  image.params_bytes = 88;
  image.resources.registers = 24;
  return image;
}

void expect_stored(const DiskCache& cache, const std::string& cubin) {
  const std::optional<KernelImage> image = cache.load(kName);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->cubin, cubin);
  EXPECT_EQ(image->source, "// stub\n");
  EXPECT_EQ(image->num_threads, 128);
  EXPECT_EQ(image->smem_bytes, 1024);
  EXPECT_EQ(image->params_bytes, 88);
  EXPECT_EQ(image->resources.registers, 24);
}

TEST(DiskCache, StoresLoadsListsAndClears) {
  const test::TemporaryDir dir;
  const DiskCache cache(dir / "deep/cache");
  EXPECT_FALSE(cache.load(kName).has_value());
  EXPECT_TRUE(cache.list().empty());
  const std::string cubin("\0binary\xff\n", 9);
  EXPECT_EQ(cache.store(kName, image_of(cubin)), "");
  EXPECT_EQ(cache.store(kOther, image_of("two")), "");
  expect_stored(cache, cubin);
  EXPECT_EQ(test::read_file(dir / ("deep/cache/" + kName + "/kernel.cubin")), cubin);
  EXPECT_EQ(test::read_file(dir / ("deep/cache/" + kName + "/kernel.cu")), "// stub\n");
  ASSERT_EQ(cache.list().size(), 2u);
  EXPECT_TRUE(cache.list()[0].sound);
  EXPECT_GT(cache.list()[0].bytes, cubin.size());
  EXPECT_EQ(cache.clear(), 2);
  EXPECT_FALSE(cache.load(kName).has_value());
  EXPECT_TRUE(cache.list().empty());
}

TEST(DiskCache, TheFirstPublishStays) {
  const test::TemporaryDir dir;
  const DiskCache cache(dir.path());
  EXPECT_EQ(cache.store(kName, image_of("first")), "");
  EXPECT_EQ(cache.store(kName, image_of("second")), "");
  expect_stored(cache, "first");
  EXPECT_TRUE(fs::is_empty(dir / "tmp"));
}

TEST(DiskCache, OffWithoutADirectory) {
  const DiskCache cache("");
  EXPECT_EQ(cache.store(kName, image_of("x")), "");
  EXPECT_FALSE(cache.load(kName).has_value());
  EXPECT_EQ(cache.clear(), 0);
}

TEST(DiskCache, AnEntryMovedToAnotherNameIsNoEntry) {
  const test::TemporaryDir dir;
  const DiskCache cache(dir.path());
  ASSERT_EQ(cache.store(kName, image_of("x")), "");
  fs::rename(dir / kName, dir / kOther);
  EXPECT_FALSE(cache.load(kOther).has_value());
  ASSERT_EQ(cache.list().size(), 1u);
  EXPECT_FALSE(cache.list()[0].sound);
}

// Each file cut short, emptied, missing, or with any one bit flipped: the entry counts as absent,
// and the next publish puts a sound one in its place.
TEST(DiskCache, ADamagedEntryIsAbsentAndIsReplaced) {
  const test::TemporaryDir dir;
  const DiskCache cache(dir.path());
  const auto check = [&](const std::string& what) {
    EXPECT_FALSE(cache.load(kName).has_value()) << what;
    EXPECT_EQ(cache.store(kName, image_of("sound")), "") << what;
    expect_stored(cache, "sound");
  };
  ASSERT_EQ(cache.store(kName, image_of("sound")), "");
  for (const char* part : {"manifest", "kernel.cu", "report.txt", "kernel.cubin"}) {
    const std::string path = dir / (kName + "/" + part);
    const std::string whole = test::read_file(path);
    for (size_t length = 0; length < whole.size(); length += 1 + whole.size() / 8) {
      test::write_file(path, whole.substr(0, length));
      check(std::string(part) + " cut to " + std::to_string(length));
    }
    for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 16) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << at % 8);
      test::write_file(path, flipped);
      check(std::string(part) + " bit " + std::to_string(at));
    }
    fs::remove(path);
    check(std::string(part) + " missing");
  }
  fs::remove_all(dir / kName);
  test::write_file(dir / kName, "a file where the directory should be");
  check("a file");
  EXPECT_TRUE(fs::is_empty(dir / "tmp"));
}

// Runs `body` in a child. Returns the signal that ended it, or -exit status.
template <class Body>
int in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

std::vector<std::string> steps_of_publish(bool over_damaged) {
  const test::TemporaryDir dir;
  std::vector<std::string> steps;
  if (over_damaged) {
    fs::create_directory(dir / kName);
    test::write_file(dir / (kName + "/manifest"), "damaged");
  }
  const DiskCache cache(dir.path(), [&](const char* step) { steps.emplace_back(step); });
  EXPECT_EQ(cache.store(kName, image_of("x")), "");
  return steps;
}

class KilledPublish : public testing::TestWithParam<bool> {};

TEST_P(KilledPublish, LeavesNoHalfEntry) {
  const std::vector<std::string> steps = steps_of_publish(GetParam());
  ASSERT_GE(steps.size(), 7u);
  for (size_t killed_at = 0; killed_at < steps.size(); ++killed_at) {
    SCOPED_TRACE("killed at step " + std::to_string(killed_at) + ", " + steps[killed_at]);
    const test::TemporaryDir dir;
    if (GetParam()) {
      fs::create_directory(dir / kName);
      test::write_file(dir / (kName + "/manifest"), "damaged");
    }
    const int ended = in_child([&] {
      size_t step = 0;
      const DiskCache cache(dir.path(), [&](const char*) {
        if (step++ == killed_at) raise(SIGKILL);
      });
      cache.store(kName, image_of("killed"));
    });
    ASSERT_EQ(ended, SIGKILL);
    const DiskCache cache(dir.path());
    const bool published = steps[killed_at] == "published";
    EXPECT_EQ(cache.load(kName).has_value(), published);
    EXPECT_EQ(cache.store(kName, image_of("after")), "");
    expect_stored(cache, published ? "killed" : "after");
    EXPECT_GE(cache.clear(), 1);
    EXPECT_TRUE(fs::is_empty(dir.path())) << "clear leaves what the killed process wrote";
  }
}

INSTANTIATE_TEST_SUITE_P(Jit, KilledPublish, testing::Bool(), [](const auto& row) {
  return row.param ? "OverADamagedEntry" : "IntoAnEmptyCache";
});

TEST(DiskCache, ForgottenTemporariesAreSweptAfterAnHour) {
  const test::TemporaryDir dir;
  fs::create_directories(dir / "tmp/old");
  fs::create_directories(dir / "tmp/new");
  fs::last_write_time(dir / "tmp/old", fs::file_time_type::clock::now() - std::chrono::hours(2));
  ASSERT_EQ(DiskCache(dir.path()).store(kName, image_of("x")), "");
  EXPECT_FALSE(fs::exists(dir / "tmp/old"));
  EXPECT_TRUE(fs::exists(dir / "tmp/new"));
}

// A user who may read a shared cache and not write it. Root may write anywhere, so root becomes
// nobody first.
TEST(DiskCache, AReadOnlyCacheIsReadAndNotWritten) {
  const test::TemporaryDir dir;
  const DiskCache cache(dir.path());
  const mode_t before = umask(022);  // whoever shares a cache lets others read
  ASSERT_EQ(cache.store(kName, image_of("shared")), "");
  umask(before);
  fs::remove_all(dir / "tmp");
  fs::permissions(dir.path(), fs::perms{0555});
  const int ended = in_child([&] {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(9);
    const std::optional<KernelImage> image = cache.load(kName);
    if (!image || image->cubin != "shared") _exit(1);
    if (cache.store(kOther, image_of("x")).find("denied") == std::string::npos) _exit(2);
    if (cache.load(kOther)) _exit(3);
  });
  fs::permissions(dir.path(), fs::perms::owner_all);
  EXPECT_EQ(ended, 0);
}

TEST(DiskCache, ADirectoryThatCannotBeMadeIsSaid) {
  const test::TemporaryDir dir;
  test::write_file(dir / "file", "");
  const DiskCache cache(dir / "file/cache");
  EXPECT_NE(cache.store(kName, image_of("x")), "");
  EXPECT_FALSE(cache.load(kName).has_value());
}

}  // namespace
}  // namespace weft
