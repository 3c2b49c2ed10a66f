// SPDX-License-Identifier: Apache-2.0
// What the row-wise operators decide for a GPU without one: widths, alignment, grids, and the deal
// of a head's elements to lanes.
#include <gtest/gtest.h>

#include "src/cuda/rows.h"
#include "src/ops/append/kernel.h"
#include "src/ops/append/rooms.h"
#include "src/ops/merge/kernel.h"
#include "src/ops/merge/rooms.h"
#include "src/ops/rope/kernel.h"
#include "src/ops/rope/rooms.h"

namespace weft {
namespace {

TEST(CudaRows, VectorsAreTheWidestThatDivide) {
  EXPECT_EQ(widest_vector(DType::bf16, {64, 0}), 8);
  EXPECT_EQ(widest_vector(DType::f32, {64, 0}), 4);
  EXPECT_EQ(widest_vector(DType::bf16, {36, 0, 64}), 4);
  EXPECT_EQ(widest_vector(DType::f16, {10, 60}), 2);
  EXPECT_EQ(widest_vector(DType::f16, {3, 1}), 1);
}

TEST(CudaRows, VectorsMustFitAddressesAndStrides) {
  alignas(64) char memory[64];
  TensorView view(memory, DType::bf16, {2, 2, 64});
  EXPECT_TRUE(fits_vectors(view, 8));
  view.strides[0] = 136;
  EXPECT_TRUE(fits_vectors(view, 8));
  view.strides[0] = 132;
  EXPECT_FALSE(fits_vectors(view, 8));
  EXPECT_TRUE(fits_vectors(view, 4));
  view.strides[0] = 128;
  view.data = memory + 2;
  EXPECT_FALSE(fits_vectors(view, 8));
  EXPECT_TRUE(fits_vectors(view, 1));
  // Eight f32 are two accesses of 16 bytes.
  EXPECT_TRUE(fits_vectors(TensorView(memory + 16, DType::f32, {1, 8}), 8));
  EXPECT_TRUE(fits_vectors(TensorView(), 8)) << "what is not given";
}

TEST(CudaRows, FewTokensAreSharedByMoreWarps) {
  const Target target = Target::h200();
  const HeadRowSpec rows{.head_dim = 128, .rotated_dim = 128, .mode = RopeMode::neox, .vec = 8};
  ASSERT_EQ(rows.heads_at_once(), 4);
  EXPECT_EQ(RowGrid::of(8192, 40, rows, 0, 256, target).share_shift, 0);
  EXPECT_EQ(RowGrid::of(8192, 40, rows, 0, 256, target).num_ctas, 1024);
  EXPECT_EQ(RowGrid::of(8192, 40, rows, 2, 256, target).num_ctas, 4096);
  EXPECT_EQ(RowGrid::of(1, 40, rows, 0, 256, target).share_shift, 4) << "ten groups of heads";
  EXPECT_EQ(RowGrid::of(1, 4, rows, 2, 256, target).share_shift, 0) << "one group";
  EXPECT_THROW(RowGrid::of(int64_t{1} << 31, 4, rows, 0, 256, target), Error);
}

// Whatever the shape: units of two vectors cover a head once, and lanes never exceed a warp.
TEST(CudaRows, UnitsCoverAHead) {
  for (int head_dim : {1, 2, 7, 40, 64, 80, 112, 128, 192, 512, 1024}) {
    for (int rotated : {0, 2, 20, 32, 64, 128, 1024}) {
      if (rotated > head_dim) continue;
      HeadRowSpec rows{.head_dim = head_dim, .rotated_dim = rotated, .mode = RopeMode::neox};
      rows.vec = widest_vector(DType::bf16, {rotated / 2, head_dim - rotated});
      EXPECT_EQ(rows.rotated_units() * 2 * rows.vec, rotated);
      EXPECT_GE(rows.rest_units() * 2 * rows.vec, head_dim - rotated);
      EXPECT_LT((rows.rest_units() - 1) * 2 * rows.vec, head_dim - rotated);
      EXPECT_LE(rows.lanes() * rows.heads_at_once(), 32);
      EXPECT_GE(rows.passes() * 32, rows.units());
    }
  }
}

TEST(CudaRows, SpecsSayWhatAConfigNeeds) {
  const RopeWarpSpec rope = select_rope_warp(checked_config(
      RopeConfig{.num_qo_heads = 4, .head_dim = 80, .rope = {.mode = RopeMode::neox, .dim = 32}}));
  EXPECT_EQ(rope.rotated_dim, 32);
  EXPECT_EQ(rope.vec, 8);
  const AppendWarpSpec append = select_append_warp(checked_config(
      AppendConfig{.num_kv_heads = 1, .head_dim_qk = 64, .head_dim_vo = 512, .page_size = 16}));
  EXPECT_EQ(append.rotated_dim, 0);
  EXPECT_FALSE(append.has_q);
  EXPECT_EQ(append.value_rows().heads_at_once(), 1);
  const MergeWarpSpec merge =
      select_merge_warp(checked_config(MergeConfig{.num_heads = 8, .head_dim = 72}));
  EXPECT_EQ(merge.lanes(), 16) << "nine vectors";
  EXPECT_EQ(merge.vectors(), 1);
}

TEST(CudaRows, APoolOfThreadsIsRefused) {
  const ParallelFor pool{};
  EXPECT_NO_THROW(check_cuda_executor({}));
  EXPECT_THROW(check_cuda_executor({.parallel_for = &pool}), Error);
}

}  // namespace
}  // namespace weft
