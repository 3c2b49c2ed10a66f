// SPDX-License-Identifier: Apache-2.0
// The caller's allocator and parallel_for: every block comes back with its sizes, a refusing
// allocator leaks nothing, `plan` and `run` allocate nowhere.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <utility>

#include "tests/capi/small_attention.h"
#include "tests/hooks/calls.h"

namespace weft::capi_test {
namespace {

/// Remembers its blocks; refuses the call number `refuse_at`, misaligns everything on request.
class CountingAllocator {
 public:
  CountingAllocator() {
    weft_allocator_init(&callbacks_, sizeof(callbacks_));
    callbacks_.context = this;
    callbacks_.allocate = [](void* self, size_t bytes, size_t alignment) {
      return static_cast<CountingAllocator*>(self)->allocate(bytes, alignment);
    };
    callbacks_.deallocate = [](void* self, void* memory, size_t bytes, size_t alignment) {
      static_cast<CountingAllocator*>(self)->deallocate(memory, bytes, alignment);
    };
  }
  const weft_allocator* get() const { return &callbacks_; }
  weft_allocator& callbacks() { return callbacks_; }
  size_t blocks() const { return blocks_.size(); }
  size_t bytes() const {
    size_t sum = 0;
    for (const auto& [memory, sizes] : blocks_) sum += sizes.first;
    return sum;
  }

  int refuse_at = 0;
  size_t misalign = 0;
  int calls = 0;
  int wrong_returns = 0;

 private:
  void* allocate(size_t bytes, size_t alignment) {
    if (++calls == refuse_at) return nullptr;
    EXPECT_EQ(alignment & (alignment - 1), 0u);
    EXPECT_LE(alignment, 64u);
    char* memory = static_cast<char*>(std::aligned_alloc(64, (bytes + misalign + 63) / 64 * 64));
    memory += misalign;
    blocks_[memory] = {bytes, alignment};
    return memory;
  }
  void deallocate(void* memory, size_t bytes, size_t alignment) {
    const auto it = blocks_.find(memory);
    if (it == blocks_.end() || it->second != std::pair(bytes, alignment)) {
      ++wrong_returns;
      return;
    }
    blocks_.erase(it);
    std::free(static_cast<char*>(memory) - misalign);
  }

  weft_allocator callbacks_;
  std::map<void*, std::pair<size_t, size_t>> blocks_;
};

TEST(Memory, HandlesAndPlanMemoryComeFromTheCaller) {
  SmallAttention s;
  CountingAllocator allocator;
  weft_attention_t attention = nullptr;
  weft_attention_plan_t plan = nullptr;
  ASSERT_EQ(weft_attention_create(&s.config, nullptr, allocator.get(), &attention), WEFT_STATUS_OK);
  EXPECT_EQ(allocator.blocks(), 1u);
  size_t bytes = 0;
  ASSERT_EQ(weft_attention_workspace_bytes(attention, &bytes), WEFT_STATUS_OK);
  ASSERT_EQ(weft_attention_create_plan(attention, nullptr, &plan), WEFT_STATUS_OK);
  EXPECT_EQ(allocator.blocks(), 3u);
  EXPECT_GE(allocator.bytes(), bytes);
  std::swap(s.attention, attention);
  std::swap(s.plan, plan);
  const int calls = allocator.calls;
  EXPECT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();
  EXPECT_EQ(allocator.calls, calls);
  std::swap(s.attention, attention);
  std::swap(s.plan, plan);
  // A plan may outlive its attention, and its memory does not need the attention's.
  EXPECT_EQ(weft_attention_destroy(attention), WEFT_STATUS_OK);
  EXPECT_EQ(allocator.blocks(), 2u);
  EXPECT_EQ(weft_attention_plan_destroy(plan), WEFT_STATUS_OK);
  EXPECT_EQ(allocator.blocks(), 0u);
  EXPECT_EQ(allocator.wrong_returns, 0);
}

TEST(Memory, ARefusingAllocatorIsAStatusAndLeaksNothing) {
  SmallAttention s;
  for (int refuse_at = 1; refuse_at <= 3; ++refuse_at) {
    CountingAllocator allocator;
    allocator.refuse_at = refuse_at;
    weft_attention_t attention = nullptr;
    weft_attention_plan_t plan = nullptr;
    weft_status status = weft_attention_create(&s.config, nullptr, allocator.get(), &attention);
    if (status == WEFT_STATUS_OK) status = weft_attention_create_plan(attention, nullptr, &plan);
    EXPECT_EQ(status, WEFT_STATUS_OUT_OF_MEMORY) << refuse_at;
    EXPECT_TRUE(last_error_has({"allocator.allocate: expected", "bytes, got NULL"}))
        << weft_last_error();
    EXPECT_EQ(plan, nullptr);
    EXPECT_EQ(weft_attention_destroy(attention), WEFT_STATUS_OK);
    EXPECT_EQ(allocator.blocks(), 0u);
    EXPECT_EQ(allocator.wrong_returns, 0);
  }
}

TEST(Memory, AMisalignedBlockIsRefusedAndReturned) {
  SmallAttention s;
  CountingAllocator allocator;
  allocator.misalign = 4;
  weft_attention_t attention = nullptr;
  EXPECT_EQ(weft_attention_create(&s.config, nullptr, allocator.get(), &attention),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"allocator.allocate: expected memory aligned to"}))
      << weft_last_error();
  EXPECT_EQ(attention, nullptr);
  EXPECT_EQ(allocator.blocks(), 0u);
}

TEST(Memory, AnAllocatorIsWholeOrNotThere) {
  SmallAttention s;
  weft_attention_t attention = nullptr;
  CountingAllocator half;
  half.callbacks().deallocate = nullptr;
  EXPECT_EQ(weft_attention_create(&s.config, nullptr, half.get(), &attention),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"allocator: expected both", "deallocate NULL"})) << weft_last_error();
  CountingAllocator other_half;
  other_half.callbacks().allocate = nullptr;
  EXPECT_EQ(weft_attention_create(&s.config, nullptr, other_half.get(), &attention),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(other_half.calls + half.calls, 0);
}

TEST(Memory, PlanAndRunAllocateNothing) {
  SmallAttention s;
  ASSERT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();  // starts the threads
  EXPECT_GT(test::calls_so_far().allocations, 0);
  const test::Calls calls = test::calls_of([&] {
    for (int i = 0; i < 3; ++i) {
      if (s.step() != WEFT_STATUS_OK) break;
    }
  });
  EXPECT_EQ(calls.allocations, 0);
}

struct Pool {
  std::atomic<int> calls{0};
  std::atomic<int> bodies{0};
};

TEST(Memory, ParallelForIsTheCallers) {
  SmallAttention s;
  Pool pool;
  weft_executor executor;
  ASSERT_EQ(weft_executor_init(&executor, sizeof(executor)), WEFT_STATUS_OK);
  executor.num_threads = 3;
  executor.parallel_context = &pool;
  executor.parallel_for = [](void* context, int32_t n, weft_body body, void* arg) {
    auto* p = static_cast<Pool*>(context);
    ++p->calls;
    for (int32_t i = n; i-- > 0; ++p->bodies) body(arg, i);
  };
  ASSERT_EQ(weft_attention_plan(s.attention, &s.batch, s.plan, &executor), WEFT_STATUS_OK);
  ASSERT_EQ(weft_attention_run(s.attention, s.plan, &s.args, &executor), WEFT_STATUS_OK)
      << weft_last_error();
  EXPECT_EQ(pool.calls, 1);
  EXPECT_GE(pool.bodies, 1);
  EXPECT_LE(pool.bodies, 3);

  executor.num_threads = 0;
  EXPECT_EQ(weft_attention_run(s.attention, s.plan, &s.args, &executor),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"executor.num_threads: expected", "got 0"})) << weft_last_error();
  executor.num_threads = 2;
  executor.parallel_for = nullptr;
  EXPECT_EQ(weft_attention_run(s.attention, s.plan, &s.args, &executor),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"executor.parallel_for: expected a function"})) << weft_last_error();
  EXPECT_EQ(pool.calls, 1);
}

TEST(Memory, TheCallersWorkspaceIsUsedAndFenced) {
  SmallAttention s;
  size_t bytes = 0;
  ASSERT_EQ(weft_attention_workspace_bytes(s.attention, &bytes), WEFT_STATUS_OK);
  cases::Buffer memory(bytes);
  int64_t shape[1] = {static_cast<int64_t>(bytes)};
  weft_tensor workspace;
  ASSERT_EQ(weft_tensor_init(&workspace, memory.data(), WEFT_DTYPE_U8, 1, shape), WEFT_STATUS_OK);
  weft_attention_plan_t plan = nullptr;
  ASSERT_EQ(weft_attention_create_plan(s.attention, &workspace, &plan), WEFT_STATUS_OK)
      << weft_last_error();
  const uint64_t dirty = memory.hash();
  std::swap(s.plan, plan);
  EXPECT_EQ(s.step(), WEFT_STATUS_OK) << weft_last_error();
  std::swap(s.plan, plan);
  EXPECT_NE(memory.hash(), dirty);
  EXPECT_TRUE(memory.fences_intact());
  EXPECT_EQ(weft_attention_plan_destroy(plan), WEFT_STATUS_OK);

  plan = nullptr;
  shape[0] -= 1;
  EXPECT_EQ(weft_attention_create_plan(s.attention, &workspace, &plan),
            WEFT_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(last_error_has({"workspace: expected shape [>="})) << weft_last_error();
  shape[0] += 1;
  for (uint64_t offset : {1u, 4u, 32u}) {
    workspace.byte_offset = offset;
    EXPECT_EQ(weft_attention_create_plan(s.attention, &workspace, &plan),
              WEFT_STATUS_INVALID_ARGUMENT);
    EXPECT_TRUE(last_error_has({"workspace: expected 64-byte alignment"})) << weft_last_error();
  }
  EXPECT_EQ(plan, nullptr);
}

}  // namespace
}  // namespace weft::capi_test
