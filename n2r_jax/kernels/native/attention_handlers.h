// Attention as foreign functions that XLA calls; its threads share the heads of a batch.

#pragma once

#include "attention.h"
#include "share.h"
#include "xla/ffi/api/ffi.h"

namespace attention {

namespace ffi = xla::ffi;

using Array = ffi::AnyBuffer;
using Made = ffi::Result<ffi::AnyBuffer>;

static Sizes sizes_of(const Array& queries, const Array& keys, int window) {
  const auto q = queries.dimensions(), k = keys.dimensions();
  return {int(q[0]), int(q[1]), int(k[1]), int(q[2]), int(q[3]), window};
}

static Inputs inputs_of(const Array& queries, const Array& keys, const Array& values,
                        const Array& weight, const Array& seed, const Array& row, float rate,
                        uint32_t threshold) {
  auto floats = [](const Array& array) { return array.typed_data<float>(); };
  return {floats(queries), floats(keys), floats(values), floats(weight),
          seed.typed_data<uint32_t>(), row.typed_data<int>(), rate, threshold};
}

static ffi::Error forward(ffi::ThreadPool pool, Array queries, Array keys, Array values,
                          Array weight, Array seed, Array row, Made out, Made highest, Made total,
                          float rate, uint32_t threshold, int32_t window, int32_t threads) {
  const Sizes sizes = sizes_of(queries, keys, window);
  const Inputs in = inputs_of(queries, keys, values, weight, seed, row, rate, threshold);
  const Tape tape{out->typed_data<float>(), highest->typed_data<float>(),
                  total->typed_data<float>()};
  share(pool, threads, sizes.tasks(), [=] { return Task(sizes, in, false); },
        [=](Task& worker, int task) { worker.forward(task, tape); });
  return ffi::Error::Success();
}

static ffi::Error backward(ffi::ThreadPool pool, Array queries, Array keys, Array values,
                           Array weight, Array seed, Array row, Array out, Array highest,
                           Array total, Array d_out, Made d_queries, Made d_keys, Made d_values,
                           Made d_weight, float rate, uint32_t threshold, int32_t window,
                           int32_t threads) {
  const Sizes sizes = sizes_of(queries, keys, window);
  const Inputs in = inputs_of(queries, keys, values, weight, seed, row, rate, threshold);
  const Tape tape{out.typed_data<float>(), highest.typed_data<float>(), total.typed_data<float>()};
  const Gradients gradients{d_out.typed_data<float>(), d_queries->typed_data<float>(),
                            d_keys->typed_data<float>(), d_values->typed_data<float>(),
                            d_weight->typed_data<float>()};
  share(pool, threads, sizes.tasks(), [=] { return Task(sizes, in, true); },
        [=](Task& worker, int task) { worker.backward(task, tape, gradients); });
  return ffi::Error::Success();
}

}  // namespace attention

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_attention_forward, attention::forward,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<attention::Array>().Arg<attention::Array>()
                                  .Arg<attention::Array>().Arg<attention::Array>()
                                  .Arg<attention::Array>().Arg<attention::Array>()
                                  .Ret<attention::Array>().Ret<attention::Array>()
                                  .Ret<attention::Array>()
                                  .Attr<float>("rate").Attr<uint32_t>("threshold")
                                  .Attr<int32_t>("window").Attr<int32_t>("threads"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_attention_backward, attention::backward,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<attention::Array>().Arg<attention::Array>()
                                  .Arg<attention::Array>().Arg<attention::Array>()
                                  .Arg<attention::Array>().Arg<attention::Array>()
                                  .Arg<attention::Array>().Arg<attention::Array>()
                                  .Arg<attention::Array>().Arg<attention::Array>()
                                  .Ret<attention::Array>().Ret<attention::Array>()
                                  .Ret<attention::Array>().Ret<attention::Array>()
                                  .Attr<float>("rate").Attr<uint32_t>("threshold")
                                  .Attr<int32_t>("window").Attr<int32_t>("threads"));
