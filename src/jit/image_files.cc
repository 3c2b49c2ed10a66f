// SPDX-License-Identifier: Apache-2.0
// The manifest: one "word value" line a field, closed by a checksum over the lines before it.
#include "src/jit/image_files.h"

#include <map>
#include <sstream>

#include "src/base/hash.h"
#include "src/jit/nvrtc.h"

namespace weft {
namespace {

constexpr const char* kFormat = "1";
constexpr const char* kChecksum = "checksum ";

using Lines = std::map<std::string, std::string>;

std::string line(const char* word, const std::string& value) {
  return std::string(word) + " " + value + "\n";
}

// The lines by their first word; nothing when the checksum does not close them.
std::optional<Lines> read_manifest(const std::string& manifest) {
  const size_t end = manifest.rfind(kChecksum);
  if (end == std::string::npos) return std::nullopt;
  const std::string body = manifest.substr(0, end);
  if (manifest.substr(end) != kChecksum + sha256(body) + "\n") return std::nullopt;
  Lines lines;
  std::istringstream in(body);
  for (std::string text; std::getline(in, text);) {
    const size_t blank = text.find(' ');
    if (blank == std::string::npos) return std::nullopt;
    lines[text.substr(0, blank)] = text.substr(blank + 1);
  }
  return lines;
}

}  // namespace

ImageFiles pack_image(const KernelImage& image, const std::string& name) {
  ImageFiles files{{}, image.source, image.log, image.cubin};
  files.manifest =
      line("format", kFormat) + line("entry", name) + line("key", image.key) +
      line("name", image.name) + line("arch", image.arch) + line("compiler", image.compiler) +
      line("threads", std::to_string(image.num_threads)) +
      line("smem", std::to_string(image.smem_bytes)) +
      line("params", std::to_string(image.params_bytes)) + line("kernel.cu", sha256(files.source)) +
      line("report.txt", sha256(files.log)) + line("kernel.cubin", sha256(files.cubin));
  files.manifest += kChecksum + sha256(files.manifest) + "\n";
  return files;
}

std::optional<KernelImage> unpack_image(const ImageFiles& files, const std::string& name) {
  std::optional<Lines> lines = read_manifest(files.manifest);
  if (!lines) return std::nullopt;
  Lines& l = *lines;
  if (l["format"] != kFormat || l["entry"] != name) return std::nullopt;
  if (l["kernel.cu"] != sha256(files.source) || l["report.txt"] != sha256(files.log) ||
      l["kernel.cubin"] != sha256(files.cubin)) {
    return std::nullopt;
  }
  KernelImage image;
  image.key = l["key"];
  image.name = l["name"];
  image.arch = l["arch"];
  image.compiler = l["compiler"];
  image.source = files.source;
  image.log = files.log;
  image.cubin = files.cubin;
  image.num_threads = std::stoi(l["threads"]);  // digits: the checksum says we wrote them
  image.smem_bytes = std::stoi(l["smem"]);
  image.params_bytes = std::stoi(l["params"]);
  image.resources = parse_resources(files.log);
  return image;
}

}  // namespace weft
