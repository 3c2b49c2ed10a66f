// SPDX-License-Identifier: Apache-2.0
// See device_mirror.h.
#include "tests/gpu/device_mirror.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "weft/error.h"

namespace weft::test {
namespace {

constexpr size_t kFence = 4096;
constexpr unsigned char kFenceByte = 0x5a;
constexpr size_t kAlign = 256;               // what cuMemAlloc promises
constexpr size_t kSparse = size_t{1} << 28;  // above it only touched pages are copied

size_t misalignment(const cases::Buffer& host) {
  return reinterpret_cast<uintptr_t>(host.data()) % kAlign;
}

}  // namespace

MirroredBuffer::MirroredBuffer(const CudaDevice& device, const cases::Buffer& host)
    : device_(device), host_(host), memory_(device, host.size() + kAlign + 2 * kFence) {
  begin_ = memory_.address() + kFence + misalignment(host);
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.check(driver.fill_bytes(memory_.address(), kFenceByte, memory_.bytes(), nullptr), "fill");
  if (host_.size() > 0) {
    driver.check(driver.fill_bytes(begin_, 0, host_.size(), nullptr), "fill");
  }
  upload();
}

bool MirroredBuffer::holds(const void* host_address) const {
  const char* at = static_cast<const char*>(host_address);
  return at != nullptr && host_.data() <= at && at <= host_.data() + host_.size();
}

void* MirroredBuffer::at(const void* host_address) const {
  const auto offset = static_cast<const char*>(host_address) - host_.data();
  return reinterpret_cast<void*>(begin_ + static_cast<cu::Address>(offset));
}

void MirroredBuffer::copy(size_t begin, size_t end) const {
  const cu::Driver& driver = device_.driver();
  if (begin == end) return;
  driver.check(driver.copy_to_device(begin_ + begin, host_.data() + begin, end - begin, nullptr),
               "copy to device");
}

void MirroredBuffer::upload() const {
  const ContextScope current(device_);
  if (host_.size() < kSparse) {
    copy(0, host_.size());
  } else {
    // Reserved address space: page by page what the host has touched.
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> resident((host_.size() + page - 1) / page);
    if (mincore(host_.data(), host_.size(), resident.data()) != 0) {
      throw Error(ErrorKind::internal, "mincore");
    }
    for (size_t i = 0; i < resident.size(); ++i) {
      if ((resident[i] & 1) != 0) copy(i * page, std::min((i + 1) * page, host_.size()));
    }
  }
  device_.driver().check(device_.driver().context_synchronize(), "synchronize");
}

void MirroredBuffer::download() const {
  if (host_.size() == 0) return;
  const ContextScope current(device_);
  const cu::Driver& driver = device_.driver();
  driver.check(driver.copy_to_host(host_.data(), begin_, host_.size(), nullptr), "copy to host");
  driver.check(driver.context_synchronize(), "synchronize");
}

std::string MirroredBuffer::find_change(bool contents) const {
  if (host_.size() >= kSparse) return "";
  std::vector<char> all(memory_.bytes());
  {
    const ContextScope current(device_);
    const cu::Driver& driver = device_.driver();
    driver.check(driver.copy_to_host(all.data(), memory_.address(), all.size(), nullptr), "copy");
    driver.check(driver.context_synchronize(), "synchronize");
  }
  const size_t first = static_cast<size_t>(begin_ - memory_.address());
  const size_t last = first + host_.size();
  for (size_t i = 0; i < all.size(); ++i) {
    if (i >= first && i < last) continue;
    if (static_cast<unsigned char>(all[i]) == kFenceByte) continue;
    return "a byte " + (i < first ? std::to_string(first - i) + " before its begin"
                                  : std::to_string(i - last + 1) + " after its end");
  }
  if (contents && host_.size() > 0 &&
      std::memcmp(all.data() + first, host_.data(), host_.size()) != 0) {
    return "its contents";
  }
  return "";
}

DeviceMirror::DeviceMirror(const CudaDevice& device, cases::AttentionData& data)
    : device_(device), data_(data) {
  for (const cases::Buffer& buffer : data_.inputs) inputs_.emplace_back(device_, buffer);
  outputs_.emplace_back(device_, data_.o);
  outputs_.emplace_back(device_, data_.lse);
  const AttentionBatch& b = data_.batch;
  batch_ = {on_device(b.qo_indptr), on_device(b.kv_indptr), on_device(b.kv_indices),
            on_device(b.last_page_len)};
  args_ = data_.args;
  for (TensorView* view :
       {&args_.q, &args_.k, &args_.v, &args_.o, &args_.lse, &args_.k_scales, &args_.v_scales,
        &args_.sink, &args_.alibi_slopes, &args_.custom_mask, &args_.mask_indptr}) {
    *view = on_device(*view);
  }
}

TensorView DeviceMirror::on_device(const TensorView& host) const {
  TensorView view = host;
  if (!host.given()) return view;
  view.device = {DeviceType::cuda, device_.target().device_index};
  for (const auto* buffers : {&outputs_, &inputs_}) {
    for (const MirroredBuffer& buffer : *buffers) {
      if (!buffer.holds(host.data)) continue;
      view.data = buffer.at(host.data);
      return view;
    }
  }
  if (host.data != nullptr) throw Error(ErrorKind::internal, "a view outside all buffers");
  return view;
}

void DeviceMirror::upload(const TensorView& host) const {
  for (const MirroredBuffer& buffer : inputs_) {
    if (buffer.holds(host.data)) return buffer.upload();
  }
}

void DeviceMirror::poison_outputs() {
  data_.poison_outputs();
  for (const MirroredBuffer& buffer : outputs_) buffer.upload();
}

void DeviceMirror::download_outputs() {
  for (const MirroredBuffer& buffer : outputs_) buffer.download();
}

std::string DeviceMirror::find_stray_write() const {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const std::string change = inputs_[i].find_change(true);
    if (!change.empty()) return "input buffer " + std::to_string(i) + ": " + change;
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const std::string change = outputs_[i].find_change(false);
    if (!change.empty()) return (i == 0 ? "o: " : "lse: ") + change;
  }
  const std::string at = cases::find_stray_write(data_.o, data_.args.o, cases::kPoisonByte);
  if (!at.empty()) return "o: " + at;
  if (!data_.args.lse.given()) return "";
  const std::string lse = cases::find_stray_write(data_.lse, data_.args.lse, cases::kPoisonByte);
  return lse.empty() ? "" : "lse: " + lse;
}

}  // namespace weft::test
