// SPDX-License-Identifier: Apache-2.0
// Everything merge refuses, in both forms. Each row breaks one thing of a call that works.
#include <gtest/gtest.h>

#include "tests/cases/refusal.h"
#include "weft/merge.h"

namespace weft::cases {
namespace {

constexpr MergeConfig kConfig{.dtype = DType::f32, .num_heads = 2, .head_dim = 8};

/// Three rows; the many-state form has four states.
struct Call {
  Call() {
    buffers.reserve(16);
    many.o_in = tensor({3, 4, 2, 8});
    many.lse_in = tensor({3, 4, 2});
    many.o = tensor({3, 2, 8});
    many.lse = tensor({3, 2});
    pair.o_a = tensor({3, 2, 8});
    pair.lse_a = tensor({3, 2});
    pair.o_b = tensor({3, 2, 8});
    pair.lse_b = tensor({3, 2});
    pair.o = tensor({3, 2, 8});
    pair.lse = tensor({3, 2});
    pair.mask = TensorView(buffers.emplace_back(3, 1).data(), DType::u8, {3});
  }
  TensorView tensor(std::initializer_list<int64_t> shape) {
    size_t n = 4;
    for (int64_t s : shape) n *= static_cast<size_t>(s);
    return TensorView(buffers.emplace_back(n, 0).data(), DType::f32, shape);
  }
  template <class Args>
  std::string refusal(const Args& args, const std::string& argument,
                      const std::string& part) const {
    std::vector<const Buffer*> watched;
    for (const Buffer& b : buffers) watched.push_back(&b);
    return check_refusal([&] { Merge(kConfig).run(args); }, ErrorKind::invalid_argument, argument,
                         part, watched);
  }

  MergeArgs many;
  MergePairArgs pair;
  std::vector<Buffer> buffers;
};

TEST(MergeRefuses, NothingOfARightCall) {
  const Call call;
  EXPECT_NO_THROW(Merge(kConfig).run(call.many));
  EXPECT_NO_THROW(Merge(kConfig).run(call.pair));
}

template <class Args>
struct Argument {
  const char* name;
  TensorView Args::*field;
  bool output = false;
  bool optional = false;
};

template <class Args>
void check_tensors(Args Call::*args, const std::vector<Argument<Args>>& arguments) {
  for (const auto& argument : arguments) {
    std::vector<TensorFault> faults = tensor_faults();
    if (argument.output) {
      faults.insert(faults.end(), output_faults().begin(), output_faults().end());
    }
    for (const TensorFault& fault : faults) {
      Call call;
      TensorView& tensor = (call.*args).*argument.field;
      const std::string name = fault.name;
      if (argument.optional && name == "absent") continue;
      if (name == "another dtype" && tensor.dtype == DType::u8) continue;
      SCOPED_TRACE(std::string(argument.name) + ": " + name);
      fault.apply(tensor);
      EXPECT_EQ(call.refusal(call.*args, argument.name, fault.part), "");
    }
  }
}

TEST(MergeRefuses, ATargetThatIsNoCpu) {
  EXPECT_EQ(check_refusal([] { Merge(kConfig, Target::h200()); }, ErrorKind::unsupported, "target",
                          "a CudaBackend in place of the target", {}),
            "");
}

TEST(MergeRefuses, WrongTensorsOfManyStates) {
  check_tensors<MergeArgs>(&Call::many, {{"o_in", &MergeArgs::o_in},
                                         {"lse_in", &MergeArgs::lse_in},
                                         {"o", &MergeArgs::o, true},
                                         {"lse", &MergeArgs::lse, true, true}});
}

TEST(MergeRefuses, WrongTensorsOfAPair) {
  check_tensors<MergePairArgs>(&Call::pair, {{"o_a", &MergePairArgs::o_a},
                                             {"lse_a", &MergePairArgs::lse_a},
                                             {"o_b", &MergePairArgs::o_b},
                                             {"lse_b", &MergePairArgs::lse_b},
                                             {"o", &MergePairArgs::o, true},
                                             {"lse", &MergePairArgs::lse, true, true},
                                             {"mask", &MergePairArgs::mask, false, true}});
}

TEST(MergeRefuses, TensorsThatDoNotFitEachOther) {
  Call call;
  call.many.lse_in.shape[1] = 3;
  EXPECT_EQ(call.refusal(call.many, "lse_in", "shape [3, 4, 2]"), "");
  call = Call();
  --call.many.o.shape[0];
  EXPECT_EQ(call.refusal(call.many, "o", "shape [3, 2, 8]"), "");
  call = Call();
  --call.pair.o_b.shape[0];
  EXPECT_EQ(call.refusal(call.pair, "o_b", "shape [3, 2, 8]"), "");
  call = Call();
  --call.pair.mask.shape[0];
  EXPECT_EQ(call.refusal(call.pair, "mask", "shape [3]"), "");
}

TEST(MergeRefuses, Overlaps) {
  Call call;
  call.many.o.data = call.many.o_in.data;
  EXPECT_EQ(call.refusal(call.many, "o", "apart from o_in"), "");
  call = Call();
  call.many.lse.data = call.many.lse_in.data;
  EXPECT_EQ(call.refusal(call.many, "lse", "apart from lse_in"), "");
  call = Call();
  call.many.lse.data = call.many.o.data;
  EXPECT_EQ(call.refusal(call.many, "o", "apart from lse"), "");
  call = Call();
  call.pair.o.data = static_cast<float*>(call.pair.o_a.data) + 8;  // in place, but a head off
  call.pair.o.shape[0] = call.pair.o_a.shape[0] = call.pair.o_b.shape[0] = 2;
  call.pair.lse_a.shape[0] = call.pair.lse_b.shape[0] = call.pair.lse.shape[0] = 2;
  call.pair.mask.shape[0] = 2;
  EXPECT_EQ(call.refusal(call.pair, "o", "apart from o_a"), "");
  call = Call();
  call.pair.o.data = call.pair.lse_b.data = call.pair.o_b.data;
  EXPECT_EQ(call.refusal(call.pair, "o", "apart from lse_b"), "");
  call = Call();
  call.pair.o = call.pair.o_b;  // exactly in place
  call.pair.lse = call.pair.lse_a;
  EXPECT_NO_THROW(Merge(kConfig).run(call.pair));
}

struct ConfigRow {
  const char* field;
  void (*apply)(MergeConfig& config);
};

TEST(MergeRefuses, WrongConfigs) {
  const ConfigRow rows[] = {
      {"dtype", [](MergeConfig& c) { c.dtype = DType::e5m2; }},
      {"dtype", [](MergeConfig& c) { c.dtype = DType::none; }},
      {"dtype_o", [](MergeConfig& c) { c.dtype_o = DType::i32; }},
      {"dtype_o", [](MergeConfig& c) { c.dtype_o = static_cast<DType>(77); }},
      {"num_heads", [](MergeConfig& c) { c.num_heads = 0; }},
      {"num_heads", [](MergeConfig& c) { c.num_heads = INT32_MAX; }},
      {"head_dim", [](MergeConfig& c) { c.head_dim = 0; }},
      {"head_dim", [](MergeConfig& c) { c.head_dim = INT32_MIN; }},
      {"head_dim", [](MergeConfig& c) { c.head_dim = 1 << 20; }},
  };
  for (const ConfigRow& row : rows) {
    MergeConfig config = kConfig;
    row.apply(config);
    EXPECT_EQ(check_refusal([&] { Merge{config}; }, ErrorKind::invalid_argument, row.field, "", {}),
              "");
  }
}

// Legal: no rows, and no states (the identity).
TEST(MergeRefuses, NotTheEmpty) {
  Call call;
  MergeArgs none = call.many;
  none.o_in.shape[0] = none.lse_in.shape[0] = none.o.shape[0] = none.lse.shape[0] = 0;
  // Strides of a dimension that nothing steps over may be anything.
  none.o_in.strides[1] = INT64_MAX / 8;
  none.o_in.data = none.lse_in.data = none.o.data = none.lse.data = nullptr;
  EXPECT_NO_THROW(Merge(kConfig).run(none));
  MergeArgs identity = call.many;
  identity.o_in.shape[1] = identity.lse_in.shape[1] = 0;
  EXPECT_NO_THROW(Merge(kConfig).run(identity));
  EXPECT_EQ(*static_cast<float*>(identity.o.data), 0.0f);
  EXPECT_LT(*static_cast<float*>(identity.lse.data), -1e38f);
}

}  // namespace
}  // namespace weft::cases
