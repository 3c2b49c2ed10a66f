// SPDX-License-Identifier: Apache-2.0
// See staged_model.h.
#include "tools/weft/staged_model.h"

namespace weft::cli {
namespace {

size_t bytes_of(const TensorView& dense) {
  return static_cast<size_t>(dense.numel() * size_of(dense.dtype));
}

}  // namespace

TensorView StagedModel::on_host(Copy& copy, const TensorView& tensor) {
  copy.resize(bytes_of(tensor));
  TensorView view = tensor;
  view.data = copy.data();
  view.device = {};
  return view;
}

TensorView StagedModel::on_device(engine::Buffer& buffer, const TensorView& host) {
  if (!host.given()) return host;
  if (buffer.bytes() < bytes_of(host)) {
    buffer = engine::Buffer(memory_, host.dtype, {host.numel()});
  }
  memory_.upload(buffer.view().data, host.data, bytes_of(host));
  TensorView view = host;
  view.data = buffer.view().data;
  view.device = memory_.device();
  return view;
}

engine::LayerOptions StagedModel::before_attention(int layer, const engine::StepView& view,
                                                   const engine::LayerTensors& t) {
  engine::LayerTensors host = t;
  host.q = on_host(q_, t.q), host.k = on_host(k_, t.k), host.v = on_host(v_, t.v);
  engine::LayerOptions options = model_.before_attention(layer, view, host);
  memory_.upload(t.q.data, host.q.data, q_.size());
  memory_.upload(t.k.data, host.k.data, k_.size());
  memory_.upload(t.v.data, host.v.data, v_.size());
  options.alibi_slopes = on_device(alibi_slopes_, options.alibi_slopes);
  options.sink = on_device(sink_, options.sink);
  return options;
}

void StagedModel::after_attention(int layer, const engine::StepView& view,
                                  const engine::LayerTensors& t) {
  engine::LayerTensors host = t;
  host.o = on_host(o_, t.o), host.lse = on_host(lse_, t.lse);
  memory_.download(o_.data(), t.o.data, o_.size());
  memory_.download(lse_.data(), t.lse.data, lse_.size());
  model_.after_attention(layer, view, host);
}

}  // namespace weft::cli
