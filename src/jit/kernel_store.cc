// SPDX-License-Identifier: Apache-2.0
// The slow half of the store: building an image once, and where it may come from.
#include "src/jit/kernel_store.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "src/base/hash.h"
#include "src/jit/embedded.h"

namespace weft {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Everything that a cubin depends on, bar the compiler's version: a bundle is used where no
// compiler is, so its keys cannot have it.
std::string bundle_key(const KernelSource& source, const std::string& arch) {
  std::string text = "weft-kernel 1\nkernels " + std::string(kernel_tree_hash()) + "\narch " + arch;
  for (const std::string& flag : nvrtc_flags()) text += "\nflag " + flag;
  return sha256(text + "\n" + source.text);
}

// 128 bits of SHA-256: a readable name, and the manifest holds the whole key.
std::string cache_name(const std::string& key, const std::string& compiler) {
  return sha256(key + " " + compiler).substr(0, 32);
}

}  // namespace

KernelStore::KernelStore(const JitOptions& options)
    : nvrtc_names_(options.nvrtc.empty() ? nvrtc_names() : options.nvrtc),
      disk_cache_(options.cache_dir ? *options.cache_dir : default_cache_dir()) {
  for (const std::string& path : options.bundles) bundles_.emplace_back(path);
}

KernelStore::~KernelStore() {
  for (std::atomic<Node*>& bucket : buckets_) {
    Node* node = bucket.load();
    while (node != nullptr) delete std::exchange(node, node->next);
  }
}

const Nvrtc& KernelStore::nvrtc() {
  const std::lock_guard lock(mutex_);
  if (!nvrtc_) nvrtc_.emplace(nvrtc_names_);
  return *nvrtc_;
}

KernelImage KernelStore::build(const Node& node) {
  const auto start = std::chrono::steady_clock::now();
  const KernelSource source = node.source();
  const std::string arch = arch_name(node.arch);
  const std::string key = bundle_key(source, arch);
  const auto found = [&](KernelImage image, KernelOrigin origin) {
    image.origin = origin;
    image.seconds = seconds_since(start);
    return image;
  };
  for (const Bundle& bundle : bundles_) {
    if (auto image = bundle.load(key)) return found(std::move(*image), KernelOrigin::bundle);
  }
  const Nvrtc& compiler = nvrtc();
  const std::string name = cache_name(key, compiler.version());
  if (auto image = disk_cache_.load(name); image && image->key == key) {
    return found(std::move(*image), KernelOrigin::disk_cache);
  }
  KernelImage image = compiler.compile(source, arch);
  image.key = key;
  image.note = disk_cache_.store(name, image);
  return found(std::move(image), KernelOrigin::compiled);
}

const KernelImage& KernelStore::build_once(Node& node) {
  std::unique_lock lock(mutex_);
  bool waited = false;
  for (; node.state == State::building; waited = true) changed_.wait(lock);
  if (node.state == State::done) return node.image;
  if (node.state == State::failed && waited) throw Error(node.error_kind, node.error_text);
  node.state = State::building;
  lock.unlock();
  try {
    node.image = build(node);
    lock.lock();
    node.state.store(State::done, std::memory_order_release);
  } catch (const std::exception& failure) {
    const auto* error = dynamic_cast<const Error*>(&failure);
    if (!lock.owns_lock()) lock.lock();
    node.error_kind = error != nullptr ? error->kind() : ErrorKind::out_of_memory;
    node.error_text = failure.what();
    node.state = State::failed;
    changed_.notify_all();
    throw Error(node.error_kind, node.error_text);
  }
  changed_.notify_all();
  return node.image;
}

std::vector<const KernelImage*> KernelStore::prepare(std::span<const KernelRequest> requests,
                                                     int num_threads) {
  std::vector<const KernelImage*> images(requests.size());
  std::vector<std::exception_ptr> errors(requests.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < requests.size(); i = next++) {
      try {
        images[i] = &requests[i](*this);
      } catch (const std::exception&) {
        errors[i] = std::current_exception();
      }
    }
  };
  const int available = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int wanted = num_threads > 0 ? num_threads : available;
  const int count = std::min(wanted, static_cast<int>(requests.size()));
  std::vector<std::thread> threads;
  for (int i = 1; i < count; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return images;
}

}  // namespace weft
