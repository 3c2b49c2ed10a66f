// SPDX-License-Identifier: Apache-2.0
// See verify_case.h.
#include "tests/cases/verify_case.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/oracle/numbers.h"

namespace weft::cases {
namespace {

using enum VerifyOddity;

const std::vector<VerifyCase> kCases = {
    {.name = "chain"},
    {.name = "chain_of_one", .num_draft = 1},
    {.name = "chain_long", .num_draft = 150, .n = 2},
    {.name = "chain_vocab_1", .vocab = 1, .num_draft = 3},
    {.name = "chain_vocab_2", .vocab = 2, .n = 9},
    {.name = "chain_vocab_odd", .vocab = 1021, .pad = 3},
    {.name = "chain_f16", .dtype = DType::f16},
    {.name = "chain_bf16", .vocab = 1000, .dtype = DType::bf16},
    {.name = "chain_without_offset", .offset = false},
    {.name = "chain_equal_models", .oddity = equal_models},
    {.name = "chain_one_hot", .oddity = one_hot},
    {.name = "chain_zeros", .oddity = zeros},
    {.name = "chain_nan", .oddity = nan},
    {.name = "chain_infinite", .oddity = infinite},
    {.name = "chain_wrong_tokens", .oddity = wrong_tokens},
    {.name = "chain_large", .vocab = 9000, .n = 2},
    {.name = "tree", .tree = true},
    {.name = "tree_of_one", .num_draft = 1, .tree = true},
    {.name = "tree_long", .num_draft = 60, .n = 3, .tree = true},
    {.name = "tree_vocab_odd", .vocab = 1021, .num_draft = 9, .tree = true, .pad = 1},
    {.name = "tree_f16", .tree = true, .dtype = DType::f16},
    {.name = "tree_bf16", .vocab = 1000, .tree = true, .dtype = DType::bf16},
    {.name = "tree_one_hot", .tree = true, .oddity = one_hot},
    {.name = "tree_zeros", .tree = true, .oddity = zeros},
    {.name = "tree_nan", .tree = true, .oddity = nan},
    {.name = "tree_infinite", .tree = true, .oddity = infinite},
    {.name = "tree_wrong_tokens", .n = 6, .tree = true, .oddity = wrong_tokens},
    {.name = "tree_wrong_links", .n = 6, .tree = true, .oddity = wrong_links},
    {.name = "tree_circle", .num_draft = 3, .n = 6, .tree = true, .oddity = circle},
    {.name = "tree_of_every_token",
     .vocab = 12,
     .num_draft = 12,
     .n = 6,
     .tree = true,
     .oddity = every_token},
};

// One row of probabilities; float64 sums to 1, what is stored is rounded.
std::vector<double> some_row(const VerifyCase& c, Random& random) {
  std::vector<double> row(static_cast<size_t>(c.vocab));
  if (c.oddity == one_hot) {
    row[static_cast<size_t>(random.integer(0, c.vocab - 1))] = 1;
    return row;
  }
  double sum = 0;
  for (double& x : row) sum += x = std::exp(3 * random.normal());
  for (double& x : row) x /= sum;
  return row;
}

void store_row(const TensorView& rows, int64_t i, int64_t j, const std::vector<double>& row) {
  for (size_t t = 0; t < row.size(); ++t) {
    oracle::encode(oracle::address(rows, {i, j, static_cast<int64_t>(t)}), rows.dtype, 0, row[t]);
  }
}

// A token that this row is likely to give, so that drafts often stand.
int32_t likely(const std::vector<double>& row, Random& random) {
  double u = random.uniform();
  for (size_t t = 0; t < row.size(); ++t) {
    if ((u -= row[t]) < 0) return static_cast<int32_t>(t);
  }
  return 0;
}

struct Maker {
  const VerifyCase& c;
  VerifyData& data;
  Random random;

  TensorView add(std::vector<OwnedTensor>& where, DType dtype, std::vector<int64_t> shape,
                 int64_t pad = 0) const {
    where.emplace_back(dtype, shape, pad);
    return where.back().view;
  }
  TensorView input(DType dtype, std::vector<int64_t> shape) const {
    return add(data.inputs, dtype, std::move(shape), dtype == c.dtype ? c.pad : 0);
  }

  // Node j + 1 hangs below a random earlier one, in front of its other children.
  void links(int64_t i) {
    const auto node = [&](const TensorView& links, int64_t at) -> int32_t& {
      return static_cast<int32_t*>(links.data)[i * links.strides[0] + at];
    };
    for (int j = 0; j <= c.num_draft; ++j) {
      node(data.args.first_child, j) = -1, node(data.args.next_sibling, j) = 0;
    }
    for (int32_t j = 1; j <= c.num_draft; ++j) {
      const int64_t parent =
          c.oddity == every_token ? 0 : random.integer(std::max(0, j - 3), j - 1);
      node(data.args.next_sibling, j) = std::max(0, node(data.args.first_child, parent));
      node(data.args.first_child, parent) = j;
    }
    const int64_t any = random.integer(0, c.num_draft);
    if (c.oddity == wrong_links) {
      node(random.chance(0.5) ? data.args.first_child : data.args.next_sibling, any) =
          random.chance(0.5) ? c.num_draft + 1 : std::numeric_limits<int32_t>::max();
    } else if (c.oddity == circle) {
      // Each node's only child is the next, the last one's is itself, or they are their own
      // siblings.
      for (int32_t j = 0; j <= c.num_draft; ++j) {
        node(data.args.first_child, j) = std::min(j + 1, c.num_draft);
        node(data.args.next_sibling, j) = i % 2 == 0 ? 0 : j;
      }
    }
  }

  void request(int64_t i) {
    if (c.tree) links(i);
    for (int64_t j = 0; j <= c.num_draft; ++j) {
      std::vector<double> p = some_row(c, random), q = some_row(c, random);
      if (c.oddity == equal_models) q = p;
      // A circle's only draft is certain, so that the walk never leaves it.
      if (c.oddity == circle) std::fill(p.begin(), p.end(), 0.0), p[0] = 1;
      if (c.oddity == zeros && random.chance(0.5)) std::fill(p.begin(), p.end(), 0.0);
      if (j < c.num_draft) {
        int32_t token = likely(random.chance(0.5) ? p : q, random);
        if (c.tree) token = static_cast<int32_t>((i + j) % c.vocab);  // siblings differ
        if (c.oddity == circle) token = 0;
        if (c.oddity == wrong_tokens && random.chance(0.3)) {
          token = random.chance(0.5) ? -1 : c.vocab;
        }
        static_cast<int32_t*>(data.args.draft_tokens.data)[i * c.num_draft + j] = token;
      }
      const size_t any = static_cast<size_t>(random.integer(0, c.vocab - 1));
      if (c.oddity == nan) p[any] = std::numeric_limits<double>::quiet_NaN();
      if (c.oddity == infinite) p[any] = std::numeric_limits<double>::infinity();
      store_row(data.args.target_probs, i, j, p);
      if (!c.tree && j < c.num_draft) store_row(data.args.draft_probs, i, j, q);
    }
  }

  void make() {
    VerifyArgs& a = data.args;
    const int64_t n = c.n, d = c.num_draft;
    a.target_probs = input(c.dtype, {n, d + 1, c.vocab});
    if (!c.tree) a.draft_probs = input(c.dtype, {n, d, c.vocab});
    a.draft_tokens = input(DType::i32, {n, d});
    if (c.tree) a.first_child = input(DType::i32, {n, d + 1});
    if (c.tree) a.next_sibling = input(DType::i32, {n, d + 1});
    a.seed = input(DType::i64, {n});
    if (c.offset) a.offset = input(DType::i64, {n});
    a.tokens = add(data.outputs, DType::i32, {n, d + 1}, c.pad);
    a.accepted = add(data.outputs, DType::i32, {n});
    a.emitted = add(data.outputs, DType::i32, {n});
    a.status = add(data.outputs, DType::u8, {n});
    for (int64_t i = 0; i < n; ++i) {
      static_cast<int64_t*>(a.seed.data)[i] = static_cast<int64_t>(random.next());
      if (c.offset) static_cast<int64_t*>(a.offset.data)[i] = random.integer(0, 1000);
      request(i);
    }
  }
};

}  // namespace

const std::vector<VerifyCase>& verify_cases() { return kCases; }

VerifyCase random_verify_case(Random& random, int max_vocab) {
  VerifyCase c{.name = "random"};
  c.vocab = static_cast<int>(random.integer(1, max_vocab));
  c.num_draft = static_cast<int>(random.integer(1, 12));
  c.n = static_cast<int>(random.integer(1, 3));
  c.tree = random.chance(0.5);
  constexpr DType kDtypes[] = {DType::f32, DType::f16, DType::bf16};
  c.dtype = kDtypes[random.integer(0, 2)];
  if (random.chance(0.5)) {
    c.oddity = static_cast<VerifyOddity>(random.integer(0, static_cast<int>(circle)));
  }
  c.offset = random.chance(0.5);
  c.pad = random.integer(0, 2);
  return c;
}

VerifyData make_verify_data(const VerifyCase& c, uint64_t seed) {
  VerifyData data;
  data.config = {.dtype = c.dtype, .vocab_size = c.vocab, .num_draft = c.num_draft, .tree = c.tree};
  Maker{c, data, Random(seed)}.make();
  data.poison();
  return data;
}

std::string check_verified(const VerifyData& data) {
  const VerifyArgs& a = data.args;
  for (int64_t i = 0; i < a.tokens.shape[0]; ++i) {
    const std::string where = "request " + std::to_string(i) + ": ";
    const int64_t emitted = oracle::int_at(a.emitted, i), accepted = oracle::int_at(a.accepted, i);
    const int status = static_cast<const uint8_t*>(a.status.data)[i];
    if (emitted < 0 || emitted > data.config.num_draft) return where + "emitted";
    if (accepted < emitted || accepted > data.config.num_draft) return where + "accepted";
    if (status > 3 || (status == 3 && emitted != 0)) return where + "status";
    for (int64_t j = 0; j <= data.config.num_draft; ++j) {
      const int32_t token = static_cast<const int32_t*>(a.tokens.data)[i * a.tokens.strides[0] + j];
      const bool right = j <= emitted ? token >= 0 && token < data.config.vocab_size : token == -1;
      if (!right) return where + "token " + std::to_string(j) + " is " + std::to_string(token);
      if (j == emitted && status != 0 && token != 0) return where + "a token beside a status";
    }
  }
  return find_stray_write(data.outputs);
}

}  // namespace weft::cases
