// SPDX-License-Identifier: Apache-2.0
// topk on a GPU: which kernels, and one launch of a cluster a row.
#include "src/base/check.h"
#include "src/cuda/row_slices.h"
#include "src/ops/topk/kernel.h"
#include "src/ops/topk/rooms.h"

namespace weft {
namespace {

/// Slices of a row that is kept where it fits the shared memory of a cluster, else of one that
/// passes by and is read as often as its search needs.
RowSlices slices_of(int length, const Target& target) {
  const RowSlices kept = spread_slices(length, target);
  if (SearchSmem::of(kept).bytes <= target.smem_per_sm - 1024) {
    return select_slices("max_len", length, target);
  }
  return stream_slices(length, kept.cluster);
}

/// Whether many of a row are wanted: they come from lists.
bool lists(const TopkConfig& config, const Target& target) {
  return config.k > kMostFloorTokens && target.arch >= 90;
}

/// Rows for which a kernel that lists is the fastest. Those that have an SM to themselves come
/// first for as long as all their clusters run at once: two CTAs on one SM take 20 % longer than on
/// two, and 16 clusters of 8 or 32 of 4 do not find room on 132 SMs.
int most_rows(const RowSlices& slices, const Target& target) {
  if (slices.ctas_per_sm == 2) return target.num_sms * 2 / slices.cluster;
  return target.num_sms / slices.cluster / (slices.cluster > 2 ? 2 : 1);
}

std::string per_row(const RowSlices& slices) {
  return describe(slices) + (slices.kept ? "" : ", none kept");
}

}  // namespace

namespace detail {

struct TopkCuda {
  TopkCuda(const TopkConfig& config, const CudaBackend& cuda)
      : kernels(cuda, select_topk_row(config, cuda.target()), config.max_len,
                config.k <= kMostFloorTokens),
        state(cuda.state().device, {}) {
    if (!lists(config, cuda.target())) return;
    CudaState& cuda_state = cuda.state();
    std::vector<KernelRequest> requests;
    for (const TopkRowSpec& spec : select_topk_lists(config, cuda.target())) {
      requests.push_back(kernel_request(spec, cuda.target().arch));
      slices.push_back(spec.slices);
    }
    for (const KernelImage* image : cuda_state.store.prepare(requests)) {
      listing.push_back(&cuda_state.device.load(*image));
    }
  }

  /// The last resort is the one of fewest CTAs a row.
  size_t choice(int64_t n) const {
    size_t i = 0;
    while (i + 1 < slices.size() && n > most_rows(slices[i], kernels.device().target())) ++i;
    return i;
  }

  LongRowOperator<TopkRowSpec> kernels;  // first: it holds the backend
  RowState state;
  std::vector<const CudaKernel*> listing;  // for many of a row
  std::vector<RowSlices> slices;           // of each, most CTAs a row first
};

}  // namespace detail

TopkRowSpec select_topk_row(const TopkConfig& c, const Target& target) {
  TopkRowSpec spec;
  spec.dtype = c.dtype;
  spec.sorted = c.sorted;
  spec.vec = lists(c, target) ? 1 : 4;
  spec.slices = slices_of(c.max_len, target);
  return spec;
}

std::vector<TopkRowSpec> select_topk_lists(const TopkConfig& c, const Target& target) {
  std::vector<TopkRowSpec> specs;
  if (!lists(c, target)) return specs;
  struct Deal {
    int cluster, ctas_per_sm;
  };
  for (const Deal& deal : {Deal{8, 1}, Deal{4, 1}, Deal{2, 1}, Deal{2, 2}, Deal{1, 2}}) {
    // Half of an SM's registers do not hold what two CTAs that sort need.
    if (c.sorted && deal.cluster == 2 && deal.ctas_per_sm == 2) continue;
    TopkRowSpec spec;
    spec.dtype = c.dtype;
    spec.sorted = c.sorted;
    spec.vec = 4;
    spec.list = topk_list(c.k);
    spec.slices = stream_slices(c.max_len, deal.cluster);
    spec.slices.ctas_per_sm = deal.ctas_per_sm;
    if (spec.slices.slice <= kMostListedSlice) specs.push_back(spec);
  }
  return specs;
}

std::shared_ptr<const detail::TopkCuda> prepare_topk_cuda(const TopkConfig& config,
                                                          const CudaBackend& backend) {
  return std::make_shared<const detail::TopkCuda>(config, backend);
}

void run_topk_cuda(const detail::TopkCuda& cuda, const TopkConfig& config, TopkParams p, bool wide,
                   const Executor& executor) {
  p.fault = config.checked ? cuda.state.fault() : nullptr;
  if (!wide || cuda.listing.empty()) return cuda.kernels.run(p.n, wide, true, executor, p);
  const size_t i = cuda.choice(p.n);
  launch_clusters(cuda.kernels.device(), *cuda.listing[i], cuda.slices[i].cluster, p.n, executor,
                  p);
}

int topk_vec(const detail::TopkCuda& cuda) {
  return cuda.listing.empty() ? cuda.kernels.wide_spec.vec : 4;
}

void check_topk_cuda(const detail::TopkCuda& cuda, const Executor& executor) {
  cuda.state.throw_fault(executor.stream);
}

std::string explain_topk_cuda(const detail::TopkCuda& cuda) {
  const Target& target = cuda.kernels.device().target();
  const bool streams = cuda.kernels.streams[0] != nullptr;
  std::string text = cuda.kernels.explain(per_row(cuda.kernels.wide_spec.slices).c_str()) +
                     (streams ? describe_streams("rows of whole accesses", target) : "");
  for (size_t i = 0; i < cuda.slices.size(); ++i) {
    text += (i == 0 ? "rows of whole accesses, read once past a floor from a sample: " : ", ") +
            std::to_string(cuda.slices[i].cluster) + " CTAs a row";
    if (i + 1 < cuda.slices.size()) {
      text += " up to " + std::to_string(most_rows(cuda.slices[i], target)) + " rows";
    }
  }
  return text + (cuda.slices.empty() ? "" : "\n");
}

}  // namespace weft
