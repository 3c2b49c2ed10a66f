// SPDX-License-Identifier: Apache-2.0
// The words of kernels/tile and kernels/ptx on a GPU, one tile at a time: what the copy engine
// writes under each swizzle, byte for byte, and a product through each layout against f64.
#include <cmath>
#include <cstring>
#include <random>

#include "kernels/tile/probe_spec.h"
#include "src/cuda/launch.h"
#include "src/cuda/tensor_map.h"
#include "src/jit/kernel_store.h"
#include "tests/gpu/gpu.h"
#include "tests/oracle/numbers.h"

namespace weft {

template <class Visit>
void for_each_field(const TileProbeSpec& s, Visit&& visit) {
  visit("dtype", s.dtype);
  visit("columns", s.columns);
  visit("depth", s.depth);
  visit("span", s.span);
  visit("b_across", s.b_across);
  visit("a_in_registers", s.a_in_registers);
  visit("b_banded", s.b_banded);
}

template <>
struct KernelTraits<TileProbeSpec> {
  using Params = TileProbeParams;
  static constexpr const char* name = "tile_probe";
  static constexpr const char* header = "kernels/tile/probe.cuh";
  static constexpr const char* spec = "weft::TileProbeSpec";
  static constexpr const char* params = "weft::TileProbeParams";
  static constexpr const char* smem = "weft::TileProbeSmem";
  static constexpr const char* function = "weft::probe_tile";
  static KernelShape shape(const TileProbeSpec& s) { return {128, 1, TileProbeSmem::of(s).bytes}; }
};

namespace test {
namespace {

// A matrix of 16-bit floats, on the host and on the device.
class Matrix {
 public:
  Matrix(const CudaDevice& device, DType dtype, int rows, int columns, std::mt19937& engine)
      : dtype_(dtype), rows_(rows), columns_(columns), bits_(count()), device_(device, count()) {
    std::normal_distribution<double> normal;
    char* const data = reinterpret_cast<char*>(bits_.data());
    for (size_t i = 0; i < count(); ++i) {
      oracle::encode(data, dtype, static_cast<int>(i), normal(engine));
    }
    device_.write(bits_, nullptr);
  }

  TensorMap map(const CudaDevice& device, const SwizzledTile& tile) const {
    const ContextScope current(device);
    TensorMapShape shape;
    shape.data = device_.data();
    shape.dtype = dtype_;
    shape.rank = 2;
    shape.sizes = {static_cast<uint64_t>(columns_), static_cast<uint64_t>(rows_)};
    shape.strides = {0, static_cast<uint64_t>(columns_) * 2};
    shape.box = {static_cast<uint32_t>(tile.slice_columns()), static_cast<uint32_t>(tile.rows)};
    const int swizzle = tile.span == 128 ? 3 : tile.span == 64 ? 2 : tile.span == 32 ? 1 : 0;
    shape.swizzle = static_cast<Swizzle>(swizzle);
    if (tile.banded) {
      const uint64_t row = shape.strides[1];
      const auto slices = static_cast<uint32_t>(tile.num_slices());
      const uint32_t bands = shape.box[1] / 8;
      shape.rank = 5;
      shape.sizes = {shape.box[0], 8, slices, bands, 1};
      shape.strides = {0, row, 2 * shape.box[0], 8 * row, 16};
      shape.box = {shape.box[0], 8, slices, bands, 1};
    }
    return encode_tensor_map(device.driver(), shape);
  }

  size_t count() const { return static_cast<size_t>(rows_) * static_cast<size_t>(columns_); }
  uint16_t bits(int row, int column) const {
    return bits_[static_cast<size_t>(row) * static_cast<size_t>(columns_) +
                 static_cast<size_t>(column)];
  }
  double at(int row, int column) const {
    return oracle::decode(reinterpret_cast<const char*>(bits_.data()), dtype_,
                          row * columns_ + column);
  }

 private:
  DType dtype_;
  int rows_, columns_;
  std::vector<uint16_t> bits_;
  DeviceArray<uint16_t> device_;
};

class TilesOnGpu : public GpuTest {
 protected:
  void probe(const TileProbeSpec& spec);

  // Outlives the device, which knows a loaded image by its address.
  static KernelStore& store() {
    static KernelStore store(JitOptions{.cache_dir = ""});
    return store;
  }
  std::mt19937 engine_{7};
};

std::string describe(const TileProbeSpec& s) {
  return std::string(name_of(s.dtype)) + " n" + std::to_string(s.columns) + " k" +
         std::to_string(s.depth) + " span " + std::to_string(s.span) +
         (s.b_across ? " across" : " along") + (s.a_in_registers ? " registers" : " smem") +
         (s.b_banded ? " banded" : "");
}

void TilesOnGpu::probe(const TileProbeSpec& spec) {
  SCOPED_TRACE(describe(spec));
  const SwizzledTile b_tile = spec.b_tile();
  const Matrix a(device(), spec.dtype, 64, spec.depth, engine_);
  const Matrix b(device(), spec.dtype, b_tile.rows, b_tile.columns, engine_);
  DeviceArray<float> d(device(), size_t{64} * static_cast<size_t>(spec.columns));
  DeviceArray<uint16_t> image(device(), static_cast<size_t>(b_tile.bytes() / 2));
  TileProbeParams params;
  params.a_map = a.map(device(), spec.a_tile());
  params.b_map = b.map(device(), b_tile);
  params.d = d.data();
  params.b_image = image.data();
  const CudaKernel& kernel = device().load(store().get(spec, device().target().arch));
  launch(device(), kernel, LaunchShape{}, nullptr, params);
  const std::vector<float> got = d.read(d.size(), nullptr);
  const std::vector<uint16_t> bytes = image.read(image.size(), nullptr);
  for (int row = 0; row < b_tile.rows; ++row) {
    for (int column = 0; column < b_tile.columns; ++column) {
      const auto at = static_cast<size_t>(b_tile.at(row, column) / 2);
      ASSERT_EQ(bytes[at], b.bits(row, column)) << "B at row " << row << " column " << column;
    }
  }
  for (int row = 0; row < 64; ++row) {
    for (int column = 0; column < spec.columns; ++column) {
      double exact = 0;
      for (int k = 0; k < spec.depth; ++k) {
        exact += a.at(row, k) * (spec.b_across ? b.at(k, column) : b.at(column, k));
      }
      ASSERT_NEAR(got[static_cast<size_t>(row * spec.columns + column)], exact, 1e-4)
          << "D at row " << row << " column " << column;
    }
  }
}

TEST_F(TilesOnGpu, EverySwizzleAndLayout) {
  for (int span : {32, 64, 128}) {
    for (bool across : {false, true}) {
      for (bool in_registers : {false, true}) {
        probe({DType::bf16, 64, 128, span, across, in_registers});
        probe({DType::f16, 128, 64, span, across, in_registers});
        probe({DType::bf16, 128, 128, span, across, in_registers, true});
        probe({DType::f16, 64, 256, span, across, in_registers, true});
      }
    }
  }
}

TEST_F(TilesOnGpu, EveryShape) {
  for (int columns : {64, 80, 96, 128, 192, 256}) {
    probe({DType::bf16, columns, 64, 128, false, false});
    probe({DType::f16, columns, 64, 128, false, false});
    probe({DType::bf16, columns, 64, 128, true, true});
    probe({DType::f16, columns, 64, 128, true, true});
  }
}

}  // namespace
}  // namespace test
}  // namespace weft
