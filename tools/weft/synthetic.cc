// SPDX-License-Identifier: Apache-2.0
// See synthetic.h.
#include "tools/weft/synthetic.h"

#include <cmath>

#include "tools/weft/elements.h"
#include "weft/error.h"

namespace weft::cli {
namespace {

constexpr int64_t kPoolSize = 1 << 18;  // 512 KB of bf16: stays in L2 while rows are copied out

uint64_t mix(uint64_t h) {
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

/// Bits of significand, the implicit one included: values are cut to these many.
int significand_bits(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 24;
    case DType::f16:
      return 11;
    case DType::bf16:
      return 8;
    case DType::e4m3:
      return 4;
    case DType::e5m2:
      return 3;
    default:
      throw Error(ErrorKind::invalid_argument, "dtype: expected a float type");
  }
}

/// `value` with so few significant bits that every format of at least `bits` holds it exactly.
/// Numbers below 2^-6, the least normal one of e4m3, become 0.
float exact(float value, int bits) {
  int exponent = 0;
  const float fraction = std::frexp(value, &exponent);
  if (exponent < -5) return 0.0f;
  const float scale = std::ldexp(1.0f, bits);
  return std::ldexp(std::nearbyint(fraction * scale) / scale, exponent);
}

}  // namespace

Synthetic::Synthetic(DType dtype, DType dtype_kv, int max_dim, uint64_t seed)
    : dtype_(dtype), seed_(mix(seed + 0x9e3779b97f4a7c15u)) {
  queries_ = make_pool(dtype, kQueryRange, max_dim, seed_ ^ 1);
  const bool coarser = significand_bits(dtype_kv) < significand_bits(dtype);
  keys_ = make_pool(coarser ? dtype_kv : dtype, 1.0f, max_dim, seed_ ^ 2);
}

Synthetic::Pool Synthetic::make_pool(DType exact_in, float range, int max_dim,
                                     uint64_t seed) const {
  const int64_t n = kPoolSize + max_dim;
  const int bits = significand_bits(exact_in);
  Pool pool;
  pool.values.resize(n);
  pool.stored.resize(n * size_of(dtype_));
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t random = mix(seed + static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u);
    const float unit = static_cast<float>(random >> 40) * 0x1p-23f - 1.0f;  // [-1, 1)
    pool.values[i] = exact(unit * range, bits);
    write_element(pool.stored.data(), dtype_, i, pool.values[i]);
  }
  return pool;
}

int64_t Synthetic::offset(const VectorName& name) const {
  const uint64_t who = static_cast<uint64_t>(static_cast<uint32_t>(name.token)) << 32 |
                       static_cast<uint32_t>(name.position);
  const uint64_t where = static_cast<uint64_t>(name.kind) << 48 |
                         static_cast<uint64_t>(name.layer) << 24 | static_cast<uint64_t>(name.head);
  return static_cast<int64_t>(mix(mix(who ^ seed_) + where) % kPoolSize);
}

}  // namespace weft::cli
