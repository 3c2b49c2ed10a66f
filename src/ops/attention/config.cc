// SPDX-License-Identifier: Apache-2.0
// AttentionConfig in print.
#include "weft/attention.h"

namespace weft {

std::string to_string(const AttentionConfig& c) {
  const int dim_vo = c.head_dim_vo == 0 ? c.head_dim_qk : c.head_dim_vo;
  const DType dtype_o = c.dtype_o == DType::none ? c.dtype_q : c.dtype_o;
  std::string text = std::string("attention q ") + name_of(c.dtype_q) + ", kv " +
                     name_of(c.dtype_kv) + ", o " + name_of(dtype_o) + ", heads " +
                     std::to_string(c.num_qo_heads) + "/" + std::to_string(c.num_kv_heads) +
                     ", head_dim " + std::to_string(c.head_dim_qk);
  if (dim_vo != c.head_dim_qk) text += "/" + std::to_string(dim_vo);
  text += c.page_size > 0 ? ", page_size " + std::to_string(c.page_size) : ", ragged";
  text += std::string(" ") + name_of(c.kv_layout) + ", mask " + name_of(c.mask);
  if (c.rope.mode != RopeMode::none) {
    text += std::string(", rope ") + name_of(c.rope.mode) + (c.rope.llama31 ? " llama31" : "");
  }
  if (c.window_left >= 0) text += ", window_left " + std::to_string(c.window_left);
  text += std::string(", ") + name_of(c.schedule) + ", up to " + std::to_string(c.max_batch_size) +
          " requests, " + std::to_string(c.max_nnz_qo) + " query tokens";
  return text;
}

}  // namespace weft
