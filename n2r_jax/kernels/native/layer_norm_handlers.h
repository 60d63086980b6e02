// LayerNorm of a sum as foreign functions that XLA calls.

#pragma once

#include "layer_norm.h"
#include "share.h"
#include "xla/ffi/api/ffi.h"

namespace layer_norm {

namespace ffi = xla::ffi;

using Array = ffi::AnyBuffer;
using Made = ffi::Result<ffi::AnyBuffer>;

static Inputs inputs_of(const Array& x, const Array& added, const Array& scale,
                        const Array& offset, const Array& seed, const Array& text, float rate,
                        uint32_t threshold, float epsilon) {
  const float* also = added.element_count() ? added.typed_data<float>() : nullptr;
  return {x.typed_data<float>(),         also,
          scale.typed_data<float>(),     offset.typed_data<float>(),
          seed.typed_data<uint32_t>(),   text.typed_data<int>(),
          rate,                          epsilon,
          threshold};
}

static Sizes sizes_of(const Array& x) {
  const auto shape = x.dimensions();  // [B, P, H]
  return {int(shape[0] * shape[1]), int(shape[1]), int(shape[2])};
}

// The rows are cut into `parts`, whatever the number of threads: so every sum has one order.
static ffi::Error forward(ffi::ThreadPool pool, Array x, Array added, Array scale, Array offset,
                          Array seed, Array text, Made out, Made mean, Made root, float rate,
                          uint32_t threshold, float epsilon, int32_t parts, int32_t threads) {
  const Sizes sizes = sizes_of(x);
  const Inputs in = inputs_of(x, added, scale, offset, seed, text, rate, threshold, epsilon);
  float *to = out->typed_data<float>(), *means = mean->typed_data<float>();
  float* roots = root->typed_data<float>();
  share(pool, threads, parts, [=] { return Rows(sizes, in); }, [=](Rows& rows, int part) {
    const int64_t end = int64_t(sizes.rows) * (part + 1) / parts;
    for (int64_t row = int64_t(sizes.rows) * part / parts; row < end; ++row) {
      rows.forward(int(row), to, means, roots);
    }
  });
  return ffi::Error::Success();
}

static ffi::Error backward(ffi::ThreadPool pool, Array x, Array added, Array scale, Array offset,
                           Array seed, Array text, Array mean, Array root, Array d_out, Made d_x,
                           Made d_added, Made d_scale, Made d_offset, float rate,
                           uint32_t threshold, float epsilon, int32_t parts, int32_t threads) {
  const Sizes sizes = sizes_of(x);
  const Inputs in = inputs_of(x, added, scale, offset, seed, text, rate, threshold, epsilon);
  const float *arriving = d_out.typed_data<float>(), *means = mean.typed_data<float>();
  const float* roots = root.typed_data<float>();
  float *to = d_x->typed_data<float>(), *scales = d_scale->typed_data<float>();
  float* offsets = d_offset->typed_data<float>();
  float* also = d_added->element_count() ? d_added->typed_data<float>() : nullptr;
  share(pool, threads, parts, [=] { return Rows(sizes, in); }, [=](Rows& rows, int part) {
    float *of_scale = scales + size_t(part) * sizes.features;
    float *of_offset = offsets + size_t(part) * sizes.features;
    std::fill_n(of_scale, sizes.features, 0.0f);
    std::fill_n(of_offset, sizes.features, 0.0f);
    const int64_t end = int64_t(sizes.rows) * (part + 1) / parts;
    for (int64_t row = int64_t(sizes.rows) * part / parts; row < end; ++row) {
      rows.backward(int(row), arriving, means[row], roots[row], to, also, of_scale, of_offset);
    }
  });
  return ffi::Error::Success();
}

}  // namespace layer_norm

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_layer_norm_forward, layer_norm::forward,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<layer_norm::Array>().Arg<layer_norm::Array>()
                                  .Arg<layer_norm::Array>().Arg<layer_norm::Array>()
                                  .Arg<layer_norm::Array>().Arg<layer_norm::Array>()
                                  .Ret<layer_norm::Array>().Ret<layer_norm::Array>()
                                  .Ret<layer_norm::Array>()
                                  .Attr<float>("rate").Attr<uint32_t>("threshold")
                                  .Attr<float>("epsilon").Attr<int32_t>("parts")
                                  .Attr<int32_t>("threads"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_layer_norm_backward, layer_norm::backward,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<layer_norm::Array>().Arg<layer_norm::Array>()
                                  .Arg<layer_norm::Array>().Arg<layer_norm::Array>()
                                  .Arg<layer_norm::Array>().Arg<layer_norm::Array>()
                                  .Arg<layer_norm::Array>().Arg<layer_norm::Array>()
                                  .Arg<layer_norm::Array>()
                                  .Ret<layer_norm::Array>().Ret<layer_norm::Array>()
                                  .Ret<layer_norm::Array>().Ret<layer_norm::Array>()
                                  .Attr<float>("rate").Attr<uint32_t>("threshold")
                                  .Attr<float>("epsilon").Attr<int32_t>("parts")
                                  .Attr<int32_t>("threads"));
