// SPDX-License-Identifier: Apache-2.0
// Layout: <root>/<name>/{manifest, kernel.cu, report.txt, kernel.cubin}, where name is 32 hex
// digits, and <root>/tmp/<unique>/ for an entry being written. The rename into place either
// finds no entry there and succeeds, or changes nothing: a directory that is not empty cannot be
// renamed over.
#include "src/jit/disk_cache.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "src/jit/image_files.h"

namespace weft {
namespace fs = std::filesystem;
namespace {

constexpr const char* kManifest = "manifest";
constexpr const char* kSource = "kernel.cu";
constexpr const char* kReport = "report.txt";
constexpr const char* kCubin = "kernel.cubin";

// What a killed process left is removed after so long; no publish takes a minute.
constexpr std::chrono::hours kStale{1};

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

bool write_file(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  return !out.fail();
}

bool is_entry_name(const std::string& name) {
  return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string last_error() { return std::strerror(errno); }

// A fresh directory under <root>/tmp; empty when none can be made, with errno set.
std::string make_temporary(const std::string& root) {
  std::error_code error;
  fs::create_directories(root + "/tmp", error);
  std::string path = root + "/tmp/XXXXXX";
  if (error || mkdtemp(path.data()) == nullptr) {
    if (error) errno = error.value();
    return {};
  }
  // mkdtemp makes it private; the cache may be one for many users.
  fs::permissions(path,
                  fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read |
                      fs::perms::others_exec,
                  fs::perm_options::add, error);
  return path;
}

}  // namespace

std::string default_cache_dir() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return std::string(cache) + "/weft";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return std::string(home) + "/.cache/weft";
  }
  return {};
}

DiskCache::DiskCache(std::string root, std::function<void(const char*)> step)
    : root_(std::move(root)), step_(std::move(step)) {}

void DiskCache::step(const char* what) const {
  if (step_) step_(what);
}

std::string DiskCache::path_of(const std::string& name) const { return root_ + "/" + name; }

std::optional<KernelImage> DiskCache::load(const std::string& name) const {
  if (root_.empty()) return std::nullopt;
  const fs::path path = path_of(name);
  std::optional<std::string> manifest = read_file(path / kManifest);
  std::optional<std::string> source = read_file(path / kSource);
  std::optional<std::string> log = read_file(path / kReport);
  std::optional<std::string> cubin = read_file(path / kCubin);
  if (!manifest || !source || !log || !cubin) return std::nullopt;
  return unpack_image(
      {std::move(*manifest), std::move(*source), std::move(*log), std::move(*cubin)}, name);
}

std::string DiskCache::store(const std::string& name, const KernelImage& image) const {
  if (root_.empty()) return {};
  step("start");
  const std::string temporary = make_temporary(root_);
  if (temporary.empty()) return root_ + ": " + last_error();
  std::error_code ignored;
  const auto give_up = [&](const std::string& reason) {
    fs::remove_all(temporary, ignored);
    return root_ + ": " + reason;
  };
  const ImageFiles files = pack_image(image, name);
  const std::pair<const char*, const std::string*> parts[] = {{kManifest, &files.manifest},
                                                              {kSource, &files.source},
                                                              {kReport, &files.log},
                                                              {kCubin, &files.cubin}};
  for (const auto& [part, text] : parts) {
    step(part);
    if (!write_file(temporary + "/" + part, *text)) return give_up(last_error());
  }
  // Twice: the second time, after a damaged entry has been moved out of the way.
  for (int attempt = 0; attempt < 2; ++attempt) {
    step("publish");
    if (std::rename(temporary.c_str(), path_of(name).c_str()) == 0) {
      step("published");
      sweep();
      return {};
    }
    const bool taken = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR;
    if (!taken) return give_up(last_error());
    if (load(name)) break;  // another process was first
    step("replace");
    const std::string damaged = make_temporary(root_);
    if (damaged.empty()) return give_up(last_error());
    std::rename(path_of(name).c_str(), (damaged + "/entry").c_str());
    fs::remove_all(damaged, ignored);
  }
  fs::remove_all(temporary, ignored);
  return {};
}

void DiskCache::sweep() const {
  std::error_code ignored;
  const auto now = fs::file_time_type::clock::now();
  for (const auto& left : fs::directory_iterator(root_ + "/tmp", ignored)) {
    const auto written = fs::last_write_time(left.path(), ignored);
    if (!ignored && now - written > kStale) fs::remove_all(left.path(), ignored);
  }
}

std::vector<CacheEntry> DiskCache::list() const {
  std::vector<CacheEntry> entries;
  std::error_code ignored;
  if (root_.empty()) return entries;
  for (const auto& found : fs::directory_iterator(root_, ignored)) {
    CacheEntry entry;
    entry.name = found.path().filename().string();
    if (!is_entry_name(entry.name)) continue;
    entry.path = found.path().string();
    for (const auto& file : fs::directory_iterator(found.path(), ignored)) {
      const uint64_t size = file.file_size(ignored);
      if (!ignored) entry.bytes += size;
    }
    std::optional<KernelImage> image = load(entry.name);
    entry.sound = image.has_value();
    if (image) entry.image = std::move(*image);
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const CacheEntry& a, const CacheEntry& b) { return a.name < b.name; });
  return entries;
}

int DiskCache::clear() const {
  int removed = 0;
  std::error_code ignored;
  if (root_.empty()) return removed;
  std::vector<fs::path> paths;
  for (const auto& found : fs::directory_iterator(root_, ignored)) {
    if (is_entry_name(found.path().filename().string())) paths.push_back(found.path());
  }
  for (const fs::path& path : paths) {
    const auto files = fs::remove_all(path, ignored);
    removed += !ignored && files > 0;
  }
  fs::remove_all(root_ + "/tmp", ignored);
  return removed;
}

}  // namespace weft
