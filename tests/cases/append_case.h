// SPDX-License-Identifier: Apache-2.0
// The case table of append: every dtype into every cache dtype and layout, with and without
// rotation; tensors for a row, and their comparison with float64, other bytes of the caches
// included. The CPU and the GPU run the same rows.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/tensors.h"
#include "weft/append.h"

namespace weft::cases {

/// How k_cache and v_cache share memory.
enum class CacheStorage { separate, joined, padded, layer_in_page };

struct AppendCase {
  const char* name;
  DType dtype = DType::bf16;
  DType dtype_kv = DType::none;
  int kv_heads = 2;
  int qo_heads = 0;
  int dim_qk = 64;
  int dim_vo = 0;
  int page_size = 16;
  KvLayout layout = KvLayout::nhd;
  CacheStorage storage = CacheStorage::separate;
  Rope rope;
  float k_scale = 1.0f;
  float v_scale = 1.0f;
  bool head_scales = false;
  bool cache = false;           // cos_sin_cache
  bool rope_positions = false;  // apart from positions
  bool in_place = false;        // q_out = q
  bool norm = false;            // heads of k and q are normalised
  float offset = 0;             // of the weights
  DType dtype_q_out = DType::none;
  float q_scale = 1;
  int64_t pad = 0;
  std::vector<int> kv_lens = {37, 1, 0, 20};
  std::vector<int> new_tokens = {5, 1, 0, 20};
};

const std::vector<AppendCase>& append_cases();
AppendCase random_append_case(Random& random);
/// One row of the product of dtypes, layouts and storages.
AppendCase append_product_case(DType dtype, DType dtype_kv, KvLayout layout, CacheStorage storage);

struct AppendData {
  AppendConfig config;
  AppendArgs args;
  OwnedTensor k, v, q, q_given, q_out, rope_cache, k_weight, q_weight;
  Buffer cache_memory, v_cache_memory;  // the second only when storage is separate
  std::vector<Buffer> owners;
  int64_t nnz = 0;
};

AppendData make_append_data(const AppendCase& c, uint64_t seed);

/// Caches and outputs poisoned, or q in place as it was.
void restore_outputs(const AppendCase& c, AppendData& data);

/// Empty when every token is where it belongs, and no other byte was written.
std::string compare_append(const AppendData& data);

}  // namespace weft::cases
