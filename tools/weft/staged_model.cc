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
  copy.bytes.resize(bytes_of(tensor));
  copy.view = tensor;
  copy.view.data = copy.bytes.data();
  copy.view.device = {};
  return copy.view;
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
  memory_.upload(t.q.data, host.q.data, q_.bytes.size());
  memory_.upload(t.k.data, host.k.data, k_.bytes.size());
  memory_.upload(t.v.data, host.v.data, v_.bytes.size());
  options.alibi_slopes = on_device(alibi_slopes_, options.alibi_slopes);
  options.sink = on_device(sink_, options.sink);
  return options;
}

void StagedModel::after_attention(int layer, const engine::StepView& view,
                                  const engine::LayerTensors& t) {
  engine::LayerTensors host = t;
  host.o = on_host(o_, t.o), host.lse = on_host(lse_, t.lse);
  memory_.download(o_.bytes.data(), t.o.data, o_.bytes.size());
  memory_.download(lse_.bytes.data(), t.lse.data, lse_.bytes.size());
  model_.after_attention(layer, view, host);
}

}  // namespace weft::cli
