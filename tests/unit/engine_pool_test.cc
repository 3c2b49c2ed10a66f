// SPDX-License-Identifier: Apache-2.0
// The engine's page pool: references, the prefix cache, and taking cached pages back.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "examples/engine/page_pool.h"

namespace engine {
namespace {

std::vector<TokenId> count_from(TokenId first, int n) {
  std::vector<TokenId> tokens(n);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// Fills pages with `tokens` (full blocks), publishes them, and gives them back.
std::vector<PageId> cache(PagePool& pool, const std::vector<TokenId>& tokens) {
  std::vector<PageId> pages;
  PrefixHash prefix = kEmptyPrefix;
  for (size_t at = 0; at < tokens.size(); at += pool.page_size()) {
    pages.push_back(*pool.allocate());
    prefix = pool.publish(pages.back(), prefix, std::span(tokens).subspan(at, pool.page_size()));
  }
  for (auto page = pages.rbegin(); page != pages.rend(); ++page) pool.release(*page);
  return pages;
}

TEST(PagePool, HandsOutEveryPageOnce) {
  PagePool pool(3, 4);
  std::vector<PageId> pages;
  for (int i = 0; i < 3; ++i) pages.push_back(*pool.allocate());
  std::sort(pages.begin(), pages.end());
  EXPECT_EQ(pages, (std::vector<PageId>{0, 1, 2}));
  EXPECT_FALSE(pool.allocate());
  pool.release(1);
  EXPECT_EQ(pool.allocate(), 1);
}

TEST(PagePool, CountsReferences) {
  PagePool pool(1, 4);
  const PageId page = *pool.allocate();
  pool.retain(page);
  pool.release(page);
  EXPECT_EQ(pool.num_available(), 0);
  pool.release(page);
  EXPECT_EQ(pool.num_available(), 1);
  EXPECT_THROW(pool.release(page), std::logic_error);
  EXPECT_THROW(pool.retain(page), std::logic_error);
}

TEST(PagePool, FindsTheLongestCachedPrefix) {
  PagePool pool(8, 4);
  const std::vector<PageId> pages = cache(pool, count_from(100, 12));
  std::vector<TokenId> wanted = count_from(100, 11);  // the third block is not whole
  EXPECT_EQ(pool.match(wanted), (std::vector<PageId>{pages[0], pages[1]}));
  EXPECT_EQ(pool.num_references(pages[0]), 1);
  EXPECT_EQ(pool.num_references(pages[2]), 0);
  wanted[5] = 7;
  EXPECT_EQ(pool.match(wanted), std::vector<PageId>{pages[0]});
  EXPECT_EQ(pool.num_references(pages[0]), 2);
}

TEST(PagePool, ABlockCountsOnlyAfterItsOwnPrefix) {
  PagePool pool(8, 2);
  cache(pool, {1, 2, 3, 4});
  EXPECT_TRUE(pool.match(std::vector<TokenId>{3, 4}).empty());
  EXPECT_EQ(pool.match(std::vector<TokenId>{1, 2, 1, 2}).size(), 1u);
}

TEST(PagePool, TakesTheLeastRecentlyUsedBack) {
  PagePool pool(4, 2);
  const std::vector<PageId> old_pages = cache(pool, {1, 2, 3, 4});
  cache(pool, {5, 6, 7, 8});
  for (PageId page : pool.match(std::vector<TokenId>{1, 2})) pool.release(page);  // used again
  EXPECT_EQ(pool.allocate(), old_pages[1]);
  EXPECT_EQ(pool.match(std::vector<TokenId>{1, 2, 3, 4}).size(), 1u);
  EXPECT_EQ(pool.match(std::vector<TokenId>{5, 6, 7, 8}).size(), 2u);
  EXPECT_FALSE(pool.allocate());
}

TEST(PagePool, KeepsTheFirstOfTwoEqualPages) {
  PagePool pool(2, 2);
  const std::vector<TokenId> block{1, 2};
  const PageId first = *pool.allocate(), second = *pool.allocate();
  const PrefixHash a = pool.publish(first, kEmptyPrefix, block);
  EXPECT_EQ(pool.publish(second, kEmptyPrefix, block), a);
  EXPECT_EQ(pool.match(block), std::vector<PageId>{first});
  pool.release(second);  // never published: unused again, and found first
  EXPECT_EQ(pool.allocate(), second);
}

TEST(PagePool, RefusesMisuse) {
  EXPECT_THROW(PagePool(0, 1), std::invalid_argument);
  EXPECT_THROW(PagePool(1, 0), std::invalid_argument);
  PagePool pool(1, 2);
  const std::vector<TokenId> block{1, 2}, half{1};
  EXPECT_THROW(pool.publish(0, kEmptyPrefix, block), std::logic_error);
  pool.allocate();
  EXPECT_THROW(pool.publish(0, kEmptyPrefix, half), std::logic_error);
  EXPECT_THROW(pool.release(1), std::out_of_range);
}

}  // namespace
}  // namespace engine
