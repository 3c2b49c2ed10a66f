// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), for the names and checksums of compiled kernels. Called by src/jit; not
// meant for secrets. 1 MB takes about 4 ms, a cubin is 20 to 200 KB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft {

class Sha256 {
 public:
  void update(std::string_view bytes);
  /// 64 hex digits. The object must not be used afterwards.
  std::string finish();

 private:
  void block(const unsigned char* bytes);

  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> buffer_{};
  size_t buffered_ = 0;
  uint64_t total_ = 0;
};

std::string sha256(std::string_view bytes);

/// Mixes one more field into a hash of a spec. Fast, not for storage: it may change at any time.
constexpr uint64_t mix_hash(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

}  // namespace weft
