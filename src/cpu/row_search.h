// SPDX-License-Identifier: Apache-2.0
// Searches of one row of values on the CPU: its largest, the sum of masses above a cut, and the cut
// below a number of tokens or an amount of mass. Integers throughout, so nothing depends on the
// order of visits. Per-ISA units only, like simd.h; used by sampling and topk, knows neither.
#pragma once

#include "kernels/sampling/mass.h"
#include "src/cpu/simd.h"

namespace weft {
namespace {

constexpr int kRowBlock = 256;  // values looked at together
constexpr int kMaxRowBlocks = kMaxVocab / kRowBlock;

inline Vec fused_each(Vec a, Vec b, Vec c) {
#if defined(__FMA__)
  return mul_add(a, b, c);
#else
  Vec x;
  for (int i = 0; i < kWidth; ++i) x[i] = fused(a[i], b[i], c[i]);
  return x;
#endif
}

/// power_of in mass.h, lane by lane.
inline Vec power_each(Vec d, Vec rate, Words& fall) {
  const Vec r = fused_each(d, rate, splat(kRounder));
  const Vec f = fused_each(d, rate, -(r - kRounder));
  Vec g = fused_each(splat(kExp2[4]), f, splat(kExp2[3]));
  g = fused_each(g, f, splat(kExp2[2]));
  g = fused_each(g, f, splat(kExp2[1]));
  g = fused_each(g, f, splat(kExp2[0]));
  fall = kRounderBits - bits_as<Words>(r);
  return fused_each(g, f, splat(3.0f));
}

/// Masses of a whole block, its values and -infinity behind them.
inline void block_masses(const float* z, const MassScale& scale, uint64_t* mass) {
  if (scale.linear()) {
    for (int i = 0; i < kRowBlock; ++i) mass[i] = z[i] > 0.0f ? linear_mass(z[i], scale.top) : 0;
    return;
  }
  uint32_t fraction[kRowBlock], fall[kRowBlock];
  for (int i = 0; i < kRowBlock; i += kWidth) {
    const Vec d = max_each(load(z + i) - scale.top, splat(scale.least));
    Words falls;
    const Words bits = bits_as<Words>(power_each(d, splat(scale.rate), falls)) << 9;
    memcpy(fraction + i, &bits, sizeof(bits));
    memcpy(fall + i, &falls, sizeof(falls));
  }
  for (int i = 0; i < kRowBlock; ++i) {
    mass[i] = uint64_t{fraction[i]} << (kMassBits - 31) >> fall[i];
  }
}

/// What a cut has to leave above it: the fewest tokens whose number, or mass, reaches `amount`,
/// among those whose key is at least `least`.
struct Wanted {
  bool by_mass;
  uint64_t amount;
  uint32_t least;
};

/// `Source` has size() and fill(begin, n, z), which writes values [begin, begin + n).
template <class Source>
class RowSearch {
 public:
  explicit RowSearch(const Source& source) : source_(source) {}

  /// Once, first. False when a value is NaN.
  bool scan() {
    Ints nan = {};
    uint32_t top = 0;
    for (int b = 0; b < num_blocks(); ++b) {
      float z[kRowBlock];
      fill(b, z);
      Vec most = load(z);
      nan |= most != most;
      for (int i = kWidth; i < kRowBlock; i += kWidth) {
        const Vec x = load(z + i);
        nan |= x != x;
        most = max_each(most, x);
      }
      tops_[b] = key_of(reduce_max(most));
      top = max_of(top, tops_[b]);
    }
    top_ = top;
    int32_t any = 0;
    for (int i = 0; i < kWidth; ++i) any |= nan[i];
    return any == 0;
  }

  uint32_t top_key() const { return top_; }
  uint32_t block_top(int b) const { return tops_[b]; }
  int num_blocks() const { return ceil_div(source_.size(), kRowBlock); }
  int block_size(int b) const { return min_of(kRowBlock, source_.size() - b * kRowBlock); }

  /// The values of a block, and -infinity behind them.
  void fill(int b, float* z) const {
    const int n = block_size(b);
    source_.fill(b * kRowBlock, n, z);
    for (int i = n; i < kRowBlock; ++i) z[i] = float_of(0xff800000u);
  }

  /// Sum of the masses of keys above `key`; of each block when asked for.
  uint64_t mass_above(uint32_t key, const MassScale& scale, uint64_t* of_blocks) const {
    uint64_t sum = 0;
    for (int b = 0; b < num_blocks(); ++b) {
      uint64_t in_block = 0;
      if (tops_[b] > key) {
        float z[kRowBlock];
        uint64_t mass[kRowBlock];
        fill(b, z);
        block_masses(z, scale, mass);
        const float least = value_of(key);
        for (int i = 0; i < kRowBlock; ++i) in_block += z[i] > least ? mass[i] : 0;
      }
      if (of_blocks != nullptr) of_blocks[b] = in_block;
      sum += in_block;
    }
    return sum;
  }

  uint64_t kept_mass(const Cut& cut, const MassScale& scale) const {
    const uint64_t tied = cut.ties == 0 ? 0 : cut.ties * mass_of(value_of(cut.key), scale);
    return mass_above(cut.key, scale, nullptr) + tied;
  }

  /// A key that at least `k` values reach: the k-th largest of the blocks' largest.
  uint32_t floor_of(int64_t k) const {
    if (k > num_blocks()) return kMaskedKey + 1;
    uint32_t low = 0;  // at least k tops reach it
    for (int bit = 31; bit >= 0; --bit) {
      const uint32_t higher = low | 1u << bit;
      int64_t count = 0;
      for (int b = 0; b < num_blocks(); ++b) count += tops_[b] >= higher;
      if (count >= k) low = higher;
    }
    return max_of(low, kMaskedKey + 1);
  }

  /// False when all that is there does not reach the amount; `cut` then keeps it all.
  bool find(Wanted wanted, const MassScale& scale, Cut& cut) {
    uint32_t low = wanted.least, high = top_;
    cut = {wanted.least - 1, 0};
    if (low > high) return false;
    constexpr int kShifts[] = {21, 10, 0};
    for (const int shift : kShifts) {
      if (gather(low, high)) return find_in_few(wanted, scale, cut);
      const uint32_t first = low >> shift;
      int digit = static_cast<int>((high >> shift) - first) + 1;
      count_digits(wanted.by_mass, low, high, shift, digit, scale);
      while (--digit >= 0) {
        if (histogram_[digit] >= wanted.amount) break;
        wanted.amount -= histogram_[digit];
      }
      if (digit < 0) return false;
      const uint32_t prefix = (first + static_cast<uint32_t>(digit)) << shift;
      low = max_of(low, prefix);
      high = min_of(high, prefix | ((1u << shift) - 1));
    }
    cut = cut_at(low, wanted, scale);
    return true;
  }

 private:
  static constexpr int kDigits = 2048;
  static constexpr int kFew = 64;

  static Cut cut_at(uint32_t key, const Wanted& wanted, const MassScale& scale) {
    const uint64_t each = wanted.by_mass ? mass_of(value_of(key), scale) : 1;
    return {key, static_cast<uint32_t>(ceil_div(wanted.amount, each))};
  }

  // The keys in [low, high], the largest first; false when they are more than a few.
  bool gather(uint32_t low, uint32_t high) {
    num_few_ = 0;
    const float least = value_of(low), most = value_of(high);
    for (int b = 0; b < num_blocks(); ++b) {
      if (tops_[b] < low) continue;
      float z[kRowBlock];
      fill(b, z);
      for (int i = 0; i < kRowBlock; ++i) {
        if (!(z[i] >= least && z[i] <= most)) continue;
        if (num_few_ == kFew) return false;
        const uint32_t key = key_of(z[i]);
        int at = num_few_++;
        for (; at > 0 && few_[at - 1] < key; --at) few_[at] = few_[at - 1];
        few_[at] = key;
      }
    }
    return true;
  }

  // find() among the keys that gather() left.
  bool find_in_few(Wanted wanted, const MassScale& scale, Cut& cut) const {
    for (int i = 0; i < num_few_;) {
      const uint32_t key = few_[i];
      uint64_t equal = 0;
      for (; i < num_few_ && few_[i] == key; ++i) ++equal;
      const uint64_t each = wanted.by_mass ? mass_of(value_of(key), scale) : 1;
      if (equal * each >= wanted.amount) {
        cut = cut_at(key, wanted, scale);
        return true;
      }
      wanted.amount -= equal * each;
    }
    return false;
  }

  // Of the keys in [low, high], by their digit at `shift`, counted from that of `low`.
  void count_digits(bool by_mass, uint32_t low, uint32_t high, int shift, int digits,
                    const MassScale& scale) {
    memset(histogram_, 0, static_cast<size_t>(digits) * sizeof(histogram_[0]));
    const uint32_t first = low >> shift;
    const float least = value_of(low), most = value_of(high);
    for (int b = 0; b < num_blocks(); ++b) {
      if (tops_[b] < low) continue;
      float z[kRowBlock];
      uint64_t mass[kRowBlock];
      fill(b, z);
      if (by_mass) block_masses(z, scale, mass);
      for (int i = 0; i < kRowBlock; ++i) {
        if (!(z[i] >= least && z[i] <= most)) continue;
        histogram_[(key_of(z[i]) >> shift) - first] += by_mass ? mass[i] : 1;
      }
    }
  }

  const Source& source_;
  uint32_t top_ = 0;
  uint32_t tops_[kMaxRowBlocks];
  uint64_t histogram_[kDigits];
  int num_few_ = 0;
  uint32_t few_[kFew];
};

}  // namespace
}  // namespace weft
