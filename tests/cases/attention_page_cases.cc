// SPDX-License-Identifier: Apache-2.0
// Page sizes, layouts, storage, poisoned rows and offsets beyond 32 bits.
#include "tests/cases/attention_case.h"

namespace weft::cases {
namespace {

/// A full page, one token more, one less, several pages: each with an unused tail or none.
std::vector<Lengths> around_page(int page_size) {
  return {{1, page_size}, {5, page_size + 1}, {3, page_size - 1}, {2, 300}, {1, 0}};
}

void add_page_sizes(std::vector<AttentionCase>& out) {
  for (const int size : {1, 2, 3, 5, 7, 16, 17, 32, 64, 128, 256, 528, 2096}) {
    const std::string name = "page_" + std::to_string(size);
    out.push_back({.name = name + "_nhd", .page_size = size, .requests = around_page(size)});
    out.push_back({.name = name + "_hnd",
                   .page_size = size,
                   .layout = KvLayout::hnd,
                   .poison = Poison::infinity,
                   .requests = around_page(size)});
  }
}

struct StorageRow {
  const char* name;
  Storage storage;
};

void add_storages(std::vector<AttentionCase>& out) {
  constexpr StorageRow kStorages[] = {{"joined", Storage::joined},
                                      {"layer_in_page", Storage::layer_in_page},
                                      {"strided", Storage::strided}};
  for (const StorageRow& row : kStorages) {
    for (const KvLayout layout : {KvLayout::nhd, KvLayout::hnd}) {
      for (const int size : {1, 16, 33}) {
        out.push_back({.name = std::string(row.name) + "_" + name_of(layout) + "_page_" +
                               std::to_string(size),
                       .page_size = size,
                       .layout = layout,
                       .storage = row.storage,
                       .strided_io = true,
                       .requests = {{3, 70}, {1, 33}, {20, 200}}});
      }
    }
  }
  for (const DType kv : {DType::f32, DType::f16, DType::e4m3, DType::e5m2}) {
    for (const Poison poison : {Poison::nan, Poison::infinity}) {
      out.push_back({.name = std::string("strided_") + name_of(kv) +
                             (poison == Poison::nan ? "_nan" : "_infinity"),
                     .kv = kv,
                     .page_size = 5,
                     .storage = Storage::strided,
                     .strided_io = true,
                     .poison = poison,
                     .requests = {{3, 71}, {1, 33}, {20, 202}}});
    }
  }
}

/// Ten pages: below, at and above 2^31 and 2^32, in bytes and in elements.
void add_huge_pages(std::vector<AttentionCase>& out) {
  for (const DType kv : {DType::bf16, DType::f32, DType::e4m3}) {
    for (const KvLayout layout : {KvLayout::nhd, KvLayout::hnd}) {
      out.push_back({.name = std::string("huge_") + name_of(kv) + "_" + name_of(layout),
                     .kv = kv,
                     .qo_heads = 8,
                     .kv_heads = 4,
                     .head_dim = 128,
                     .page_size = 16,
                     .layout = layout,
                     .storage = Storage::huge_pages,
                     .requests = {{3, 155}, {1, 40}, {60, 90}}});
    }
  }
}

}  // namespace

std::vector<AttentionCase> page_cases() {
  std::vector<AttentionCase> out;
  add_page_sizes(out);
  add_storages(out);
  add_huge_pages(out);
  return out;
}

}  // namespace weft::cases
