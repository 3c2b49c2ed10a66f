// SPDX-License-Identifier: Apache-2.0
// Everything attention refuses when it is made and when it plans. Each row breaks one thing of a
// call that works; the plan of before stays usable. Arguments of run: attention_args_refusal_test.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <limits>

#include "tests/cases/random.h"
#include "tests/cases/refusal.h"
#include "tests/cases/run_case.h"

namespace weft::cases {
namespace {

constexpr AttentionConfig kConfig{.num_qo_heads = 4,
                                  .num_kv_heads = 2,
                                  .head_dim_qk = 64,
                                  .page_size = 16,
                                  .max_batch_size = 4,
                                  .max_nnz_qo = 100};

struct ConfigRow {
  const char* field;
  void (*apply)(AttentionConfig& c);
};

TEST(AttentionRefuses, WrongConfigs) {
  using C = AttentionConfig;
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const ConfigRow rows[] = {
      {"dtype_q", [](C& c) { c.dtype_q = DType::none; }},
      {"dtype_q", [](C& c) { c.dtype_q = DType::e4m3; }},
      {"dtype_q", [](C& c) { c.dtype_q = static_cast<DType>(99); }},
      {"dtype_kv", [](C& c) { c.dtype_kv = DType::none; }},
      {"dtype_kv", [](C& c) { c.dtype_kv = DType::i32; }},
      {"dtype_o", [](C& c) { c.dtype_o = DType::e5m2; }},
      {"dtype_o", [](C& c) { c.dtype_o = DType::u8; }},
      {"num_qo_heads", [](C& c) { c.num_qo_heads = 0; }},
      {"num_qo_heads", [](C& c) { c.num_qo_heads = 3; }},
      {"num_qo_heads", [](C& c) { c.num_qo_heads = 1 << 20; }},
      {"num_kv_heads", [](C& c) { c.num_kv_heads = 0; }},
      {"num_kv_heads", [](C& c) { c.num_kv_heads = -2; }},
      {"head_dim_qk", [](C& c) { c.head_dim_qk = 0; }},
      {"head_dim_qk", [](C& c) { c.head_dim_qk = 60; }},
      {"head_dim_qk", [](C& c) { c.head_dim_qk = 584; }},
      {"head_dim_vo", [](C& c) { c.head_dim_vo = 12; }},
      {"head_dim_vo", [](C& c) { c.head_dim_vo = -8; }},
      {"head_dim_vo", [](C& c) { c.head_dim_vo = 640; }},
      {"page_size", [](C& c) { c.page_size = -1; }},
      {"page_size", [](C& c) { c.page_size = 1 << 30; }},
      {"kv_layout", [](C& c) { c.kv_layout = static_cast<KvLayout>(2); }},
      {"mask", [](C& c) { c.mask = static_cast<MaskMode>(9); }},
      {"rope.mode", [](C& c) { c.rope.mode = static_cast<RopeMode>(3); }},
      {"rope.dim", [](C& c) { c.rope = {.mode = RopeMode::neox, .dim = 66}; }},
      {"rope.dim", [](C& c) { c.rope = {.mode = RopeMode::neox, .dim = 7}; }},
      {"rope.dim", [](C& c) { c.rope = {.mode = RopeMode::neox, .dim = -2}; }},
      {"rope.theta", [](C& c) { c.rope = {.mode = RopeMode::neox, .theta = 0}; }},
      {"rope.theta", [](C& c) { c.rope = {.mode = RopeMode::neox, .theta = kNan}; }},
      {"rope.scale", [](C& c) { c.rope = {.mode = RopeMode::neox, .scale = -1}; }},
      {"rope.high_freq_factor",
       [](C& c) { c.rope = {.mode = RopeMode::neox, .llama31 = true, .low_freq_factor = 4}; }},
      {"rope.old_context_len",
       [](C& c) { c.rope = {.mode = RopeMode::neox, .llama31 = true, .old_context_len = 0}; }},
      {"schedule", [](C& c) { c.schedule = static_cast<ScheduleMode>(2); }},
      {"split_kv", [](C& c) { c.split_kv = -64; }},
      {"split_kv", [](C& c) { c.split_kv = 100; }},
      {"window_left", [](C& c) { c.window_left = -2; }},
      {"max_batch_size", [](C& c) { c.max_batch_size = 0; }},
      {"max_batch_size", [](C& c) { c.max_batch_size = INT32_MAX; }},
      {"max_nnz_qo", [](C& c) { c.max_nnz_qo = 0; }},
      {"max_nnz_qo", [](C& c) { c.max_nnz_qo = INT32_MAX; }},
  };
  for (const ConfigRow& row : rows) {
    AttentionConfig config = kConfig;
    row.apply(config);
    EXPECT_EQ(
        check_refusal([&] { Attention{config}; }, ErrorKind::invalid_argument, row.field, "", {}),
        "");
  }
}

struct TargetRow {
  const char* field;
  ErrorKind kind;
  void (*apply)(Target& t);
};

TEST(AttentionRefuses, WrongTargets) {
  const TargetRow rows[] = {
      {"target.device", ErrorKind::unsupported, [](Target& t) { t = Target::h200(); }},
      {"target.num_threads", ErrorKind::invalid_argument, [](Target& t) { t.num_threads = 0; }},
      {"target.num_workers", ErrorKind::invalid_argument, [](Target& t) { t.num_workers = 0; }},
      {"target.num_workers", ErrorKind::invalid_argument,
       [](Target& t) { t.num_workers = 1 << 30; }},
      {"target.isa", ErrorKind::unsupported, [](Target& t) { t.isa = static_cast<Isa>(77); }},
  };
  for (const TargetRow& row : rows) {
    Target target = Target::host();
    row.apply(target);
    EXPECT_EQ(check_refusal([&] { Attention(kConfig, target); }, row.kind, row.field, "", {}), "");
  }
}

/// Three requests of 3, 1 and 0 pages on a plan that already holds another batch.
struct Call {
  Call() : Call(16) {}
  explicit Call(int page_size)
      : c{.name = "call", .page_size = page_size, .requests = {{5, 40}, {1, 16}, {2, 0}}},
        data(make_attention_data(c, 5)),
        runner(config(), Target::host()),
        batch(data.batch) {
    runner.plan(data.batch);
    runner.run(data);
    before = output_bits(data);
  }
  AttentionConfig config() const {
    AttentionConfig out = kConfig;
    out.page_size = c.page_size;
    out.checked = true;
    return out;
  }
  TensorView ints(const std::vector<int32_t>& values) { return make_ints(values, owners); }

  std::string refusal(const std::string& argument, const std::string& part,
                      ErrorKind kind = ErrorKind::invalid_argument) {
    const std::string wrong = check_refusal([&] { runner.plan(batch); }, kind, argument, part, {});
    if (!wrong.empty()) return wrong;
    runner.run(data);
    return output_bits(data) == before ? "" : "the plan of before was spoilt";
  }

  AttentionCase c;
  AttentionData data;
  Runner runner;
  AttentionBatch batch;
  std::vector<Buffer> owners;
  std::vector<char> before;
};

struct BatchArgument {
  const char* name;
  TensorView AttentionBatch::*field;
};

constexpr BatchArgument kBatchArguments[] = {{"qo_indptr", &AttentionBatch::qo_indptr},
                                             {"kv_indptr", &AttentionBatch::kv_indptr},
                                             {"kv_indices", &AttentionBatch::kv_indices},
                                             {"last_page_len", &AttentionBatch::last_page_len}};

TEST(AttentionRefuses, WrongTensorsOfABatch) {
  for (const BatchArgument& argument : kBatchArguments) {
    for (const TensorFault& fault : tensor_faults()) {
      Call call;
      TensorView& tensor = call.batch.*argument.field;
      SCOPED_TRACE(std::string(argument.name) + ": " + fault.name);
      if (argument.field == &AttentionBatch::kv_indices) tensor.shape[0] = 4;  // not a page more
      fault.apply(tensor);
      // A shorter qo_indptr is another batch: then it is kv_indptr that does not fit.
      const bool shorter =
          std::string(fault.name) == "another size" && argument.field == &AttentionBatch::qo_indptr;
      EXPECT_EQ(call.refusal(shorter ? "kv_indptr" : argument.name, fault.part), "");
    }
  }
}

struct BatchRow {
  const char* what;
  const char* argument;
  const char* part;
  std::vector<int32_t> values;
  TensorView AttentionBatch::*field;
  ErrorKind kind = ErrorKind::invalid_argument;
};

TEST(AttentionRefuses, WrongValuesOfABatch) {
  using B = AttentionBatch;
  const BatchRow rows[] = {
      {"first not 0", "qo_indptr", "first element 0, got 1", {1, 5, 6, 8}, &B::qo_indptr},
      {"first negative", "qo_indptr", "first element 0, got -1", {-1, 5, 6, 8}, &B::qo_indptr},
      {"decreasing", "qo_indptr", "qo_indptr[2] >= 5, got 4", {0, 5, 4, 8}, &B::qo_indptr},
      {"last decreasing", "qo_indptr", "got -8", {0, 5, 6, -8}, &B::qo_indptr},
      {"wraps", "qo_indptr", "got -2147483648", {0, INT32_MAX, INT32_MIN, 0}, &B::qo_indptr},
      {"too many tokens",
       "qo_indptr",
       "max_nnz_qo = 100",
       {0, 5, 6, 101},
       &B::qo_indptr,
       ErrorKind::out_of_limits},
      {"too many requests",
       "qo_indptr",
       "max_batch_size = 4",
       {0, 1, 2, 3, 4, 5},
       &B::qo_indptr,
       ErrorKind::out_of_limits},
      {"empty", "qo_indptr", "shape [>=1]", {}, &B::qo_indptr},
      {"first not 0", "kv_indptr", "first element 0, got 2", {2, 3, 4, 4}, &B::kv_indptr},
      {"decreasing", "kv_indptr", "kv_indptr[3] >= 4, got 3", {0, 3, 4, 3}, &B::kv_indptr},
      {"longer", "kv_indptr", "shape [4]", {0, 3, 4, 4, 4}, &B::kv_indptr},
      {"more pages than ids", "kv_indices", "shape [>=9]", {0, 3, 9, 9}, &B::kv_indptr},
      {"page id -1", "kv_indices", "kv_indices[2] >= 0, got -1", {0, 1, -1, 2}, &B::kv_indices},
      {"page id lowest", "kv_indices", "got -2147483648", {0, 1, 2, INT32_MIN}, &B::kv_indices},
      {"0 tokens",
       "last_page_len",
       "last_page_len[1] <= page_size = 16, got 0",
       {8, 0, 0},
       &B::last_page_len},
      {"negative", "last_page_len", "got -3", {-3, 16, 0}, &B::last_page_len},
      {"a token too many", "last_page_len", "got 17", {8, 17, 0}, &B::last_page_len},
  };
  for (const BatchRow& row : rows) {
    Call call;
    SCOPED_TRACE(std::string(row.argument) + ": " + row.what);
    call.batch.*row.field = call.ints(row.values);
    EXPECT_EQ(call.refusal(row.argument, row.part, row.kind), "");
  }
}

TEST(AttentionRefuses, MisalignedBatch) {
  Call call;
  call.batch.kv_indptr.data = static_cast<char*>(call.batch.kv_indptr.data) + 1;
  EXPECT_EQ(call.refusal("kv_indptr", "aligned to its 4-byte elements"), "");
}

/// Pages of 16 up to 2^31 - 2^24 tokens in one request. The ids are never read when not checked.
TEST(AttentionRefuses, ARequestOfAlmost2To31Tokens) {
  constexpr int kPages = (1 << 27) - (1 << 20);
  AttentionConfig config = kConfig;
  config.checked = false;
  const Attention attention(config);
  AttentionPlan plan = attention.create_plan();
  std::vector<Buffer> owners;
  AttentionBatch batch;
  batch.qo_indptr = make_ints({0, 1}, owners);
  batch.kv_indptr = make_ints({0, kPages}, owners);
  batch.last_page_len = make_ints({16}, owners);
  const size_t bytes = size_t{4} << 27;  // reserved, never touched
  void* ids = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(ids, MAP_FAILED);
  batch.kv_indices = TensorView(ids, DType::i32, {1 << 27});
  EXPECT_EQ(check_refusal([&] { attention.plan(batch, plan); }, ErrorKind::out_of_limits,
                          "kv_indptr", "at most 2130706431 tokens", {}),
            "");
  batch.kv_indptr = make_ints({0, kPages - 1}, owners);  // one page less: legal
  EXPECT_NO_THROW(attention.plan(batch, plan));
  EXPECT_GT(plan.num_items(), 1);
  EXPECT_GE(plan.balance(), 1.0);
  munmap(ids, bytes);
}

TEST(AttentionRefuses, PagesOfRaggedKv) {
  Call call(0);
  call.batch.kv_indices = call.ints({0, 1, 2, 3});
  EXPECT_EQ(call.refusal("kv_indices", "nothing with ragged KV"), "");
  call.batch.kv_indices = {};
  call.batch.last_page_len = call.ints({1, 1, 1});
  EXPECT_EQ(call.refusal("last_page_len", "nothing with ragged KV"), "");
}

TEST(AttentionRefuses, WrongWorkspaces) {
  const Attention attention(kConfig);
  const auto bytes = static_cast<int64_t>(attention.workspace_bytes());
  Buffer memory(static_cast<size_t>(bytes) + 1);
  const TensorView right(memory.data(), DType::u8, {bytes});
  const auto refusal = [&](TensorView workspace, const std::string& part) {
    return check_refusal([&] { attention.create_plan(workspace); }, ErrorKind::invalid_argument,
                         "workspace", part, {&memory});
  };
  EXPECT_NO_THROW(attention.create_plan(right));
  for (const TensorFault& fault : tensor_faults()) {
    TensorView workspace = right;
    const std::string name = fault.name;
    if (name == "absent") continue;  // then the plan brings its own memory
    fault.apply(workspace);
    if (name == "another dtype") workspace.dtype = DType::f32;
    EXPECT_EQ(refusal(workspace, name == "another dtype" ? "got f32" : fault.part), "") << name;
  }
  TensorView shifted = right;
  shifted.data = memory.data() + 1;
  EXPECT_EQ(refusal(shifted, "64-byte alignment"), "");
}

TEST(AttentionRefuses, PlansOfOthers) {
  Call call;
  const Attention& attention = call.runner.attention();
  AttentionConfig config = call.config();
  config.mask = MaskMode::none;
  const Attention other(config);
  AttentionPlan foreign = other.create_plan();
  AttentionPlan empty;
  const auto refusal = [&](const std::function<void()>& f, const std::string& part) {
    return check_refusal(f, ErrorKind::invalid_argument, "plan", part, {});
  };
  const char* origin = "a plan of an Attention with the same config";
  EXPECT_EQ(refusal([&] { attention.plan(call.batch, empty); }, "create_plan"), "");
  EXPECT_EQ(refusal([&] { attention.run(empty, call.data.args); }, "create_plan"), "");
  EXPECT_EQ(refusal([&] { (void)empty.num_items(); }, "create_plan"), "");
  EXPECT_EQ(refusal([&] { (void)empty.explain(); }, "create_plan"), "");
  EXPECT_EQ(refusal([&] { attention.plan(call.batch, foreign); }, origin), "");
  EXPECT_EQ(refusal([&] { attention.run(foreign, call.data.args); }, origin), "");
  // Never planned, over memory that holds anything.
  Buffer dirty(attention.workspace_bytes());
  Random random(1);
  for (size_t i = 0; i < dirty.size(); ++i) dirty.data()[i] = static_cast<char>(random.next());
  const AttentionPlan blank = attention.create_plan(
      TensorView(dirty.data(), DType::u8, {static_cast<int64_t>(dirty.size())}));
  EXPECT_EQ(blank.batch_size(), 0);
  EXPECT_EQ(blank.num_items(), 0);
  EXPECT_EQ(blank.balance(), 1.0);
  EXPECT_NE(blank.explain(), "");
  EXPECT_NE(blank.explain_json(), "");
  EXPECT_EQ(refusal([&] { attention.run(blank, call.data.args); }, "a plan that holds a batch"),
            "");
  Target target = Target::host();
  target.num_workers = 3;
  AttentionPlan elsewhere = Attention(call.config(), target).create_plan();
  EXPECT_EQ(refusal([&] { attention.plan(call.batch, elsewhere); }, "the same"), "");
}

TEST(AttentionRefuses, WrongExecutors) {
  Call call;
  ParallelFor parallel_for;
  Executor executor{nullptr, &parallel_for};
  const auto refusal = [&](const char* argument) {
    call.data.poison_outputs();
    return check_refusal(
        [&] { call.runner.attention().run(call.runner.plan(), call.data.args, executor); },
        ErrorKind::invalid_argument, argument, "", {&call.data.o, &call.data.lse});
  };
  parallel_for.num_threads = 1;
  EXPECT_EQ(refusal("executor.parallel_for.run"), "");
  parallel_for.run = [](void*, int, void (*)(void*, int), void*) {};
  parallel_for.num_threads = 0;
  EXPECT_EQ(refusal("executor.parallel_for.num_threads"), "");
  executor = {&call, nullptr};
  EXPECT_EQ(refusal("executor.stream"), "");
  EXPECT_EQ(check_refusal([&] { call.runner.plan(call.batch, executor); },
                          ErrorKind::invalid_argument, "executor.stream", "", {}),
            "");
}

TEST(AttentionRefuses, NothingOfALegalBatch) {
  Call call;
  const struct {
    const char* what;
    std::vector<int32_t> qo, kv, last;
  } rows[] = {
      {"empty", {0}, {0}, {}},
      {"no queries", {0, 0, 0}, {0, 1, 2}, {3, 16}},
      {"no keys", {0, 4}, {0, 0}, {-99}},
      {"more queries than keys", {0, 90}, {0, 1}, {1}},
      {"all of the limits", {0, 97, 98, 99, 100}, {0, 1, 2, 3, 4}, {1, 16, 2, 3}},
  };
  for (const auto& row : rows) {
    call.batch.qo_indptr = call.ints(row.qo);
    call.batch.kv_indptr = call.ints(row.kv);
    call.batch.last_page_len = call.ints(row.last);
    EXPECT_NO_THROW(call.runner.plan(call.batch)) << row.what;
    EXPECT_EQ(call.runner.plan().batch_size(), static_cast<int>(row.qo.size()) - 1);
  }
}

}  // namespace
}  // namespace weft::cases
