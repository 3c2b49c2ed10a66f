// SPDX-License-Identifier: Apache-2.0
// See simt.h. Fibers by ucontext; the scheduler runs each thread until it has to wait.
#include "tests/simt/simt.h"

#include <ucontext.h>

#include <deque>
#include <map>
#include <memory>
#include <utility>
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

struct Cta;

struct Thread {
  ucontext_t context;
  Cta* cta = nullptr;
  unsigned index = 0;  // in its CTA
  std::unique_ptr<char[]> stack;
  std::function<bool()> waits;  // empty: it can run
  std::deque<std::vector<Copy>> groups;
  std::vector<Copy> open;
  int meetings = 0;         // exchanges of its warp so far
  int cluster_meeting = 0;  // which one it arrived at
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
  int index = 0;  // in the grid
};

// CTAs that run at the same time, and see each other's shared memory.
struct Cluster {
  std::vector<Cta> ctas;
  Barrier barrier;
  const std::function<void()>* body = nullptr;
  ucontext_t scheduler;
  std::string failure;
};

Cluster* cluster;
Cta* cta;  // of the thread that runs

Thread& self() { return cta->threads[threadIdx.x]; }

void thread_main() {
  try {
    (*cluster->body)();
  } catch (const std::exception& error) {
    cluster->failure = error.what();
  }
  self().ended = true;
}

void start(Thread& thread) {
  thread.stack = std::make_unique<char[]>(kStackBytes);
  getcontext(&thread.context);
  thread.context.uc_stack.ss_sp = thread.stack.get();
  thread.context.uc_stack.ss_size = kStackBytes;
  thread.context.uc_link = &cluster->scheduler;
  makecontext(&thread.context, thread_main, 0);
}

void enter(const Thread& thread) {
  cta = thread.cta;
  threadIdx.x = thread.index;
  blockIdx.x = static_cast<unsigned>(cta->index);
}

// One turn for each thread that can run; false when none could.
bool run_round() {
  bool ran = false;
  for (Cta& one : cluster->ctas) {
    for (Thread& thread : one.threads) {
      if (thread.ended) continue;
      enter(thread);
      if (thread.waits && !thread.waits()) continue;
      thread.waits = nullptr;
      swapcontext(&cluster->scheduler, &thread.context);
      ran = true;
    }
  }
  return ran;
}

void prepare(Cta& one, int index, int num_threads, int smem_bytes) {
  one.index = index;
  one.threads.resize(static_cast<size_t>(num_threads));
  one.warps.resize(static_cast<size_t>(num_threads) / 32);
  one.smem.assign(static_cast<size_t>(smem_bytes), static_cast<char>(0xff));
  for (int i = 0; i < num_threads; ++i) {
    Thread& thread = one.threads[static_cast<size_t>(i)];
    thread.cta = &one;
    thread.index = static_cast<unsigned>(i);
    start(thread);
  }
}

}  // namespace

void run_cluster(int first, int num_ctas, int size, int num_threads, int smem_bytes,
                 const std::function<void()>& body) {
  Cluster here;
  here.ctas.resize(static_cast<size_t>(size));
  here.body = &body;
  cluster = &here;
  gridDim.x = static_cast<unsigned>(num_ctas);
  blockDim.x = static_cast<unsigned>(num_threads);
  for (int i = 0; i < size; ++i) {
    prepare(here.ctas[static_cast<size_t>(i)], first + i, num_threads, smem_bytes);
  }
  while (run_round()) {
  }
  for (const Cta& one : here.ctas) {
    for (const Thread& thread : one.threads) {
      if (!thread.ended && here.failure.empty()) here.failure = "threads wait for ever";
    }
  }
  cluster = nullptr;
  cta = nullptr;
  if (!here.failure.empty()) throw std::runtime_error(here.failure);
}

void run_cta(int index, int num_ctas, int num_threads, int smem_bytes,
             const std::function<void()>& body) {
  run_cluster(index, num_ctas, 1, num_threads, smem_bytes, body);
}

int cluster_rank() { return static_cast<int>(cta - cluster->ctas.data()); }

void arrive_cluster() {
  Barrier& barrier = cluster->barrier;
  self().cluster_meeting = barrier.meetings;
  if (++barrier.arrived == static_cast<int>(cluster->ctas.size()) * num_threads()) {
    barrier.arrived = 0;
    ++barrier.meetings;
  }
}

void wait_cluster() {
  const Barrier& barrier = cluster->barrier;
  const int meeting = self().cluster_meeting;
  wait_until([&barrier, meeting] { return barrier.meetings > meeting; });
}

void meet_cluster() {
  arrive_cluster();
  wait_cluster();
}

namespace {

char* bytes_in(Cta& of, uint32_t at, int bytes) {
  const int64_t offset = int64_t{at} - kSharedBase;
  if (offset < 0 || offset + bytes > static_cast<int64_t>(of.smem.size())) {
    throw std::runtime_error("outside shared memory");
  }
  if (at % static_cast<uint32_t>(bytes) != 0) throw std::runtime_error("misaligned in shared");
  return of.smem.data() + offset;
}

}  // namespace

char* peer_shared(int rank, uint32_t at, int bytes) {
  return bytes_in(cluster->ctas.at(static_cast<size_t>(rank)), at, bytes);
}

void wait_until(std::function<bool()> ready) {
  if (ready()) return;
  Thread& me = self();
  me.waits = std::move(ready);
  swapcontext(&me.context, &cluster->scheduler);
}

int num_threads() { return static_cast<int>(cta->threads.size()); }

char* shared(uint32_t at, int bytes) { return bytes_in(*cta, at, bytes); }

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

namespace {

void perform(const std::vector<Copy>& copies) {
  for (const Copy& copy : copies) {
    char* to = shared(copy.to, copy.bytes + copy.zeros);
    if (copy.bytes > 0) std::memcpy(to, copy.from, static_cast<size_t>(copy.bytes));
    std::memset(to + copy.bytes, 0, static_cast<size_t>(copy.zeros));
  }
}

}  // namespace

void wait_copies(int pending) {
  Thread& me = self();
  for (; static_cast<int>(me.groups.size()) > pending; me.groups.pop_front()) {
    perform(me.groups.front());
  }
}

std::function<void()> take_copies() {
  return [copies = std::exchange(self().open, {})] { perform(copies); };
}

}  // namespace weft::simt
