// SPDX-License-Identifier: Apache-2.0
// PagePool: who owns which page of the KV cache. Counts references, keeps finished full pages for
// reuse by later requests with the same prefix, and takes the least recently used of them back when
// memory is short. Used by the scheduler; knows page numbers and token ids, no tensors.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace engine {

using PageId = int32_t;
using TokenId = int32_t;

/// Name of a prefix made of full blocks: the hash of the prefix before the block and of the block's
/// tokens. The empty prefix is kEmptyPrefix.
using PrefixHash = uint64_t;
inline constexpr PrefixHash kEmptyPrefix = 0x9e3779b97f4a7c15u;

PrefixHash extend_prefix(PrefixHash prefix, std::span<const TokenId> block);

/// Not thread-safe: one scheduler owns it.
class PagePool {
 public:
  PagePool(int num_pages, int page_size);

  int num_pages() const { return static_cast<int>(pages_.size()); }
  int page_size() const { return page_size_; }
  /// Pages that `allocate` can still hand out: never used, or cached and unreferenced.
  int num_available() const { return static_cast<int>(unused_.size() + idle_.size()); }
  int num_references(PageId page) const { return pages_.at(page).references; }

  /// A page with one reference, or nothing when every page is referenced.
  std::optional<PageId> allocate();
  void retain(PageId page);
  void release(PageId page);

  /// Makes a full page findable: it holds `block`, and `prefix` names everything before it. Returns
  /// the name of the prefix that ends with the block. When another page already holds the same, the
  /// older one stays the findable one.
  PrefixHash publish(PageId page, PrefixHash prefix, std::span<const TokenId> block);

  /// The cached pages of the longest prefix of `tokens` made of full blocks, each retained once.
  std::vector<PageId> match(std::span<const TokenId> tokens);

 private:
  struct Page {
    int references = 0;
    bool published = false;
    PrefixHash hash = 0;    // of the prefix that ends with this page
    PrefixHash prefix = 0;  // of everything before it
    std::vector<TokenId> block;
    std::list<PageId>::iterator idle;  // valid while published and unreferenced
  };

  void forget(Page& page);

  int page_size_;
  std::vector<Page> pages_;
  std::vector<PageId> unused_;
  std::list<PageId> idle_;  // published and unreferenced, least recently used first
  std::unordered_map<PrefixHash, PageId> by_hash_;
};

}  // namespace engine
