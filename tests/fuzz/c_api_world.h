// SPDX-License-Identifier: Apache-2.0
// What the C ABI's fuzzers share: tensors over exactly sized blocks of memory, faults applied to
// tensors and structs, and what any call promises. A tensor that lies about its memory is the
// caller's fault, not the library's, so one that would leave its block loses its data instead.
#pragma once

#include <cstdlib>
#include <deque>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "tests/fuzz/input.h"
#include "weft/c_api.h"

namespace weft::fuzz {

/// A struct in room enough for any struct_size that the library accepts.
template <class T>
struct Roomy {
  union {
    T value;
    unsigned char bytes[4224];
  };
  explicit Roomy(weft_status (*init)(T*, size_t)) {
    std::memset(bytes, 0, sizeof(bytes));
    require(init(&value, sizeof(T)) == WEFT_STATUS_OK, "init of a struct");
  }
  /// Sets one 4-byte word before `end`, sometimes struct_size or the bytes behind the struct.
  void mutate(Input& in, size_t end) {
    size_t at = static_cast<size_t>(in.small(0, static_cast<int>(end / 4))) * 4;
    if (at == end) at = sizeof(T) + static_cast<size_t>(in.small(0, 9)) * 4;
    const int32_t word = in.chance() ? static_cast<int32_t>(in.edgy()) : in.bits<int32_t>();
    std::memcpy(bytes + at, &word, sizeof(word));
  }
};

struct Tensor {
  weft_tensor t{};
  int64_t shape[8] = {};
  int64_t strides[8] = {};
};

class World {
 public:
  World() {
    weft_allocator_init(&allocator_, sizeof(allocator_));
    allocator_.context = this;
    allocator_.allocate = [](void* self, size_t bytes, size_t alignment) -> void* {
      if (bytes > kMostBytes) return nullptr;
      ++static_cast<World*>(self)->outstanding_;
      return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    };
    allocator_.deallocate = [](void* self, void* memory, size_t, size_t) {
      --static_cast<World*>(self)->outstanding_;
      std::free(memory);
    };
    weft_executor_init(&executor_, sizeof(executor_));
    executor_.num_threads = 2;
    executor_.parallel_for = [](void*, int32_t n, weft_body body, void* arg) {
      for (int32_t i = n; i-- > 0;) body(arg, i);
    };
  }
  ~World() { require(outstanding_ == 0, "every block of the allocator returned"); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// A contiguous tensor with a block of its own and `slack` bytes more than it needs.
  Tensor* tensor(int32_t dtype, std::initializer_list<int64_t> shape, size_t slack = 0) {
    Tensor& tensor = tensors_.emplace_back();
    size_t bytes = weft_dtype_to_dlpack(dtype).bits / 8;
    int32_t ndim = 0;
    int64_t stride = 1;
    for (int64_t size : shape) tensor.shape[ndim++] = size, bytes *= static_cast<size_t>(size);
    for (int32_t i = ndim; i-- > 0; stride *= tensor.shape[i]) tensor.strides[i] = stride;
    Block& block = blocks_.emplace_back(bytes + slack);
    weft_tensor_init(&tensor.t, block.data(), dtype, ndim, tensor.shape);
    tensor.t.strides = tensor.strides;
    return &tensor;
  }
  Tensor* ints(std::initializer_list<int32_t> values) {
    Tensor* tensor = this->tensor(WEFT_DTYPE_I32, {static_cast<int64_t>(values.size())});
    std::memcpy(tensor->t.data, values.begin(), values.size() * sizeof(int32_t));
    return tensor;
  }

  /// Breaks one thing of one tensor. `contents`: the numbers in it, too.
  void mutate_tensor(Input& in, bool contents) {
    Tensor& tensor = tensors_[in.byte() % tensors_.size()];
    weft_tensor& t = tensor.t;
    const size_t dim = in.byte() % 4;
    switch (in.byte() % (contents ? 16 : 12)) {
      case 0:
      case 1:
        tensor.shape[dim] = in.edgy();
        break;
      case 2:
      case 3:
        tensor.strides[dim] = in.edgy();
        break;
      case 4:
        t.ndim = static_cast<int32_t>(in.edgy());
        break;
      case 5:
        t.dtype = in.chance() ? weft_dtype_to_dlpack(in.small(0, 9)) : in.bits<weft_data_type>();
        break;
      case 6:
        t.device.device_type = in.small(0, 14);
        t.device.device_id = in.chance() ? 0 : in.small(-1, 2);
        break;
      case 7:
        t.byte_offset = in.chance() ? static_cast<uint64_t>(in.small(0, 80)) : in.bits<uint64_t>();
        break;
      case 8:
        t.data = nullptr;
        break;
      case 9:
        t.data = blocks_[in.byte() % blocks_.size()].data();
        break;
      case 10:
        t.strides = nullptr;
        break;
      case 11:
        if (in.byte() < 64) t.shape = nullptr;
        break;
      default:
        mutate_contents(in);
    }
  }

  /// Tensors that would leave their block lose their data. After the last fault.
  void settle() {
    for (Tensor& tensor : tensors_) {
      if (!fits(tensor.t)) tensor.t.data = nullptr, tensor.t.byte_offset = 0;
    }
  }

  const weft_allocator* allocator() const { return &allocator_; }
  weft_executor& executor() { return executor_; }

  uint64_t hash() const {
    uint64_t h = 0;
    for (const Block& block : blocks_) h = block.hash(h);
    return h;
  }

 private:
  static constexpr size_t kMostBytes = 1 << 25;
  static constexpr int64_t kMostElements = 1 << 14;

  /// Exactly so many bytes, for the sanitizer to fence.
  class Block {
   public:
    explicit Block(size_t bytes) : bytes_(new unsigned char[bytes]), size_(bytes) {
      for (size_t i = 0; i < size_; ++i) bytes_[i] = static_cast<unsigned char>(i % 61);
    }
    unsigned char* data() const { return bytes_.get(); }
    size_t size() const { return size_; }
    uint64_t hash(uint64_t h) const {
      for (size_t i = 0; i < size_; ++i) h = (h ^ bytes_[i]) * 0x100000001b3u;
      return h;
    }

   private:
    std::unique_ptr<unsigned char[]> bytes_;
    size_t size_;
  };

  void mutate_contents(Input& in) {
    Block& block = blocks_[in.byte() % blocks_.size()];
    if (block.size() < 4) return;
    const size_t at = static_cast<size_t>(in.in(0, 1 << 16)) % (block.size() / 4) * 4;
    const int32_t word = in.chance() ? static_cast<int32_t>(in.edgy()) : in.bits<int32_t>();
    std::memcpy(block.data() + at, &word, sizeof(word));
  }

  /// Also true of tensors that the library must refuse before it looks at their memory.
  bool fits(const weft_tensor& t) const {
    __extension__ using Wide = __int128;
    if (t.data == nullptr || t.ndim < 0 || t.ndim > 6 || t.shape == nullptr) return true;
    const Wide size = (t.dtype.bits + 7) / 8;
    Wide span = 1, count = 1, stride = 1;
    for (int32_t i = t.ndim; i-- > 0;) {
      if (t.shape[i] < 0) return true;
      if (count < (Wide{1} << 64)) count *= t.shape[i];
      span += (Wide{t.shape[i]} - 1) * (t.strides == nullptr ? stride : t.strides[i]);
      if (stride < (Wide{1} << 64)) stride *= t.shape[i] > 0 ? t.shape[i] : 1;
      if (t.strides != nullptr && t.strides[i] < 0) return true;
    }
    if (count == 0) return true;
    if (count > kMostElements) return false;
    for (const Block& block : blocks_) {
      if (t.data != block.data()) continue;
      return Wide{t.byte_offset} + span * size <= static_cast<Wide>(block.size());
    }
    return false;
  }

  std::deque<Tensor> tensors_;
  std::deque<Block> blocks_;
  weft_allocator allocator_;
  weft_executor executor_;
  int outstanding_ = 0;
};

/// A call's promises: a status of the list, and with a failure the three parts of its message.
inline weft_status checked(weft_status status) {
  if (status == WEFT_STATUS_OK) return status;
  const std::string message = weft_last_error();
  require(status >= WEFT_STATUS_INVALID_ARGUMENT && status <= WEFT_STATUS_OUT_OF_MEMORY,
          "status " + std::to_string(status) + " with: " + message);
  require(message.find(": expected ") != std::string::npos, "expected in: " + message);
  require(message.find(", got ") != std::string::npos, "got in: " + message);
  return status;
}

/// A run's promise beside them: after a failure nothing was written.
template <class F>
weft_status checked_run(const World& world, F&& run) {
  const uint64_t before = world.hash();
  const weft_status status = checked(run());
  if (status != WEFT_STATUS_OK) {
    require(world.hash() == before, std::string("nothing written before: ") + weft_last_error());
  }
  return status;
}

/// The text functions: length first, then exactly so much room.
template <class F>
void read_text(F&& text) {
  size_t length = 0;
  if (checked(text(nullptr, size_t{0}, &length)) != WEFT_STATUS_OK) return;
  std::vector<char> buffer(length + 1, '#');
  require(text(buffer.data(), buffer.size(), nullptr) == WEFT_STATUS_OK, "room enough for text");
  require(std::strlen(buffer.data()) == length, "text of the length said");
}

inline int32_t float_dtype(Input& in) {
  const int32_t types[] = {WEFT_DTYPE_F32, WEFT_DTYPE_BF16, WEFT_DTYPE_F16};
  return types[in.byte() % 3];
}

/// A few faults, each of: a word of a config, of args or of the rope, a tensor, an absent tensor.
template <class Config, class Args>
void break_something(Input& in, World& world, Roomy<Config>& config, size_t config_words,
                     Roomy<Args>& args, size_t args_words, Roomy<weft_rope_form>* form = nullptr) {
  for (int n = in.small(-2, 4); n > 0; --n) {
    switch (in.byte() % 8) {
      case 0:
        config.mutate(in, config_words);
        break;
      case 1:
        args.mutate(in, args_words);
        break;
      case 2:
        if (form != nullptr) form->mutate(in, sizeof(weft_rope_form));
        break;
      case 3: {
        const size_t pointers = (sizeof(Args) - args_words) / sizeof(void*);
        const size_t at = args_words + in.byte() % pointers * sizeof(void*);
        std::memset(args.bytes + at, 0, sizeof(void*));
        break;
      }
      default:
        world.mutate_tensor(in, true);
    }
  }
  if (in.byte() < 16) world.executor().num_threads = static_cast<int32_t>(in.edgy());
  world.settle();
}

/// A scalar target of the fuzzer's choice; NULL when untouched.
inline const weft_target* read_target(Input& in, Roomy<weft_target>& target) {
  target.value.isa = in.small(0, 2);
  target.value.num_threads = 2;
  target.value.num_workers = in.small(1, 16);
  if (in.byte() < 12) target.mutate(in, sizeof(weft_target));
  return in.byte() < 8 ? nullptr : &target.value;
}

}  // namespace weft::fuzz
