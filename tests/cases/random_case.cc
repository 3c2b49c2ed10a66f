// SPDX-License-Identifier: Apache-2.0
// See random_case.h.
#include "tests/cases/random_case.h"

#include <algorithm>
#include <sstream>

namespace weft::cases {
namespace {

template <class T>
T pick(Random& random, std::initializer_list<T> of) {
  return of.begin()[random.integer(0, static_cast<int64_t>(of.size()) - 1)];
}

int small(Random& random, int most) { return static_cast<int>(random.integer(1, most)); }

void pick_shape(Random& random, AttentionCase& c) {
  c.q = pick(random, {DType::bf16, DType::bf16, DType::f16, DType::f32});
  c.kv = random.chance(0.5)
             ? c.q
             : pick(random, {DType::bf16, DType::f16, DType::f32, DType::e4m3, DType::e5m2});
  c.o = pick(random, {DType::none, DType::none, DType::f32, DType::f16, DType::bf16});
  c.kv_heads = pick(random, {1, 1, 2, 3, 4, 8});
  const int group = pick(random, {1, 2, 3, 4, 5, 7, 8, 13, 16, 40});
  c.qo_heads = c.kv_heads * group;
  c.head_dim = random.chance(0.6) ? 8 * small(random, 20) : pick(random, {64, 128, 256, 576});
  if (random.chance(0.2)) c.head_dim_vo = 8 * small(random, 20);
}

void pick_storage(Random& random, AttentionCase& c) {
  c.page_size = random.chance(0.2) ? 0 : random.chance(0.5) ? small(random, 70) : 16;
  c.layout = random.chance(0.5) ? KvLayout::nhd : KvLayout::hnd;
  c.storage = pick(random, {Storage::separate, Storage::joined, Storage::strided});
  if (c.page_size > 0 && random.chance(0.2)) c.storage = Storage::layer_in_page;
  if (c.head_dim_vo > 0 && c.head_dim_vo <= c.head_dim && random.chance(0.5)) {
    c.storage = Storage::value_in_key;
  }
  c.strided_io = random.chance(0.3);
  c.poison = random.chance(0.5) ? Poison::nan : Poison::infinity;
}

void pick_variant(Random& random, AttentionCase& c) {
  c.mask = pick(random, {MaskMode::causal, MaskMode::causal, MaskMode::none, MaskMode::custom,
                         MaskMode::tree});
  if (random.chance(0.3)) {
    c.rope.mode = pick(random, {RopeMode::neox, RopeMode::interleaved});
    c.rope.dim = random.chance(0.5) ? 0 : 2 * small(random, c.head_dim / 2);
    c.rope.scale = pick(random, {1.0f, 8.0f});
    c.rope.llama31 = random.chance(0.3);
  }
  if (random.chance(0.4)) c.window = static_cast<int>(random.integer(0, 300));
  if (random.chance(0.3)) c.window_hint = static_cast<int>(random.integer(0, 300));
  if (random.chance(0.3)) c.soft_cap = pick(random, {0.5f, 5.0f, 50.0f});
  if (random.chance(0.2)) c.sm_scale = pick(random, {0.01f, 0.3f, -0.2f});
  if (random.chance(0.2)) c.k_scale = 0.7f;
  if (random.chance(0.2)) c.v_scale = -1.3f;
  c.head_scales = random.chance(0.2);
  c.sink = random.chance(0.25);
  c.alibi = random.chance(0.2);
  c.lse = random.chance(0.9);
  c.base2 = random.chance(0.3);
  c.magnitude = pick(random, {1.0f, 1.0f, 1.0f, 6.0f});
}

void pick_requests(Random& random, double work, AttentionCase& c) {
  const double per_pair =
      static_cast<double>(c.qo_heads) * (c.head_dim + std::max(c.head_dim, c.head_dim_vo));
  double left = work / per_pair;  // query-key pairs
  const int n = static_cast<int>(random.integer(0, 12));
  for (int r = 0; r < n && left > 1; ++r) {
    const int qo = random.chance(0.5) ? 1 : static_cast<int>(random.integer(0, 120));
    int kv = static_cast<int>(random.integer(0, random.chance(0.2) ? 3000 : 300));
    if (random.chance(0.05)) kv = 0;
    kv = std::min(kv, static_cast<int>(left / std::max(qo, 1)));
    left -= static_cast<double>(qo) * kv;
    c.requests.push_back({qo, kv});
  }
}

}  // namespace

AttentionCase random_case(Random& random, double work) {
  AttentionCase c{.name = "random"};
  pick_shape(random, c);
  pick_storage(random, c);
  pick_variant(random, c);
  if (random.chance(0.3)) {
    c.schedule = ScheduleMode::batch_invariant;
    c.split_kv = 64 * small(random, 5);
  }
  if (random.chance(0.3)) c.num_workers = small(random, 100);
  pick_requests(random, work, c);
  return c;
}

std::string describe(const AttentionCase& c) {
  std::ostringstream out;
  out << to_string(config_of(c)) << ", storage " << static_cast<int>(c.storage) << " strided_io "
      << c.strided_io << " poison " << static_cast<int>(c.poison) << " rope dim " << c.rope.dim
      << " scale " << c.rope.scale << " split_kv " << c.split_kv << " workers " << c.num_workers
      << " window " << c.window << " soft_cap " << c.soft_cap << " sm_scale "
      << c.sm_scale.value_or(0) << " k_scale " << c.k_scale << " v_scale " << c.v_scale
      << " head_scales " << c.head_scales << " sink " << c.sink << " alibi " << c.alibi << " lse "
      << c.lse << " base2 " << c.base2 << " magnitude " << c.magnitude << " requests";
  for (const Lengths& r : c.requests) out << " {" << r.qo << ", " << r.kv << "}";
  return out.str();
}

}  // namespace weft::cases
