// SPDX-License-Identifier: Apache-2.0
// See simt.h. Fibers by ucontext; the scheduler runs each thread until it has to wait.
#include "tests/simt/simt.h"

#include <ucontext.h>

#include <deque>
#include <map>
#include <memory>
#include <vector>

Dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace weft::simt {
namespace {

constexpr size_t kStackBytes = 256 << 10;

struct Copy {
  uint32_t to;
  const void* from;
  int bytes, zeros;
};

struct Thread {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  std::function<bool()> waits;  // empty: it can run
  std::deque<std::vector<Copy>> groups;
  std::vector<Copy> open;
  int meetings = 0;  // exchanges of its warp so far
  bool ended = false;
};

struct Warp {
  char slots[2][32 * 32];  // of this exchange and of the one before, which others may still read
  int arrived = 0;
  int meetings = 0;
};

struct Barrier {
  int arrived = 0;
  int meetings = 0;
};

struct Cta {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::map<int, Barrier> barriers;
  std::vector<char> smem;
  const std::function<void()>* body = nullptr;
  ucontext_t scheduler;
  std::string failure;
};

Cta* cta;

Thread& self() { return cta->threads[threadIdx.x]; }

void thread_main() {
  try {
    (*cta->body)();
  } catch (const std::exception& error) {
    cta->failure = error.what();
  }
  self().ended = true;
}

void start(Thread& thread) {
  thread.stack = std::make_unique<char[]>(kStackBytes);
  getcontext(&thread.context);
  thread.context.uc_stack.ss_sp = thread.stack.get();
  thread.context.uc_stack.ss_size = kStackBytes;
  thread.context.uc_link = &cta->scheduler;
  makecontext(&thread.context, thread_main, 0);
}

// One turn for each thread that can run; false when none could.
bool run_round() {
  bool ran = false;
  for (size_t i = 0; i < cta->threads.size(); ++i) {
    Thread& thread = cta->threads[i];
    if (thread.ended || (thread.waits && !thread.waits())) continue;
    thread.waits = nullptr;
    threadIdx.x = static_cast<unsigned>(i);
    swapcontext(&cta->scheduler, &thread.context);
    ran = true;
  }
  return ran;
}

}  // namespace

void run_cta(int index, int num_ctas, int num_threads, int smem_bytes,
             const std::function<void()>& body) {
  Cta here;
  here.threads.resize(static_cast<size_t>(num_threads));
  here.warps.resize(static_cast<size_t>(num_threads) / 32);
  here.smem.assign(static_cast<size_t>(smem_bytes), static_cast<char>(0xff));
  here.body = &body;
  cta = &here;
  blockIdx.x = static_cast<unsigned>(index);
  gridDim.x = static_cast<unsigned>(num_ctas);
  blockDim.x = static_cast<unsigned>(num_threads);
  for (Thread& thread : here.threads) start(thread);
  while (run_round()) {
  }
  for (const Thread& thread : here.threads) {
    if (!thread.ended && here.failure.empty()) here.failure = "threads wait for ever";
  }
  cta = nullptr;
  if (!here.failure.empty()) throw std::runtime_error(here.failure);
}

void wait_until(std::function<bool()> ready) {
  if (ready()) return;
  Thread& me = self();
  me.waits = std::move(ready);
  swapcontext(&me.context, &cta->scheduler);
}

int num_threads() { return static_cast<int>(cta->threads.size()); }

char* shared(uint32_t at, int bytes) {
  const int64_t offset = int64_t{at} - kSharedBase;
  if (offset < 0 || offset + bytes > static_cast<int64_t>(cta->smem.size())) {
    throw std::runtime_error("outside shared memory");
  }
  if (at % static_cast<uint32_t>(bytes) != 0) throw std::runtime_error("misaligned in shared");
  return cta->smem.data() + offset;
}

const char* exchange(const void* mine, int bytes) {
  Warp& warp = cta->warps[threadIdx.x / 32];
  const int meeting = self().meetings++;
  char* slots = warp.slots[meeting % 2];
  std::memcpy(slots + threadIdx.x % 32 * 32, mine, static_cast<size_t>(bytes));
  if (++warp.arrived == 32) {
    warp.arrived = 0;
    ++warp.meetings;
  }
  wait_until([&warp, meeting] { return warp.meetings > meeting; });
  return slots;
}

void arrive(int id, int num_threads) {
  Barrier& barrier = cta->barriers[id];
  if (++barrier.arrived < num_threads) return;
  barrier.arrived = 0;
  ++barrier.meetings;
}

void meet(int id, int num_threads) {
  Barrier& barrier = cta->barriers[id];
  const int meeting = barrier.meetings;
  arrive(id, num_threads);
  wait_until([&barrier, meeting] { return barrier.meetings > meeting; });
}

void copy_later(uint32_t to, const void* from, int bytes, int zeros) {
  self().open.push_back({to, from, bytes, zeros});
}

void commit_copies() {
  self().groups.push_back(std::move(self().open));
  self().open.clear();
}

void wait_copies(int pending) {
  Thread& me = self();
  for (; static_cast<int>(me.groups.size()) > pending; me.groups.pop_front()) {
    for (const Copy& copy : me.groups.front()) {
      char* to = shared(copy.to, copy.bytes + copy.zeros);
      if (copy.bytes > 0) std::memcpy(to, copy.from, static_cast<size_t>(copy.bytes));
      std::memset(to + copy.bytes, 0, static_cast<size_t>(copy.zeros));
    }
  }
}

}  // namespace weft::simt
