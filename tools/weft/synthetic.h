// SPDX-License-Identifier: Apache-2.0
// Synthetic q, k and v that cost a copy: each head of each token is a window into a pool of random
// numbers, found by a hash of what the token is. So a checker can say what any key of any layer
// must be without looking at the cache, its pages or its tables.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/tensor.h"

namespace weft::cli {

/// What a vector belongs to.
struct VectorName {
  enum class Kind : uint8_t { q, k, v };
  Kind kind;
  int layer;
  int head;
  int32_t token;
  int32_t position;
};

/// Values of q reach +-kQueryRange, so that logits have a standard deviation of about 2.5 and a
/// softmax over thousands of keys still depends on single ones; k and v lie in [-1, 1].
inline constexpr float kQueryRange = 7.5f;

class Synthetic {
 public:
  /// Vectors of up to `max_dim` elements, exact in `dtype`; k and v are exact in `dtype_kv` as
  /// well.
  Synthetic(DType dtype, DType dtype_kv, int max_dim, uint64_t seed);

  /// `dim` elements as the cache's caller has them.
  const void* vector(const VectorName& name) const {
    return pool_of(name).stored.data() + offset(name) * size_of(dtype_);
  }
  /// The same as floats.
  const float* values(const VectorName& name) const {
    return pool_of(name).values.data() + offset(name);
  }

 private:
  struct Pool {
    std::vector<float> values;
    std::vector<char> stored;
  };

  const Pool& pool_of(const VectorName& name) const {
    return name.kind == VectorName::Kind::q ? queries_ : keys_;
  }
  int64_t offset(const VectorName& name) const;
  Pool make_pool(DType exact_in, float range, int max_dim, uint64_t seed) const;

  DType dtype_;
  uint64_t seed_;
  Pool queries_, keys_;
};

}  // namespace weft::cli
