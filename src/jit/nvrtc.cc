// SPDX-License-Identifier: Apache-2.0
// See nvrtc.h. Functions are declared here rather than by nvrtc.h of a toolkit, which may be absent
// where weft is built; their signatures have been the same since NVRTC 11.1.
#include "src/jit/nvrtc.h"

#include <chrono>
#include <sstream>

#include "src/base/check.h"
#include "src/jit/embedded.h"

namespace weft {
namespace {

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// The number before `words`, e.g. 24 in "Used 24 registers"; 0 when there is none.
int number_before(const std::string& line, const char* words) {
  const size_t at = line.find(words);
  if (at == std::string::npos || at == 0) return 0;
  size_t begin = at;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
  return begin == at ? 0 : std::stoi(line.substr(begin, at - begin));
}

bool contains(const std::string& line, const char* words) {
  return line.find(words) != std::string::npos;
}

}  // namespace

std::vector<std::string> nvrtc_names() {
  return {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "/usr/local/cuda/lib64/libnvrtc.so"};
}

std::string arch_name(int arch) {
  check_range("target.arch", arch, 80, 999);
  return "sm_" + std::to_string(arch) + (arch == 90 ? "a" : "");
}

const std::vector<std::string>& nvrtc_flags() {
  static const std::vector<std::string> flags{"--std=c++20", "--no-source-include",
                                              "--ptxas-options=-v"};
  return flags;
}

KernelResources parse_resources(const std::string& log) {
  KernelResources r;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (contains(line, "bytes stack frame")) {
      r.stack_bytes = number_before(line, " bytes stack frame");
      r.spill_store_bytes = number_before(line, " bytes spill stores");
      r.spill_load_bytes = number_before(line, " bytes spill loads");
    } else if (contains(line, "Used ") && contains(line, " registers")) {
      r.registers = number_before(line, " registers");
      r.static_smem_bytes = number_before(line, " bytes smem");
    } else if (contains(line, "warning") || contains(line, "(C7")) {
      r.warnings.push_back(line);
    }
  }
  return r;
}

std::string first_error(const std::string& log) {
  std::istringstream lines(log);
  std::string first;
  for (std::string line; std::getline(lines, line);) {
    if (contains(line, "error")) return line;  // "x.cuh(12): error: ..." or "ptxas error   : ..."
    if (first.empty()) first = line;
  }
  return first.empty() ? "no message" : first;
}

Nvrtc::Nvrtc(const std::vector<std::string>& names) : library_(names) {
  if (!library_.is_open()) {
    throw Error(ErrorKind::device, "nvrtc: expected one of " + list_of(names) +
                                       " (CUDA 12 or 13), got none: " + library_.error());
  }
  int (*version)(int*, int*) = nullptr;
  library_.bind("nvrtcVersion", version);
  library_.bind("nvrtcGetErrorString", error_string_);
  library_.bind("nvrtcCreateProgram", create_);
  library_.bind("nvrtcDestroyProgram", destroy_);
  library_.bind("nvrtcCompileProgram", compile_);
  library_.bind("nvrtcGetProgramLogSize", log_size_);
  library_.bind("nvrtcGetProgramLog", log_);
  library_.bind("nvrtcGetCUBINSize", cubin_size_);
  library_.bind("nvrtcGetCUBIN", cubin_);
  check(version(&major_, &minor_), "nvrtcVersion");
  if (major_ < 12) {
    throw Error(ErrorKind::device, "nvrtc: expected version 12.0 or newer, got " + this->version() +
                                       " from " + library_.name());
  }
}

std::string Nvrtc::version() const { return std::to_string(major_) + "." + std::to_string(minor_); }

void Nvrtc::check(int result, const char* call) const {
  if (result == 0) return;
  throw Error(ErrorKind::device, std::string(call) + ": " + error_string_(result));
}

std::string Nvrtc::log_of(Program program) const {
  size_t size = 0;
  check(log_size_(program, &size), "nvrtcGetProgramLogSize");
  std::string log(size, '\0');
  check(log_(program, log.data()), "nvrtcGetProgramLog");
  while (!log.empty() && log.back() == '\0') log.pop_back();
  return log;
}

std::string Nvrtc::cubin_of(Program program) const {
  size_t size = 0;
  check(cubin_size_(program, &size), "nvrtcGetCUBINSize");
  std::string cubin(size, '\0');
  check(cubin_(program, cubin.data()), "nvrtcGetCUBIN");
  return cubin;
}

KernelImage Nvrtc::compile(const KernelSource& source, const std::string& arch) const {
  const auto start = std::chrono::steady_clock::now();
  std::vector<const char*> texts;
  std::vector<const char*> paths;
  for (const EmbeddedFile& file : embedded_files()) {
    texts.push_back(file.text.data());  // literals, so they end in a zero
    paths.push_back(file.path);
  }
  struct Holder {  // destroys the program however this function ends
    const Nvrtc& nvrtc;
    Program program = nullptr;
    ~Holder() { nvrtc.destroy_(&program); }
  };
  const std::string file_name = source.name + ".cu";
  Holder holder{*this};
  check(create_(&holder.program, source.text.c_str(), file_name.c_str(),
                static_cast<int>(texts.size()), texts.data(), paths.data()),
        "nvrtcCreateProgram");
  std::vector<std::string> flags = nvrtc_flags();
  flags.push_back("--gpu-architecture=" + arch);
  std::vector<const char*> options;
  options.reserve(flags.size());
  for (const std::string& flag : flags) options.push_back(flag.c_str());
  const int result = compile_(holder.program, static_cast<int>(options.size()), options.data());
  const std::string log = log_of(holder.program);
  if (result != 0) {
    throw Error(ErrorKind::device, "nvrtc " + version() + ": kernel " + source.name + " for " +
                                       arch + ": " +
                                       (log.empty() ? error_string_(result) : first_error(log)));
  }
  KernelImage image;
  image.name = source.name;
  image.arch = arch;
  image.compiler = "nvrtc " + version();
  image.source = source.text;
  image.log = log;
  image.cubin = cubin_of(holder.program);
  image.resources = parse_resources(log);
  image.num_threads = source.shape.num_threads;
  image.smem_bytes = source.shape.smem_bytes;
  image.params_bytes = source.params_bytes;
  image.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return image;
}

}  // namespace weft
