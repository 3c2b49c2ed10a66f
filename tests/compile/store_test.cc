// SPDX-License-Identifier: Apache-2.0
// The kernel store with a compiler that only counts: one compile however many ask, everything a
// miss falls back on, and what is said when there is no compiler.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "src/cuda/planner.h"
#include "src/jit/kernel_store.h"
#include "tests/support/temporary.h"

namespace weft {

/// A kernel whose stub the fake compiler refuses.
struct BrokenSpec {
  int a = 0;
  bool operator==(const BrokenSpec&) const = default;
};
template <class Visit>
void for_each_field(const BrokenSpec& s, Visit&& visit) {
  visit("a", s.a);
}
template <>
struct KernelTraits<BrokenSpec> : KernelTraits<PlanSpec> {
  static constexpr const char* header = "broken.cuh";
  static KernelShape shape(const BrokenSpec&) { return {32, 1, 0}; }
};

namespace {

int compiles() {
  void* library = dlopen(WEFT_FAKE_NVRTC, RTLD_NOW);
  return reinterpret_cast<int (*)()>(dlsym(library, "fake_nvrtc_compiles"))();
}

JitOptions options_with(const std::string& cache_dir) {
  JitOptions options;
  options.cache_dir = cache_dir;
  options.nvrtc = {WEFT_FAKE_NVRTC};
  return options;
}

PlanSpec spec_of(int max_batch_size) {
  PlanSpec spec;
  spec.max_batch_size = max_batch_size;
  spec.num_threads = 128;
  return spec;
}

std::string what(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device);
    return error.what();
  }
  return "no error";
}

TEST(Store, EqualSpecsAreOneKernelAndOthersAreNot) {
  KernelStore store(options_with(""));
  const int before = compiles();
  const KernelImage& a = store.get(spec_of(1), 90);
  EXPECT_EQ(&store.get(spec_of(1), 90), &a);
  EXPECT_NE(&store.get(spec_of(2), 90), &a);
  EXPECT_NE(&store.get(spec_of(1), 80), &a);
  EXPECT_EQ(compiles() - before, 3);
  EXPECT_EQ(a.arch, "sm_90a");
  EXPECT_EQ(a.compiler, "nvrtc 12.9");
  EXPECT_EQ(a.resources.registers, 40);
  EXPECT_EQ(a.resources.static_smem_bytes, 512);
  EXPECT_EQ(a.cubin, a.source);
}

TEST(Store, ThreadsThatAskForOneKernelCompileItOnce) {
  KernelStore store(options_with(""));
  const int before = compiles();
  constexpr int kThreads = 8;
  std::barrier start(kThreads);
  std::vector<const KernelImage*> got(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      got[static_cast<size_t>(i)] = &store.get(spec_of(7), 90);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(compiles() - before, 1);
  for (const KernelImage* image : got) EXPECT_EQ(image, got[0]);
}

TEST(Store, PrepareCompilesSideBySide) {
  KernelStore store(options_with(""));
  std::vector<KernelRequest> requests;
  for (int i = 1; i <= 32; ++i) requests.push_back(kernel_request(spec_of(i % 16), 90));
  const int before = compiles();
  const auto start = std::chrono::steady_clock::now();
  const std::vector<const KernelImage*> images = store.prepare(requests, 16);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(compiles() - before, 16);
  EXPECT_EQ(images[0], images[16]);
  EXPECT_LT(took.count(), 16 * 0.020) << "no faster than one after another";
}

TEST(Store, ASecondStoreFindsItOnDisk) {
  const test::TemporaryDir dir;
  KernelStore first(options_with(dir.path()));
  EXPECT_EQ(first.get(spec_of(1), 90).origin, KernelOrigin::compiled);
  const int before = compiles();
  KernelStore second(options_with(dir.path()));
  const KernelImage& image = second.get(spec_of(1), 90);
  EXPECT_EQ(image.origin, KernelOrigin::disk_cache);
  EXPECT_EQ(image.cubin, first.get(spec_of(1), 90).cubin);
  EXPECT_EQ(compiles(), before);
}

TEST(Store, ADamagedEntryIsCompiledAgain) {
  const test::TemporaryDir dir;
  KernelStore(options_with(dir.path())).get(spec_of(1), 90);
  const std::string entry = DiskCache(dir.path()).list()[0].path;
  test::write_file(entry + "/kernel.cubin", "");
  KernelStore store(options_with(dir.path()));
  EXPECT_EQ(store.get(spec_of(1), 90).origin, KernelOrigin::compiled);
  EXPECT_TRUE(DiskCache(dir.path()).list()[0].sound);
}

TEST(Store, ACacheThatCannotBeWrittenOnlyLeavesANote) {
  const test::TemporaryDir dir;
  test::write_file(dir / "file", "");
  KernelStore store(options_with(dir / "file/cache"));
  const KernelImage& image = store.get(spec_of(1), 90);
  EXPECT_EQ(image.origin, KernelOrigin::compiled);
  EXPECT_NE(image.note.find("file/cache"), std::string::npos) << image.note;
}

TEST(Store, SixteenProcessesShareAColdCache) {
  const test::TemporaryDir dir;
  std::vector<pid_t> children;
  for (int i = 0; i < 16; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      KernelStore store(options_with(dir.path()));
      bool good = true;
      for (int spec = 0; spec < 8; ++spec) {
        const KernelImage& image = store.get(spec_of((spec + i) % 8), 90);
        good = good && image.cubin == make_source(spec_of((spec + i) % 8)).text;
        good = good && image.note.empty();
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const std::vector<CacheEntry> entries = DiskCache(dir.path()).list();
  EXPECT_EQ(entries.size(), 8u);
  for (const CacheEntry& entry : entries) EXPECT_TRUE(entry.sound) << entry.name;
  EXPECT_TRUE(std::filesystem::is_empty(dir / "tmp"));
}

TEST(Store, ABundleNeedsNoCompiler) {
  const test::TemporaryDir dir;
  KernelStore maker(options_with(""));
  const std::vector<KernelRequest> requests{kernel_request(spec_of(1), 90),
                                            kernel_request(spec_of(2), 90)};
  write_bundle(dir / "kernels.weft", maker.prepare(requests));
  JitOptions options;
  options.cache_dir = "";
  options.bundles = {dir / "kernels.weft"};
  options.nvrtc = {"libno-such-nvrtc.so"};
  KernelStore store(options);
  const KernelImage& image = store.get(spec_of(2), 90);
  EXPECT_EQ(image.origin, KernelOrigin::bundle);
  EXPECT_EQ(image.cubin, maker.get(spec_of(2), 90).cubin);
  EXPECT_NE(what([&] { store.get(spec_of(3), 90); }).find("libno-such-nvrtc.so"),
            std::string::npos);
}

TEST(Store, WithoutNvrtcTheErrorSaysSoEveryTime) {
  JitOptions options;
  options.cache_dir = "";
  options.nvrtc = {"libno-such-nvrtc.so"};
  KernelStore store(options);
  for (int i = 0; i < 2; ++i) {
    const std::string text = what([&] { store.get(spec_of(1), 90); });
    EXPECT_EQ(text.find("nvrtc: expected one of libno-such-nvrtc.so (CUDA 12 or 13), got none"), 0u)
        << text;
  }
}

TEST(Store, ALibraryThatIsNotNvrtcIsRefused) {
  JitOptions options;
  options.cache_dir = "";
  options.nvrtc = {"libm.so.6"};
  KernelStore store(options);
  EXPECT_EQ(what([&] { store.get(spec_of(1), 90); }),
            "libm.so.6: expected the function nvrtcVersion, got none");
}

TEST(Store, ACompileErrorIsTheCompilersFirstErrorForAllWhoWait) {
  KernelStore store(options_with(""));
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (std::string& text : texts) {
    threads.emplace_back([&] { text = what([&] { store.get(BrokenSpec{}, 90); }); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) {
    EXPECT_EQ(text, "nvrtc 12.9: kernel plan for sm_90a: plan.cu(7): error: no such thing");
  }
  std::vector<KernelRequest> requests{kernel_request(BrokenSpec{}, 90),
                                      kernel_request(spec_of(1), 90)};
  EXPECT_THROW(store.prepare(requests), Error);
  const int before = compiles();
  store.get(spec_of(1), 90);
  EXPECT_EQ(compiles(), before) << "prepare builds the others before it throws";
}

TEST(Store, AHitIsQuick) {
  KernelStore store(options_with(""));
  const PlanSpec spec = spec_of(1);
  const KernelImage* image = &store.get(spec, 90);
  constexpr int kCalls = 100000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) ASSERT_EQ(&store.get(spec, 90), image);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  RecordProperty("hit_us", std::to_string(took.count() * 1e6 / kCalls));
  EXPECT_LT(took.count() / kCalls, 5e-6);  // 0.02 us measured; sanitizers and neighbours allowed
}

}  // namespace
}  // namespace weft
