// SPDX-License-Identifier: Apache-2.0
// A shared library with NVRTC's functions that compiles nothing: the cubin is the source's text. It
// counts compiles, takes 20 ms each, so that racing callers overlap, and refuses a program whose
// header is named "broken...". Lets the store be tested where no CUDA is.
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

namespace {

struct Program {
  std::string source;
  bool failed = false;
};

std::atomic<int> compiles{0};

std::string log_of(const Program& program) {
  if (program.failed) return "plan.cu(3): warning: so what\nplan.cu(7): error: no such thing\n";
  return "ptxas info    : Used 40 registers, used 1 barriers, 512 bytes smem\n";
}

}  // namespace

extern "C" {

int fake_nvrtc_compiles() { return compiles; }

int nvrtcVersion(int* major, int* minor) {
  *major = 12;
  *minor = 9;
  return 0;
}

const char* nvrtcGetErrorString(int) { return "fake failure"; }

int nvrtcCreateProgram(void** program, const char* source, const char*, int, const char* const*,
                       const char* const*) {
  *program = new Program{source};
  return 0;
}

int nvrtcDestroyProgram(void** program) {
  delete static_cast<Program*>(*program);
  *program = nullptr;
  return 0;
}

int nvrtcCompileProgram(void* program, int, const char* const*) {
  auto* p = static_cast<Program*>(program);
  ++compiles;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  p->failed = p->source.find("\"broken") != std::string::npos;
  return p->failed ? 6 : 0;
}

int nvrtcGetProgramLogSize(void* program, size_t* size) {
  *size = log_of(*static_cast<Program*>(program)).size() + 1;
  return 0;
}

int nvrtcGetProgramLog(void* program, char* log) {
  std::strcpy(log, log_of(*static_cast<Program*>(program)).c_str());
  return 0;
}

int nvrtcGetCUBINSize(void* program, size_t* size) {
  *size = static_cast<Program*>(program)->source.size();
  return 0;
}

int nvrtcGetCUBIN(void* program, char* cubin) {
  const auto* p = static_cast<Program*>(program);
  std::memcpy(cubin, p->source.data(), p->source.size());
  return 0;
}

}  // extern "C"
