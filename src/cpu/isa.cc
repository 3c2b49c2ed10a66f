// SPDX-License-Identifier: Apache-2.0
// cpuid, xgetbv, arch_prctl, sched_getaffinity and the cgroup's cpu.max, read once when asked.
#include "src/cpu/isa.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace weft {
namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

uint64_t enabled_state() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

bool has(unsigned bits, std::initializer_list<int> wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](int b) { return (bits >> b & 1) != 0; });
}

// Linux grants AMX tile state to a process on request (arch_prctl ARCH_REQ_XCOMP_PERM, XTILEDATA).
bool request_amx() { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

Isa detect_isa() {
  const Registers base = cpuid(1, 0);
  const Registers extended = cpuid(7, 0);
  const bool has_xgetbv = has(base.ecx, {27});
  const uint64_t state = has_xgetbv ? enabled_state() : 0;
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = (state & 0xe6) == 0xe6;
  const bool tiles = (state & 0x60000) == 0x60000;
  // FMA, F16C and AVX; AVX2.
  if (!ymm || !has(base.ecx, {12, 28, 29}) || !has(extended.ebx, {5})) return Isa::scalar;
  // F, DQ, BW, VL.
  if (!zmm || !has(extended.ebx, {16, 17, 30, 31})) return Isa::avx2;
  if (!has(cpuid(7, 1).eax, {5})) return Isa::avx512;
  if (!tiles || !has(extended.edx, {22, 24}) || !request_amx()) return Isa::avx512_bf16;
  return Isa::amx_bf16;
}

bool detect_fast_bf16() {
  const Registers vendor = cpuid(0, 0);
  constexpr unsigned kAuthenticAmdEbx = 0x68747541;
  return vendor.ebx == kAuthenticAmdEbx && usable_isa() >= Isa::avx512_bf16;
}

#else

Isa detect_isa() { return Isa::scalar; }
bool detect_fast_bf16() { return false; }

#endif

// "max 100000" or "150000 100000" (cgroup v2); quota and period in two files (v1).
int cgroup_quota_threads() {
  long quota = -1, period = 0;
  if (FILE* f = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    if (std::fscanf(f, "%ld %ld", &quota, &period) != 2) quota = -1;
    std::fclose(f);
  } else if (FILE* q = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r")) {
    if (std::fscanf(q, "%ld", &quota) != 1) quota = -1;
    std::fclose(q);
    if (FILE* p = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r")) {
      if (std::fscanf(p, "%ld", &period) != 1) period = 0;
      std::fclose(p);
    }
  }
  if (quota <= 0 || period <= 0) return 1 << 20;
  return static_cast<int>(std::max(1L, (quota + period - 1) / period));
}

}  // namespace

Isa usable_isa() {
  static const Isa isa = detect_isa();
  return isa;
}

bool has_fast_bf16() {
  static const bool fast = detect_fast_bf16();
  return fast;
}

int usable_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof(set), &set) == 0) threads = CPU_COUNT(&set);
  return std::max(1, std::min(threads, cgroup_quota_threads()));
}

}  // namespace weft
