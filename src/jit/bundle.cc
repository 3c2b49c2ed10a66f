// SPDX-License-Identifier: Apache-2.0
// Format: text lines, then bytes. "weft-bundle 1 <entries> <bytes of the lines that follow>", per
// entry "<key> <offset> <4 sizes> <name> <arch>" (offsets from the first byte of contents), and
// "checksum <SHA-256 of all lines before>". `head` shows what is inside.
#include "src/jit/bundle.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include "src/base/check.h"
#include "src/base/hash.h"
#include "src/jit/image_files.h"

namespace weft {
namespace {

constexpr const char* kMagic = "weft-bundle 1 ";
constexpr const char* kChecksum = "checksum ";
constexpr size_t kMostLines = 64u << 20;

[[noreturn]] void refuse(const std::string& path, const std::string& got) {
  fail(ErrorKind::invalid_argument, "bundle", "a whole file written by weft aot",
       got + " (" + path + ")");
}

}  // namespace

void write_bundle(const std::string& path, std::span<const KernelImage* const> images) {
  std::string lines;
  std::string contents;
  for (const KernelImage* image : images) {
    const ImageFiles files = pack_image(*image, image->key);
    lines += image->key + " " + std::to_string(contents.size());
    for (const std::string* part : {&files.manifest, &files.source, &files.log, &files.cubin}) {
      lines += " " + std::to_string(part->size());
      contents += *part;
    }
    lines += " " + image->name + " " + image->arch + "\n";
  }
  const std::string first =
      kMagic + std::to_string(images.size()) + " " + std::to_string(lines.size()) + "\n";
  const std::string checksum = kChecksum + sha256(first + lines) + "\n";
  const std::string temporary = path + "." + std::to_string(getpid());
  std::ofstream out(temporary, std::ios::binary);
  out << first << lines << checksum << contents;
  out.close();
  if (out.fail() || std::rename(temporary.c_str(), path.c_str()) != 0) {
    std::remove(temporary.c_str());
    fail(ErrorKind::invalid_argument, "path", "a file that can be written", path);
  }
}

Bundle::Bundle(const std::string& path) : path_(path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) refuse(path, "no readable file");
  std::string first;
  if (!std::getline(in, first) || first.rfind(kMagic, 0) != 0) refuse(path, "another format");
  size_t count = 0;
  size_t bytes = 0;
  std::istringstream numbers(first.substr(std::string(kMagic).size()));
  if (!(numbers >> count >> bytes) || bytes > kMostLines) refuse(path, "a damaged first line");
  std::string lines(bytes, '\0');
  in.read(lines.data(), static_cast<std::streamsize>(bytes));
  std::string checksum;
  if (!in || !std::getline(in, checksum) || checksum != kChecksum + sha256(first + "\n" + lines)) {
    refuse(path, "a damaged list of contents");
  }
  const auto contents = static_cast<uint64_t>(in.tellg());
  uint64_t end = contents;
  std::istringstream entries(lines);
  for (std::string text; std::getline(entries, text);) {
    std::istringstream words(text);
    std::string key;
    Entry entry;
    words >> key >> entry.offset;
    for (uint64_t& size : entry.sizes) words >> size;
    entry.offset += contents;
    for (uint64_t size : entry.sizes) end += size;
    entries_[key] = entry;
  }
  in.seekg(0, std::ios::end);
  if (static_cast<uint64_t>(in.tellg()) < end) refuse(path, "a truncated file");
  if (entries_.size() != count) refuse(path, "a key twice");
}

std::optional<KernelImage> Bundle::load(const std::string& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  const Entry& entry = found->second;
  std::ifstream in(path_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(entry.offset));
  std::string parts[4];
  for (int i = 0; i < 4; ++i) {
    parts[i].resize(entry.sizes[i]);
    in.read(parts[i].data(), static_cast<std::streamsize>(entry.sizes[i]));
  }
  std::optional<KernelImage> image;
  if (in) image = unpack_image({parts[0], parts[1], parts[2], parts[3]}, key);
  if (!image) refuse(path_, "a damaged entry");
  return image;
}

}  // namespace weft
