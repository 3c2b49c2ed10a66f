// SPDX-License-Identifier: Apache-2.0
// append on a GPU: the CPU's case table against float64, every value of every conversion, offsets
// beyond 32 bits, captured graphs, what it does about wrong indices, and how long it takes.
#include "weft/append.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "tests/cases/append_case.h"
#include "tests/cases/append_values.h"
#include "tests/cases/attention_data.h"
#include "tests/gpu/backend.h"
#include "tests/gpu/buffer_mirror.h"
#include "tests/oracle/numbers.h"

namespace weft::test {
namespace {

using cases::AppendCase;
using cases::AppendData;

/// The tensors of a case on the device.
struct DeviceAppend {
  DeviceAppend(const AppendData& data, const CudaDevice& device, cu::Stream stream)
      : mirror(device, stream) {
    for (const cases::OwnedTensor* t : {&data.k, &data.v, &data.q, &data.q_out, &data.rope_cache,
                                        &data.k_weight, &data.q_weight}) {
      mirror.add(t->buffer);
    }
    mirror.add({data.cache_memory, data.v_cache_memory});
    mirror.add(data.owners);
    args = mirror.args(data.args);
  }

  BufferMirror mirror;
  AppendArgs args;
};

class AppendOnGpu : public BackendTest {
 protected:
  static std::string check(const AppendCase& c, uint64_t seed) {
    AppendData data = cases::make_append_data(c, seed);
    cases::restore_outputs(c, data);
    const Append op(data.config, backend());
    const DeviceAppend there(data, device(), stream());
    op.run(there.args, executor());
    op.check(executor());
    const std::string wrong = there.mirror.download();
    return wrong.empty() ? cases::compare_append(data) : wrong;
  }

  static std::string check_conversion(const cases::OwnedTensor& values, DType dtype_kv) {
    const cases::ConversionData data = cases::make_conversion_data(values, dtype_kv);
    BufferMirror mirror(device(), stream());
    for (const cases::OwnedTensor* t : {&data.values, &data.k, &data.v}) mirror.add(t->buffer);
    mirror.add(data.owners);
    Append(data.config, backend()).run(mirror.args(data.args), executor());
    const std::string wrong = mirror.download();
    return wrong.empty() ? cases::compare_conversion(data) : wrong;
  }
};

TEST_F(AppendOnGpu, CasesMatchFloat64) {
  for (const AppendCase& c : cases::append_cases()) {
    EXPECT_EQ(check(c, cases::hash_of(c.name)), "") << c.name;
  }
}

TEST_F(AppendOnGpu, EveryDtypeAndLayout) {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (DType kv : cases::kCacheTypes) {
      for (KvLayout layout : {KvLayout::nhd, KvLayout::hnd}) {
        const AppendCase c =
            cases::append_product_case(dtype, kv, layout, cases::CacheStorage::joined);
        EXPECT_EQ(check(c, 11), "")
            << name_of(dtype) << " to " << name_of(kv) << " " << name_of(layout);
      }
    }
  }
}

TEST_F(AppendOnGpu, RandomCasesMatchFloat64) {
  cases::Random random(8);
  for (int i = 0; i < 16; ++i) {
    const AppendCase c = cases::random_append_case(random);
    ASSERT_EQ(check(c, static_cast<uint64_t>(i)), "") << "case " << i;
  }
}

TEST_F(AppendOnGpu, EveryConversion) {
  const cases::OwnedTensor f16 = cases::all_patterns(DType::f16);
  const cases::OwnedTensor bf16 = cases::all_patterns(DType::bf16);
  const cases::OwnedTensor f32 = cases::ties_and_edges();
  for (const cases::OwnedTensor* values : {&f16, &bf16, &f32}) {
    for (DType dtype_kv : cases::kCacheTypes) EXPECT_EQ(check_conversion(*values, dtype_kv), "");
  }
}

// Pages that begin beyond 2^31 elements and 2^32 bytes.
TEST_F(AppendOnGpu, OffsetsBeyond32Bits) {
  constexpr int64_t kPageStride = int64_t{1} << 30;
  std::unique_ptr<DeviceMemory> memory;
  try {
    memory = std::make_unique<DeviceMemory>(device(), 2 * (4 * kPageStride + 8192));
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  auto* const base = static_cast<uint16_t*>(memory->data());
  const Device on = {DeviceType::cuda, 0};
  const auto cache = [&](int64_t first) {
    TensorView view(base + first, DType::bf16, {5, 4, 2, 64}, on);
    view.strides[0] = kPageStride;
    return view;
  };
  const cases::OwnedTensor x(DType::bf16, {3, 2, 64});
  cases::Random random(1);
  cases::fill_normal(x.view, random);
  std::vector<cases::Buffer> owners;
  owners.reserve(4);
  AppendArgs args;
  args.k = args.v = x.view;
  args.batch_indices = cases::make_ints({0, 0, 0}, owners);
  args.positions = cases::make_ints({0, 7, 8}, owners);
  args.kv_indptr = cases::make_ints({0, 3}, owners);
  args.kv_indices = cases::make_ints({4, 0, 3}, owners);
  BufferMirror mirror(device(), stream());
  mirror.add(x.buffer), mirror.add(owners);
  args = mirror.args(args);
  args.k_cache = cache(0), args.v_cache = cache(4096);
  const Append op({.num_kv_heads = 2, .head_dim_qk = 64, .page_size = 4}, backend());
  op.run(args, executor());
  op.check(executor());
  const int64_t slots[][2] = {{4, 0}, {0, 3}, {3, 0}};
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t first : {0, 4096}) {
      const uint16_t* at = base + slots[t][0] * kPageStride + slots[t][1] * 128 + first;
      char got[256];
      const ContextScope current(device());
      device().driver().check(
          device().driver().copy_to_host(got, reinterpret_cast<cu::Address>(at), 256, stream()),
          "copy to host");
      device().driver().check(device().driver().stream_synchronize(stream()), "synchronize");
      EXPECT_EQ(0, std::memcmp(got, oracle::address(x.view, {t, 0, 0}), 256)) << "token " << t;
    }
  }
}

TEST_F(AppendOnGpu, OneGraphServesEveryPageTable) {
  AppendCase c{.name = "graph", .qo_heads = 4, .rope = {.mode = RopeMode::neox}};
  AppendData data = cases::make_append_data(c, 9);
  const Append op(data.config, backend());
  DeviceAppend there(data, device(), stream());
  const CapturedGraph graph(device(), stream(), [&] { op.run(there.args, executor()); });
  for (uint64_t i = 0; i < 20; ++i) {
    // The content and the pages of another seed, in the memory of the first.
    const AppendData other = cases::make_append_data(c, 100 + i);
    for (auto field : {&AppendArgs::k, &AppendArgs::v, &AppendArgs::kv_indices}) {
      std::memcpy((data.args.*field).data, (other.args.*field).data,
                  cases::span_bytes(other.args.*field));
    }
    cases::restore_outputs(c, data);
    there.mirror.upload();
    graph.replay();
    ASSERT_EQ(there.mirror.download(), "");
    ASSERT_EQ(cases::compare_append(data), "") << "replay " << i;
  }
}

struct Spoil {
  const char* name;
  const char* message;  // part
  void (*apply)(const AppendArgs& host);
};

int32_t* ints(const TensorView& t) { return static_cast<int32_t*>(t.data); }

// Three requests of 2, 1 and 3 new tokens; token 2 is made wrong in some way. Only its own request
// may show it.
TEST_F(AppendOnGpu, WrongIndicesAreLeftOutAndNamed) {
  AppendCase c{.name = "wrong",
               .qo_heads = 2,
               .page_size = 4,
               .rope = {.mode = RopeMode::neox},
               .rope_positions = true,
               .kv_lens = {6, 5, 3},
               .new_tokens = {2, 1, 3}};
  const Spoil spoils[] = {
      {"request -1", "got batch_indices[2]",
       [](const AppendArgs& a) { ints(a.batch_indices)[2] = -1; }},
      {"request 3", "got batch_indices[2]",
       [](const AppendArgs& a) { ints(a.batch_indices)[2] = 3; }},
      {"position -1", "got positions[2]", [](const AppendArgs& a) { ints(a.positions)[2] = -1; }},
      {"position 8", "got positions[2]", [](const AppendArgs& a) { ints(a.positions)[2] = 8; }},
      {"a page too far", "got kv_indices[2]",
       [](const AppendArgs& a) { ints(a.kv_indices)[3] = 1000; }},
      {"page -1", "got kv_indices[2]", [](const AppendArgs& a) { ints(a.kv_indices)[3] = -1; }},
      {"no such angle", "got rope_positions[2]",
       [](const AppendArgs& a) { ints(a.rope_positions)[2] = -5; }},
  };
  for (const Spoil& spoil : spoils) {
    SCOPED_TRACE(spoil.name);
    AppendData data = cases::make_append_data(c, 4);
    const Append op(data.config, backend());
    cases::restore_outputs(c, data);
    DeviceAppend there(data, device(), stream());
    op.run(there.args, executor());
    op.check(executor());
    there.mirror.download();
    const std::vector<char> k = cases::bytes_of(data.cache_memory);
    const std::vector<char> q = cases::bytes_of(data.q_out.buffer);
    const size_t page = k.size() / static_cast<size_t>(data.args.k_cache.shape[0]);
    const size_t slot = static_cast<size_t>(ints(data.args.kv_indices)[3]) * page;
    spoil.apply(data.args);
    cases::restore_outputs(c, data);
    there.mirror.upload();
    op.run(there.args, executor());
    EXPECT_EQ(there.mirror.download(), "");
    EXPECT_NE(error_of([&] { op.check(executor()); }).find(spoil.message), std::string::npos);
    EXPECT_EQ(error_of([&] { op.check(executor()); }), "") << "a fault is told once";
    // The one row of request 1, position 4, stays as it was; every other byte is as before.
    std::vector<char> want_k = k, want_q = q;
    const size_t row = page / 4, q_row = q.size() / 6;
    std::fill_n(want_k.begin() + static_cast<ptrdiff_t>(slot), row, '\xff');
    std::fill_n(want_q.begin() + static_cast<ptrdiff_t>(2 * q_row), q_row, '\xff');
    EXPECT_EQ(cases::bytes_of(data.cache_memory), want_k);
    EXPECT_EQ(cases::bytes_of(data.q_out.buffer), want_q);
  }
}

TEST_F(AppendOnGpu, WrongScalesAreNamed) {
  AppendCase c{.name = "scales", .dtype_kv = DType::e4m3, .kv_heads = 3, .head_scales = true};
  AppendData data = cases::make_append_data(c, 4);
  const Append op(data.config, backend());
  static_cast<float*>(data.args.v_scales.data)[1] = NAN;
  const DeviceAppend there(data, device(), stream());
  op.run(there.args, executor());
  EXPECT_NE(error_of([&] { op.check(executor()); }).find("got v_scales[1]"), std::string::npos);
}

TEST_F(AppendOnGpu, HostMemoryIsRefused) {
  AppendCase c{.name = "refused", .qo_heads = 2, .rope = {.mode = RopeMode::neox}};
  const AppendData data = cases::make_append_data(c, 1);
  const Append op(data.config, backend());
  const DeviceAppend there(data, device(), stream());
  for (auto field :
       {&AppendArgs::k, &AppendArgs::v, &AppendArgs::batch_indices, &AppendArgs::positions,
        &AppendArgs::kv_indptr, &AppendArgs::kv_indices, &AppendArgs::k_cache, &AppendArgs::v_cache,
        &AppendArgs::q, &AppendArgs::q_out}) {
    AppendArgs args = there.args;
    args.*field = data.args.*field;
    EXPECT_NE(error_of([&] { op.run(args, executor()); }).find("expected a tensor on cuda:0"),
              std::string::npos);
  }
}

TEST_F(AppendOnGpu, ExplainsItself) {
  const Append op({.num_kv_heads = 8, .head_dim_qk = 128, .page_size = 16}, backend());
  EXPECT_NE(op.explain().find("indices: checked by the kernel"), std::string::npos) << op.explain();
}

struct TimedCase {
  const char* id;
  int64_t tokens;
  DType dtype_kv = DType::bf16;
  int qo_heads = 0;
};

/// k, v, q and caches of several sets, pages of 16 in random order.
struct TimedAppend {
  TimedAppend(const CudaDevice& device, const TimedCase& c, int sets,
              const std::vector<char>& numbers)
      : n(c.tokens),
        indices(device, static_cast<size_t>(n)),
        requests(device, static_cast<size_t>(n)),
        indptr(device, 2),
        pages(device, static_cast<size_t>((n + 15) / 16)) {
    std::vector<int32_t> ids(static_cast<size_t>(n));
    std::iota(ids.begin(), ids.end(), 0);
    indices.write(ids, nullptr);
    requests.write(std::vector<int32_t>(ids.size(), 0), nullptr);
    ids.resize(pages.size());
    cases::Random random(1);
    random.shuffle(ids);
    pages.write(ids, nullptr);
    indptr.write({0, static_cast<int32_t>(ids.size())}, nullptr);
    for (int i = 0; i < sets; ++i) add_set(device, c, numbers);
  }

  void add_set(const CudaDevice& device, const TimedCase& c, const std::vector<char>& numbers) {
    const Device on{DeviceType::cuda, device.target().device_index};
    const auto tensor = [&](DType dtype, std::initializer_list<int64_t> shape) {
      size_t bytes = static_cast<size_t>(size_of(dtype));
      for (int64_t s : shape) bytes *= static_cast<size_t>(s);
      memory.push_back(std::make_unique<DeviceArray<char>>(device, bytes));
      return TensorView(memory.back()->data(), dtype, shape, on);
    };
    AppendArgs a;
    a.k = tensor(DType::bf16, {n, 8, 128}), a.v = tensor(DType::bf16, {n, 8, 128});
    const auto num_pages = static_cast<int64_t>(pages.size());
    a.k_cache = tensor(c.dtype_kv, {num_pages, 16, 8, 128});
    a.v_cache = tensor(c.dtype_kv, {num_pages, 16, 8, 128});
    if (c.qo_heads > 0) a.q = a.q_out = tensor(DType::bf16, {n, c.qo_heads, 128});
    a.batch_indices = TensorView(requests.data(), DType::i32, {n}, on);
    a.positions = TensorView(indices.data(), DType::i32, {n}, on);
    a.kv_indptr = TensorView(indptr.data(), DType::i32, {2}, on);
    a.kv_indices = TensorView(pages.data(), DType::i32, {num_pages}, on);
    for (const TensorView* t : {&a.k, &a.v, &a.q}) {
      if (!t->given()) continue;
      for (auto& m : memory) {
        if (m->data() == t->data)
          m->write({numbers.begin(), numbers.begin() + static_cast<ptrdiff_t>(m->size())}, nullptr);
      }
    }
    args.push_back(a);
  }

  int64_t n;
  DeviceArray<int32_t> indices, requests, indptr, pages;
  std::vector<std::unique_ptr<DeviceArray<char>>> memory;
  std::vector<AppendArgs> args;
};

TEST_F(AppendOnGpu, Time) {
  const TimedCase timed_cases[] = {
      {"append/8192", 8192},
      {"append/64", 64},
      {"append/8192_fp8", 8192, DType::e4m3},
      {"append/8192_rope_q", 8192, DType::bf16, 32},
      {"append/64_rope_q", 64, DType::bf16, 32},
  };
  for (const TimedCase& c : timed_cases) {
    AppendConfig config{.dtype_kv = c.dtype_kv,
                        .num_kv_heads = 8,
                        .num_qo_heads = c.qo_heads,
                        .head_dim_qk = 128,
                        .page_size = 16};
    if (c.qo_heads > 0) config.rope = {.mode = RopeMode::neox, .theta = 500000.0f};
    const Append op(config, backend());
    const size_t longest = static_cast<size_t>(c.tokens) * 32 * 128 * 2;
    const TimedAppend timed(device(), c, c.tokens < 1024 ? 16 : 6, plain_numbers(longest));
    const int sets = static_cast<int>(timed.args.size());
    const double us =
        time_us(24, [&](int i) { op.run(timed.args[static_cast<size_t>(i % sets)], executor()); });
    op.check(executor());
    const int bytes = 2 * 8 * 128 * (2 + size_of(c.dtype_kv)) + 2 * c.qo_heads * 128 * 2;
    report(c.id, us, static_cast<double>(bytes) * static_cast<double>(c.tokens));
    EXPECT_GT(us, 0);
  }
}

}  // namespace
}  // namespace weft::test
