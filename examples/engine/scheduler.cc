// SPDX-License-Identifier: Apache-2.0
// See scheduler.h. The oldest running sequence can always take the pages of the others, and `add`
// refuses what does not fit alone, so every step makes progress.
#include "examples/engine/scheduler.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace engine {
namespace {

int pages_of(int num_tokens, int page_size) { return (num_tokens + page_size - 1) / page_size; }

}  // namespace

Scheduler::Scheduler(const SchedulerLimits& limits, PagePool& pool) : limits_(limits), pool_(pool) {
  if (limits.max_batch_size < 1) throw std::invalid_argument("max_batch_size: expected at least 1");
  if (limits.max_batch_tokens < limits.max_batch_size) {
    throw std::invalid_argument("max_batch_tokens: expected at least max_batch_size");
  }
}

void Scheduler::add(Request request) {
  if (request.prompt.empty()) throw std::invalid_argument("prompt: expected at least one token");
  if (request.max_new_tokens < 1) {
    throw std::invalid_argument("max_new_tokens: expected at least 1");
  }
  // The last generated token is never fed back, so it needs no room.
  const size_t tokens = request.prompt.size() + request.max_new_tokens - 1;
  const size_t capacity = static_cast<size_t>(pool_.num_pages()) * pool_.page_size();
  if (tokens > capacity) {
    throw std::invalid_argument("request " + std::to_string(request.id) + ": expected at most " +
                                std::to_string(capacity) + " tokens of KV cache, got " +
                                std::to_string(tokens));
  }
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens = request.prompt;
  sequence->request = std::move(request);
  waiting_.push_back(std::move(sequence));
}

const Step& Scheduler::schedule() {
  step_ = Step{};
  const auto decoding = [](const auto& s) { return s->num_waiting() == 1; };
  const auto decodes = std::count_if(running_.begin(), running_.end(), decoding);
  int prefill_budget = limits_.max_batch_tokens - static_cast<int>(decodes);
  schedule_running(prefill_budget);
  if (step_.num_preempted == 0) admit(prefill_budget);
  return step_;
}

void Scheduler::schedule_running(int& prefill_budget) {
  // running_ shrinks from its end when pages run out: what has been scheduled stays.
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    const bool decode = sequence.num_waiting() == 1;
    const int length = decode ? 1 : std::min(sequence.num_waiting(), prefill_budget);
    if (length == 0) continue;
    if (!make_room(sequence, length)) return;  // it was the last itself, and has gone
    if (!decode) prefill_budget -= length;
    add_chunk(sequence, length);
  }
}

// Admission asks for room for everything known of the sequence, so that a prefill seldom preempts
// others halfway.
void Scheduler::admit(int& prefill_budget) {
  while (!waiting_.empty() && prefill_budget > 0 &&
         static_cast<int>(running_.size()) < limits_.max_batch_size) {
    Sequence& sequence = *waiting_.front();
    // The last token is always computed: its row predicts the next one.
    sequence.pages = pool_.match(std::span(sequence.tokens).first(sequence.tokens.size() - 1));
    const int cached = static_cast<int>(sequence.pages.size());
    const int needed =
        pages_of(static_cast<int>(sequence.tokens.size()), pool_.page_size()) - cached;
    if (needed > pool_.num_available()) {
      release_pages(sequence);
      return;
    }
    sequence.num_computed = sequence.num_cached = cached * pool_.page_size();
    sequence.num_published = cached;
    for (int i = 0; i < cached; ++i) {
      const auto block = std::span(sequence.tokens).subspan(i * pool_.page_size());
      sequence.prefix = extend_prefix(sequence.prefix, block.first(pool_.page_size()));
    }
    const int length = std::min(sequence.num_waiting(), prefill_budget);
    if (!reserve(sequence, length)) throw std::logic_error("scheduler: pages vanished");
    prefill_budget -= length;
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    add_chunk(sequence, length);
  }
}

/// Grows the page list to hold `num_tokens` more than are computed; false when pages ran out.
bool Scheduler::reserve(Sequence& sequence, int num_tokens) {
  const int needed = pages_of(sequence.num_computed + num_tokens, pool_.page_size());
  while (static_cast<int>(sequence.pages.size()) < needed) {
    const std::optional<PageId> page = pool_.allocate();
    if (!page) return false;
    sequence.pages.push_back(*page);
  }
  return true;
}

/// Reserves, preempting younger sequences as needed; false when `sequence` itself had to go.
bool Scheduler::make_room(Sequence& sequence, int num_tokens) {
  while (!reserve(sequence, num_tokens)) {
    const bool itself = running_.back().get() == &sequence;
    preempt_last();
    if (itself) return false;
  }
  return true;
}

void Scheduler::preempt_last() {
  std::unique_ptr<Sequence> victim = std::move(running_.back());
  running_.pop_back();
  release_pages(*victim);
  victim->num_computed = 0;
  ++victim->num_preemptions;
  ++step_.num_preempted;
  waiting_.push_front(std::move(victim));
}

void Scheduler::add_chunk(Sequence& sequence, int length) {
  step_.chunks.push_back(Chunk{&sequence, sequence.num_computed, length});
  step_.num_tokens += length;
  step_.num_decodes += step_.chunks.back().is_decode() ? 1 : 0;
}

// Last page first: the pool takes the pages back in this order, and a prefix is worth more than
// what follows it.
void Scheduler::release_pages(Sequence& sequence) {
  for (auto page = sequence.pages.rbegin(); page != sequence.pages.rend(); ++page) {
    pool_.release(*page);
  }
  sequence.pages.clear();
  sequence.num_published = 0;
  sequence.prefix = kEmptyPrefix;
}

void Scheduler::publish_full_pages(Sequence& sequence) {
  const int page_size = pool_.page_size();
  while ((sequence.num_published + 1) * page_size <= sequence.num_computed) {
    const int i = sequence.num_published++;
    const auto block = std::span<const TokenId>(sequence.tokens).subspan(i * page_size, page_size);
    sequence.prefix = pool_.publish(sequence.pages[i], sequence.prefix, block);
  }
}

std::vector<std::unique_ptr<Sequence>> Scheduler::commit(std::span<const TokenId> predicted) {
  size_t next = 0;
  for (const Chunk& chunk : step_.chunks) {
    Sequence& sequence = *chunk.sequence;
    const bool predicts = chunk.predicts();
    sequence.num_computed += chunk.length;
    publish_full_pages(sequence);
    if (predicts) sequence.tokens.push_back(predicted[next++]);
  }
  step_ = Step{};
  std::vector<std::unique_ptr<Sequence>> finished;
  const auto done = [](const Sequence& s) {
    if (s.num_generated() == 0) return false;
    return s.num_generated() >= s.request.max_new_tokens || s.tokens.back() == s.request.stop_token;
  };
  for (auto& sequence : running_) {
    if (!done(*sequence)) continue;
    release_pages(*sequence);
    finished.push_back(std::move(sequence));
  }
  std::erase(running_, nullptr);
  return finished;
}

Sequence* Scheduler::find(int64_t id) {
  for (auto& sequence : running_) {
    if (sequence->request.id == id) return sequence.get();
  }
  return nullptr;
}

}  // namespace engine
