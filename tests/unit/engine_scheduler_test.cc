// SPDX-License-Identifier: Apache-2.0
// The engine's scheduler alone, with a stand-in for the model: who runs when, on which pages, and
// that pages neither leak nor hold the wrong tokens, whatever arrives.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>

#include "examples/engine/scheduler.h"

namespace engine {
namespace {

TokenId next_token(const std::vector<TokenId>& tokens) {
  return static_cast<TokenId>((tokens.back() * 31 + tokens.size()) % 1000);
}

// Runs a scheduler and keeps what each page would hold, so that a page read before it was written,
// or overwritten while shared, is seen.
class Harness {
 public:
  Harness(const SchedulerLimits& limits, int num_pages, int page_size)
      : pool(num_pages, page_size), scheduler(limits, pool), limits_(limits) {
    memory_.assign(num_pages, std::vector<TokenId>(page_size, -1));
  }

  void step() {
    const Step& step = scheduler.schedule();
    ASSERT_FALSE(step.chunks.empty());
    ASSERT_LE(step.num_tokens, limits_.max_batch_tokens);
    ASSERT_LE(static_cast<int>(step.chunks.size()), limits_.max_batch_size);
    for (const Chunk& chunk : step.chunks) write(chunk);
    std::vector<TokenId> predicted;
    for (const Chunk& chunk : step.chunks) {
      read(chunk);
      if (chunk.predicts()) predicted.push_back(next_token(chunk.sequence->tokens));
    }
    preempted += step.num_preempted;
    steps.push_back(step);
    for (auto& sequence : scheduler.commit(predicted)) finished.push_back(std::move(sequence));
  }

  void run() {
    for (int i = 0; !scheduler.idle(); ++i) {
      ASSERT_LT(i, 100000) << "no progress";
      ASSERT_NO_FATAL_FAILURE(step());
    }
  }

  PagePool pool;
  Scheduler scheduler;
  std::vector<std::unique_ptr<Sequence>> finished;
  std::vector<Step> steps;  // their sequence pointers may be gone
  int preempted = 0;

 private:
  void write(const Chunk& chunk) {
    for (int at = chunk.begin; at < chunk.begin + chunk.length; ++at) {
      const PageId page = chunk.sequence->pages.at(at / pool.page_size());
      ASSERT_EQ(pool.num_references(page), 1) << "writes to a shared page";
      memory_[page][at % pool.page_size()] = chunk.sequence->tokens[at];
    }
  }
  void read(const Chunk& chunk) {
    for (int at = 0; at < chunk.begin + chunk.length; ++at) {
      const PageId page = chunk.sequence->pages.at(at / pool.page_size());
      ASSERT_EQ(memory_[page][at % pool.page_size()], chunk.sequence->tokens[at]);
    }
  }

  SchedulerLimits limits_;
  std::vector<std::vector<TokenId>> memory_;
};

Request request(int64_t id, std::vector<TokenId> prompt, int max_new_tokens) {
  return Request{id, std::move(prompt), max_new_tokens, std::nullopt};
}

std::vector<TokenId> prompt_of(int n, TokenId first = 0) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < n; ++i) tokens.push_back(first + i);
  return tokens;
}

TEST(Scheduler, CutsPrefillIntoChunksBesideDecodes) {
  Harness h({4, 8}, 64, 4);
  h.scheduler.add(request(1, prompt_of(3), 10));
  h.step();
  h.scheduler.add(request(2, prompt_of(20, 100), 2));
  h.run();
  // One token of request 1 a step; 7 of request 2 beside it, until its 20 are done.
  EXPECT_EQ(h.steps[1].num_tokens, 8);
  EXPECT_EQ(h.steps[1].num_decodes, 1);
  EXPECT_EQ(h.steps[3].num_tokens, 7);
  EXPECT_EQ(h.steps[4].num_decodes, 2);
  EXPECT_EQ(h.finished.size(), 2u);
}

TEST(Scheduler, AdmitsInOrderOfArrival) {
  Harness h({2, 16}, 64, 4);
  for (int i = 0; i < 5; ++i) h.scheduler.add(request(i, prompt_of(4, 100 * i), 3));
  h.run();
  std::vector<int64_t> order;
  for (const auto& sequence : h.finished) order.push_back(sequence->request.id);
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(Scheduler, ReusesTheSamePagesForTheSamePrefix) {
  Harness h({4, 64}, 64, 4);
  h.scheduler.add(request(1, prompt_of(10), 2));
  h.step();
  const std::vector<PageId> first = h.scheduler.find(1)->pages;
  h.scheduler.add(request(2, prompt_of(10), 2));
  h.step();
  Sequence* second = h.scheduler.find(2);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->num_cached, 8);
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 2, second->pages.begin()));
  EXPECT_NE(first[2], second->pages[2]);
  EXPECT_EQ(h.steps[1].num_tokens, 3);  // one decode, and the two tokens not in the cache
}

TEST(Scheduler, ComputesTheLastTokenEvenWhenAllIsCached) {
  Harness h({4, 64}, 64, 4);
  h.scheduler.add(request(1, prompt_of(8), 1));
  h.run();
  h.scheduler.add(request(2, prompt_of(8), 1));
  h.run();
  EXPECT_EQ(h.finished[1]->num_cached, 4);
  EXPECT_EQ(h.finished[0]->tokens, h.finished[1]->tokens);
}

TEST(Scheduler, PreemptsTheYoungestAndFinishesAll) {
  Harness h({8, 32}, 10, 4);  // 40 tokens of cache for 3 requests of 24
  for (int i = 0; i < 3; ++i) h.scheduler.add(request(i, prompt_of(8, 100 * i), 16));
  h.run();
  EXPECT_GT(h.preempted, 0);
  ASSERT_EQ(h.finished.size(), 3u);
  EXPECT_EQ(h.finished[0]->request.id, 0);
  EXPECT_EQ(h.finished[0]->num_preemptions, 0);
  for (const auto& sequence : h.finished) EXPECT_EQ(sequence->num_generated(), 16);
}

TEST(Scheduler, StopsAtTheStopToken) {
  Harness h({4, 64}, 64, 4);
  Request r = request(1, prompt_of(5), 100);
  const TokenId first = next_token(r.prompt);
  std::vector<TokenId> longer = r.prompt;
  longer.push_back(first);
  r.stop_token = next_token(longer);
  h.scheduler.add(r);
  h.run();
  EXPECT_EQ(h.finished[0]->num_generated(), 2);
  EXPECT_EQ(h.finished[0]->tokens.back(), *r.stop_token);
}

TEST(Scheduler, RefusesWhatCanNeverRun) {
  PagePool pool(4, 4);
  EXPECT_THROW(Scheduler({0, 4}, pool), std::invalid_argument);
  EXPECT_THROW(Scheduler({8, 4}, pool), std::invalid_argument);
  Scheduler scheduler({2, 4}, pool);
  EXPECT_THROW(scheduler.add(request(1, {}, 1)), std::invalid_argument);
  EXPECT_THROW(scheduler.add(request(1, {1}, 0)), std::invalid_argument);
  EXPECT_THROW(scheduler.add(request(1, prompt_of(16), 2)), std::invalid_argument);
  scheduler.add(request(1, prompt_of(16), 1));
  EXPECT_FALSE(scheduler.idle());
}

// Random loads: prompts with shared prefixes, few pages, odd page sizes, arrivals on the way.
TEST(Scheduler, NeverLeaksAndAlwaysFinishes) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](int lo, int hi) {
      return lo + static_cast<int>(random() % (hi - lo + 1));
    };
    const int page_size = pick(1, 9), num_pages = pick(12, 40), batch = pick(1, 6);
    Harness h({batch, batch + pick(0, 20)}, num_pages, page_size);
    const int capacity = num_pages * page_size;
    std::map<int64_t, std::vector<TokenId>> expected;
    for (int64_t id = 0; id < 12; ++id) {
      const int shared = pick(0, capacity / 3), own = pick(1, capacity / 3), fresh = pick(1, 12);
      std::vector<TokenId> prompt = prompt_of(shared, 1000 * pick(0, 2));
      for (int i = 0; i < own; ++i) prompt.push_back(pick(0, 3));
      const int room = capacity - static_cast<int>(prompt.size()) + 1;
      std::vector<TokenId> all = prompt;
      for (int i = 0; i < std::min(fresh, room); ++i) all.push_back(next_token(all));
      expected[id] = all;
      h.scheduler.add(request(id, prompt, std::min(fresh, room)));
      for (int i = pick(0, 3); i > 0 && !h.scheduler.idle(); --i) {
        ASSERT_NO_FATAL_FAILURE(h.step());
      }
    }
    ASSERT_NO_FATAL_FAILURE(h.run());
    ASSERT_EQ(h.finished.size(), expected.size());
    for (const auto& sequence : h.finished) {
      EXPECT_EQ(sequence->tokens, expected[sequence->request.id]);
      EXPECT_TRUE(sequence->pages.empty());
    }
    EXPECT_EQ(h.pool.num_available(), num_pages);
  }
}

}  // namespace
}  // namespace engine
