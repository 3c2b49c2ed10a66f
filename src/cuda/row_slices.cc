// SPDX-License-Identifier: Apache-2.0
// See row_slices.h.
#include "src/cuda/row_slices.h"

#include "kernels/sampling/mass.h"

namespace weft {
namespace {

// Values a CTA keeps where the cluster may still grow: 64 KB, so that an SM holds two CTAs and one
// loads while the other searches.
constexpr int kMostOfCta = 16384;
constexpr int kNumThreads = 512;

// Shared memory a CTA may ask for (CUDA C++ Programming Guide, compute capabilities).
int most_smem(int arch) {
  if (arch == 80) return 163 * 1024;
  if (arch == 89 || arch == 120) return 99 * 1024;
  return 227 * 1024;
}

}  // namespace

RowSlices select_slices(const char* argument, int length, const Target& target) {
  RowSlices slices = spread_slices(length, target);
  const int bytes = SearchSmem::of(slices).bytes;
  if (bytes > most_smem(target.arch)) {
    fail(ErrorKind::unsupported, argument,
         "a row that fits the shared memory of " + std::to_string(slices.cluster) + " CTAs",
         std::to_string(length));
  }
  slices.ctas_per_sm = 2 * (bytes + 1024) > most_smem(target.arch) + 1024 ? 1 : 2;
  return slices;
}

RowSlices spread_slices(int length, const Target& target) {
  return RowSlices::of(length, target.arch >= 90 ? kMostOfCta : kMaxVocab, kNumThreads);
}

RowSlices stream_slices(int length, int cluster) {
  RowSlices slices;
  slices.cluster = cluster;
  slices.num_threads = kNumThreads;
  slices.ctas_per_sm = 2;
  slices.slice = round_up(ceil_div(length, cluster), kNumThreads * 4);
  slices.kept = false;
  return slices;
}

std::array<int, 3> stream_rows(const Target& target) {
  return {target.num_sms / 8 + 1, target.num_sms / 4 + 1, target.num_sms + 1};
}

int stream_choice(int64_t n, const Target& target) {
  int choice = -1;
  for (const int rows : stream_rows(target)) choice += n >= rows;
  return choice;
}

std::string describe(const RowSlices& slices) {
  return "a cluster of " + std::to_string(slices.cluster) + " CTAs a row, " +
         std::to_string(slices.slice) + " values in each";
}

std::string describe_streams(const char* when, const Target& target) {
  if (target.arch < 90) return "";
  std::string text = std::string(when) + ":";
  const auto rows = stream_rows(target);
  for (size_t i = 0; i < rows.size(); ++i) {
    text += " from " + std::to_string(rows[i]) + (i == 0 ? " rows" : "") + " on " +
            std::to_string(kStreamClusters[i]) + (i == 0 ? " CTAs a row," : ",");
  }
  return text + " and none is kept\n";
}

}  // namespace weft
