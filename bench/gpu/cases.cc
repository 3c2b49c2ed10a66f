// SPDX-License-Identifier: Apache-2.0
// See cases.h.
#include "bench/gpu/cases.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>

#include "tools/weft/json.h"

namespace weft::bench {
namespace {

using cli::JsonValue;

// The lengths that a row describes in words; each a fixed draw.
std::vector<int> lengths_in_words(const std::string& words, int batch) {
  std::vector<int> lens(static_cast<size_t>(batch));
  std::mt19937 random(7);
  if (words.starts_with("zipf")) {
    double weights = 0;
    for (int i = 0; i < batch; ++i) weights += 1.0 / (i + 1);
    for (int i = 0; i < batch; ++i) {
      lens[static_cast<size_t>(i)] = std::max(16, static_cast<int>(262144 / weights / (i + 1)));
    }
    lens[0] += 262144 - std::accumulate(lens.begin(), lens.end(), 0);
    std::shuffle(lens.begin(), lens.end(), random);
  } else if (words.starts_with("uniform 512..8191")) {
    for (int& n : lens) n = std::uniform_int_distribution(512, 8191)(random);
  } else if (words.starts_with("one 131072")) {
    std::fill(lens.begin(), lens.end(), 512);
    lens[0] = 131072;
  } else {
    throw std::runtime_error("kv_len: expected words this program knows, got " + words);
  }
  return lens;
}

DType dtype_of(const std::string& name) {
  for (const DType t : {DType::f16, DType::bf16, DType::e4m3, DType::e5m2}) {
    if (name == name_of(t)) return t;
  }
  throw std::runtime_error("dtype: expected f16, bf16, e4m3 or e5m2, got " + name);
}

double number_or_zero(const JsonValue& row, const char* name) {
  const JsonValue* value = row.find(name);
  return value == nullptr ? 0.0 : value->number;
}

int integer_of(const JsonValue& row, const char* name) {
  return static_cast<int>(row.at(name).integer(0, 1 << 24));
}

void read_lengths(const JsonValue& row, Case& c) {
  const auto integer = [&](const char* name) { return integer_of(row, name); };
  if (const JsonValue* requests = row.find("requests")) {
    if (requests->string != "one qo 2048 kv 8192, 63 qo 1 kv 4096") {
      throw std::runtime_error("requests: expected words this program knows, got " +
                               requests->string);
    }
    c.qo_lens.assign(64, 1);
    c.kv_lens.assign(64, 4096);
    c.qo_lens[0] = 2048;
    c.kv_lens[0] = 8192;
    return;
  }
  const int batch = integer("batch");
  c.qo_lens.assign(static_cast<size_t>(batch), integer("qo_len"));
  if (row.at("kv_len").kind == JsonValue::Kind::string) {
    c.kv_lens = lengths_in_words(row.at("kv_len").string, batch);
  } else {
    c.kv_lens.assign(static_cast<size_t>(batch), integer("kv_len"));
  }
}

Case case_of(const JsonValue& row) {
  const auto integer = [&](const char* name) { return integer_of(row, name); };
  Case c;
  c.id = row.at("id").string;
  read_lengths(row, c);
  AttentionConfig& config = c.config;
  config.dtype_q = dtype_of(row.at("dtype").string);
  config.dtype_kv = dtype_of(row.at("kv_dtype").string);
  config.num_qo_heads = integer("num_qo_heads");
  config.num_kv_heads = integer("num_kv_heads");
  config.head_dim_qk = config.head_dim_vo = integer("head_dim");
  config.page_size = integer("page_size");
  config.mask = row.at("causal").boolean ? MaskMode::causal : MaskMode::none;
  if (row.find("rope") != nullptr) config.rope = {.mode = RopeMode::neox, .theta = 5e5f};
  config.max_batch_size = static_cast<int>(c.qo_lens.size());
  config.max_nnz_qo = std::accumulate(c.qo_lens.begin(), c.qo_lens.end(), 0);
  c.target_us = number_or_zero(row, "target_us");
  c.floor_us = number_or_zero(row, "floor_us");
  c.peer_us = number_or_zero(row, "peer_us");
  c.target_tflops = number_or_zero(row, "target_tflops");
  c.peer_tflops = number_or_zero(row, "peer_tflops");
  return c;
}

bool is_of(const JsonValue& row, CaseKind kind) {
  const std::string& id = row.at("id").string;
  if (kind == CaseKind::decode) return id.starts_with("decode/") || id.starts_with("verify/");
  if (!id.starts_with("prefill/") && !id.starts_with("mixed/")) return false;
  return !is_fp8(dtype_of(row.at("dtype").string));
}

}  // namespace

int64_t Case::tokens() const { return std::accumulate(kv_lens.begin(), kv_lens.end(), int64_t{0}); }

int64_t Case::kv_bytes() const {
  return tokens() * config.num_kv_heads * (config.head_dim_qk + config.head_dim_vo) *
         size_of(config.dtype_kv);
}

double Case::flops() const {
  double pairs = 0;
  for (size_t r = 0; r < qo_lens.size(); ++r) {
    const double qo = qo_lens[r];
    pairs += qo * kv_lens[r];
    if (config.mask == MaskMode::causal) pairs -= 0.5 * qo * (qo - 1);
  }
  return 2.0 * config.num_qo_heads * (config.head_dim_qk + config.head_dim_vo) * pairs;
}

std::vector<Case> read_cases(const std::string& path, const std::string& filter, CaseKind kind) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    const JsonValue row = cli::parse_json(line);
    const std::string& id = row.at("id").string;
    if (is_of(row, kind) && id.find(filter) != std::string::npos) cases.push_back(case_of(row));
  }
  return cases;
}

}  // namespace weft::bench
