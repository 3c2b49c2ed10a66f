// SPDX-License-Identifier: Apache-2.0
// See page_pool.h. A page is in exactly one state: referenced, idle (cached, unreferenced) or
// unused.
#include "examples/engine/page_pool.h"

#include <algorithm>
#include <stdexcept>

namespace engine {

// Each step is a bijection of the state followed by the finaliser of SplitMix64, so two prefixes of
// equal length collide with probability 2^-64; the block itself is compared besides.
PrefixHash extend_prefix(PrefixHash prefix, std::span<const TokenId> block) {
  uint64_t h = prefix;
  for (TokenId token : block) {
    h = (h ^ static_cast<uint32_t>(token)) + 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    h ^= h >> 31;
  }
  return h;
}

PagePool::PagePool(int num_pages, int page_size) : page_size_(page_size) {
  if (num_pages < 1) throw std::invalid_argument("num_pages: expected at least 1");
  if (page_size < 1) throw std::invalid_argument("page_size: expected at least 1");
  pages_.resize(num_pages);
  for (PageId page = num_pages - 1; page >= 0; --page) unused_.push_back(page);
}

std::optional<PageId> PagePool::allocate() {
  PageId page;
  if (!unused_.empty()) {
    page = unused_.back();
    unused_.pop_back();
  } else if (!idle_.empty()) {
    page = idle_.front();
    idle_.pop_front();
    forget(pages_[page]);
  } else {
    return std::nullopt;
  }
  pages_[page].references = 1;
  return page;
}

void PagePool::retain(PageId page) {
  Page& p = pages_.at(page);
  if (p.references == 0) {
    if (!p.published) throw std::logic_error("page_pool: retained an unused page");
    idle_.erase(p.idle);
  }
  ++p.references;
}

void PagePool::release(PageId page) {
  Page& p = pages_.at(page);
  if (p.references == 0) throw std::logic_error("page_pool: released a page nobody holds");
  if (--p.references > 0) return;
  if (p.published) {
    p.idle = idle_.insert(idle_.end(), page);
  } else {
    unused_.push_back(page);
  }
}

void PagePool::forget(Page& page) {
  by_hash_.erase(page.hash);
  page.published = false;
  page.block.clear();
}

PrefixHash PagePool::publish(PageId page, PrefixHash prefix, std::span<const TokenId> block) {
  Page& p = pages_.at(page);
  if (p.references == 0 || p.published || static_cast<int>(block.size()) != page_size_) {
    throw std::logic_error("page_pool: only a full, referenced page is published, and once");
  }
  const PrefixHash hash = extend_prefix(prefix, block);
  if (!by_hash_.emplace(hash, page).second) return hash;
  p.published = true;
  p.hash = hash;
  p.prefix = prefix;
  p.block.assign(block.begin(), block.end());
  return hash;
}

std::vector<PageId> PagePool::match(std::span<const TokenId> tokens) {
  std::vector<PageId> found;
  PrefixHash prefix = kEmptyPrefix;
  for (size_t begin = 0; begin + page_size_ <= tokens.size(); begin += page_size_) {
    const auto block = tokens.subspan(begin, page_size_);
    const PrefixHash hash = extend_prefix(prefix, block);
    const auto at = by_hash_.find(hash);
    if (at == by_hash_.end()) break;
    const Page& p = pages_[at->second];
    if (p.prefix != prefix || !std::equal(block.begin(), block.end(), p.block.begin())) break;
    retain(at->second);
    found.push_back(at->second);
    prefix = hash;
  }
  return found;
}

}  // namespace engine
