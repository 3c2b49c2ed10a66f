// SPDX-License-Identifier: Apache-2.0
// Spec value + architecture -> KernelImage: in this process, else from a bundle, else from the disk
// cache, else compiled. Called by an operator's prepare; knows no device.
//
// Thread-safe. A hit takes no lock and makes no text: 0.02 us. A miss of one spec is built once,
// however many threads ask; different specs build side by side.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/base/kernel.h"
#include "src/jit/bundle.h"
#include "src/jit/disk_cache.h"
#include "src/jit/nvrtc.h"
#include "src/jit/source.h"
#include "weft/error.h"
#include "weft/jit.h"

namespace weft {

class KernelStore;

/// One kernel that a config can reach; a list of them is what `prepare` and `weft aot` work on.
using KernelRequest = std::function<const KernelImage&(KernelStore&)>;

class KernelStore {
 public:
  /// Throws Error(invalid_argument) when a bundle cannot be read. Opens no compiler yet.
  explicit KernelStore(const JitOptions& options = {});
  ~KernelStore();
  KernelStore(const KernelStore&) = delete;
  KernelStore& operator=(const KernelStore&) = delete;

  /// The image for `spec` on `arch` (90 = sm_90a), valid as long as the store.
  /// Throws Error(device) when it must be compiled and cannot be; a later call tries again.
  template <class Spec>
  const KernelImage& get(const Spec& spec, int arch) {
    const uint64_t hash = mix_hash(hash_of(spec), static_cast<uint64_t>(arch));
    const void* type = &kType<Spec>;
    std::atomic<Node*>& bucket = buckets_[hash % kBuckets];
    const auto same = [&](const Node* node) {
      return node->hash == hash && node->type == type && node->arch == arch &&
             static_cast<const NodeOf<Spec>*>(node)->spec == spec;
    };
    Node* head = bucket.load(std::memory_order_acquire);
    for (Node* node = head; node != nullptr; node = node->next) {
      if (same(node)) return ready(*node);
    }
    return ready(
        *insert(bucket, head, std::make_unique<NodeOf<Spec>>(spec, hash, type, arch), same));
  }

  /// All of a list, on `num_threads` threads at once. The first error is thrown after all others
  /// have been built.
  std::vector<const KernelImage*> prepare(std::span<const KernelRequest> requests,
                                          int num_threads = 0);

  const DiskCache& disk_cache() const { return disk_cache_; }

 private:
  enum class State { empty, building, done, failed };

  struct Node {
    virtual ~Node() = default;
    virtual KernelSource source() const = 0;

    uint64_t hash = 0;
    const void* type = nullptr;
    int arch = 0;
    Node* next = nullptr;
    std::atomic<State> state{State::empty};
    KernelImage image;  // once done
    // Once failed; guarded by mutex_. Not an Error: copies of one share their text.
    ErrorKind error_kind = ErrorKind::internal;
    std::string error_text;
  };

  template <class Spec>
  struct NodeOf final : Node {
    NodeOf(const Spec& s, uint64_t h, const void* t, int a) : spec(s) {
      hash = h, type = t, arch = a;
    }
    KernelSource source() const override { return make_source(spec); }
    const Spec spec;
  };

  template <class Spec>
  static constexpr char kType = 0;  // its address tells one spec type from another

  // Prepends `node` unless a thread that came first has put the same one there.
  template <class Same>
  static Node* insert(std::atomic<Node*>& bucket, Node* seen, std::unique_ptr<Node> node,
                      const Same& same) {
    node->next = seen;
    while (!bucket.compare_exchange_weak(node->next, node.get(), std::memory_order_acq_rel)) {
      for (Node* other = node->next; other != seen; other = other->next) {
        if (same(other)) return other;
      }
      seen = node->next;
    }
    return node.release();
  }

  const KernelImage& ready(Node& node) {
    if (node.state.load(std::memory_order_acquire) == State::done) return node.image;
    return build_once(node);
  }

  const KernelImage& build_once(Node& node);
  KernelImage build(const Node& node);
  const Nvrtc& nvrtc();

  static constexpr size_t kBuckets = 256;
  std::array<std::atomic<Node*>, kBuckets> buckets_{};
  const std::vector<std::string> nvrtc_names_;
  std::vector<Bundle> bundles_;
  DiskCache disk_cache_;
  std::mutex mutex_;  // of states between empty and done, and of nvrtc_
  std::condition_variable changed_;
  std::optional<Nvrtc> nvrtc_;
};

template <class Spec>
KernelRequest kernel_request(const Spec& spec, int arch) {
  return [spec, arch](KernelStore& store) -> const KernelImage& { return store.get(spec, arch); };
}

}  // namespace weft
