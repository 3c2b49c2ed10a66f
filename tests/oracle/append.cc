// SPDX-License-Identifier: Apache-2.0
// The definition of append: page and row of a position, rotation by that position, division by the
// cache's scale.
#include "tests/oracle/append.h"

#include "tests/oracle/numbers.h"
#include "tests/oracle/rope.h"

namespace weft::oracle {
namespace {

std::vector<double> token_row(const TensorView& x, int64_t token, int head, int dims) {
  std::vector<double> row;
  for (int d = 0; d < dims; ++d) row.push_back(at(x, {token, head, d}));
  return row;
}

}  // namespace

Slot append_slot(const AppendConfig& config, const AppendArgs& args, int64_t token) {
  const int64_t request = int_at(args.batch_indices, token);
  const int64_t position = int_at(args.positions, token);
  const int64_t first = int_at(args.kv_indptr, request);
  return {.page = int_at(args.kv_indices, first + position / config.page_size),
          .row = position % config.page_size};
}

std::vector<double> append_k(const AppendConfig& config, const AppendArgs& args, int64_t token,
                             int head) {
  std::vector<double> row = token_row(args.k, token, head, config.head_dim_qk);
  rotate(config.rope, int_at(args.positions, token), row);
  for (double& x : row) x /= args.k_scale;
  return row;
}

std::vector<double> append_v(const AppendConfig& config, const AppendArgs& args, int64_t token,
                             int head) {
  const int dims = config.head_dim_vo == 0 ? config.head_dim_qk : config.head_dim_vo;
  std::vector<double> row = token_row(args.v, token, head, dims);
  for (double& x : row) x /= args.v_scale;
  return row;
}

std::vector<double> append_q(const AppendConfig& config, const AppendArgs& args, int64_t token,
                             int head) {
  std::vector<double> row = token_row(args.q, token, head, config.head_dim_qk);
  rotate(config.rope, int_at(args.positions, token), row);
  return row;
}

char* cache_address(const AppendConfig& config, const TensorView& cache, Slot slot, int head,
                    int d) {
  return config.kv_layout == KvLayout::nhd ? address(cache, {slot.page, slot.row, head, d})
                                           : address(cache, {slot.page, head, slot.row, d});
}

}  // namespace weft::oracle
