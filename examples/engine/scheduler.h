// SPDX-License-Identifier: Apache-2.0
// Scheduler: which tokens of which requests run in the next step, and on which pages. Continuous
// batching: every decoding request gets one token, what is left of the token budget goes to
// prefills in order of arrival (chunked), waiting requests are admitted first come, first served.
// When pages run out, the request admitted last gives its pages back and is computed again later.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "examples/engine/page_pool.h"

namespace engine {

struct Request {
  int64_t id = 0;
  std::vector<TokenId> prompt;        // at least one token
  int max_new_tokens = 1;             // at least 1
  std::optional<TokenId> stop_token;  // ends the request early, and is its last token
};

/// A request on its way through the engine.
struct Sequence {
  Request request;
  std::vector<TokenId> tokens;  // prompt, then what was generated
  int num_computed = 0;         // leading tokens whose keys and values are in the cache
  int num_cached = 0;           // of those, found in the prefix cache at the latest admission
  int num_preemptions = 0;
  std::vector<PageId> pages;
  int num_published = 0;  // leading pages that the prefix cache knows, or has an equal of
  PrefixHash prefix = kEmptyPrefix;  // of those pages

  int num_generated() const { return static_cast<int>(tokens.size() - request.prompt.size()); }
  int num_waiting() const { return static_cast<int>(tokens.size()) - num_computed; }
};

/// Tokens [begin, begin + length) of one sequence.
struct Chunk {
  Sequence* sequence = nullptr;
  int begin = 0;
  int length = 0;
  /// The chunk ends the sequence's known tokens, so its last row predicts the next one.
  bool predicts() const { return begin + length == static_cast<int>(sequence->tokens.size()); }
  bool is_decode() const { return length == 1 && sequence->num_generated() > 0 && predicts(); }
};

struct Step {
  std::vector<Chunk> chunks;
  int num_tokens = 0;
  int num_decodes = 0;
  int num_preempted = 0;
};

struct SchedulerLimits {
  int max_batch_size = 64;     // sequences in one step
  int max_batch_tokens = 512;  // tokens in one step; at least max_batch_size
};

/// Not thread-safe.
class Scheduler {
 public:
  Scheduler(const SchedulerLimits& limits, PagePool& pool);

  /// Throws std::invalid_argument when the request could never finish.
  void add(Request request);
  bool idle() const { return waiting_.empty() && running_.empty(); }
  size_t num_waiting() const { return waiting_.size(); }
  size_t num_running() const { return running_.size(); }

  /// The next step; never empty unless idle. Pages for its tokens are allocated.
  const Step& schedule();
  /// Call when the step has been computed: `predicted` has one token per chunk that predicts, in
  /// order. Returns the sequences that are finished; their pages are released.
  std::vector<std::unique_ptr<Sequence>> commit(std::span<const TokenId> predicted);

  /// A sequence that is running, or null. For inspection, and for tests that corrupt it.
  Sequence* find(int64_t id);

 private:
  void schedule_running(int& prefill_budget);
  void admit(int& prefill_budget);
  bool reserve(Sequence& sequence, int num_tokens);
  bool make_room(Sequence& sequence, int num_tokens);
  void preempt_last();
  void add_chunk(Sequence& sequence, int length);
  void publish_full_pages(Sequence& sequence);
  void release_pages(Sequence& sequence);

  SchedulerLimits limits_;
  PagePool& pool_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;  // in order of admission
  Step step_;
};

}  // namespace engine
