// The kernels for CPUs as foreign functions that XLA calls. An empty array stands for an input that
// there is none of, or for an output that nobody wants.

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "attention_handlers.h"
#include "backward.h"
#include "forward.h"
#include "layer_norm_handlers.h"
#include "product_handlers.h"
#include "share.h"
#include "token_scores.h"
#include "vectors.h"
#include "words.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

using Floats = ffi::AnyBuffer;
using Result = ffi::Result<ffi::AnyBuffer>;

static const float* read(const Floats& array) {
  return array.element_count() ? array.typed_data<float>() : nullptr;
}

static float* write(Result& array) {
  return array->element_count() ? array->typed_data<float>() : nullptr;
}

// XLA takes fresh memory from the system for every run: in pages of 2 MB it costs a fifth less time.
static float* write_large(Result& array) {
  float* memory = write(array);
#if defined(__linux__)
  constexpr uintptr_t page = uintptr_t(1) << 21;
  const uintptr_t begin = (uintptr_t(memory) + page - 1) / page * page;
  const uintptr_t end = (uintptr_t(memory) + array->size_bytes()) / page * page;
  if (memory && begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
  return memory;
}

static Sizes sizes_of(const Floats& vectors, const Floats& hidden_bias, bool reverse) {
  const auto shape = vectors.dimensions();
  return {int(shape[0]), int(shape[1]), int(hidden_bias.dimensions()[1]), int(shape[2]), reverse};
}

static ffi::Error forward(Floats vectors, Floats mask, Floats valid, Floats pool, Floats input,
                          Floats hidden, Floats input_bias, Floats hidden_bias, Result states,
                          Result gates, Result highest, Result time, bool reverse) {
  const Sizes sizes = sizes_of(vectors, hidden_bias, reverse);
  const Weights weights{read(input), read(hidden), read(input_bias), read(hidden_bias)};
  const Inputs in{read(vectors), read(mask), read(valid), read(pool)};
  int* when = time->element_count() ? time->typed_data<int>() : nullptr;
  const Outputs out{write_large(states), write_large(gates), write(highest), when, nullptr};
  Forward<VectorInput>(sizes, weights, {sizes, weights, in}, in.valid, in.pool, out).run();
  return ffi::Error::Success();
}

// Both directions, each on a thread of its own where there are two: neither waits for the other.
static ffi::Error words_forward(ffi::ThreadPool pool, Floats ahead, Floats back, Floats ids,
                                Floats mask, Floats valid, Floats picked, Floats hidden,
                                Floats input_bias, Floats hidden_bias, Floats slopes,
                                Result highest, Result moments, int32_t threads) {
  const auto known = ahead.dimensions(), shape = ids.dimensions(), biases = hidden_bias.dimensions();
  const int steps = int(shape[0]), batch = int(shape[1]), units = int(biases[2]);
  auto run = [&](int direction) {
    auto own = [=](auto* array, size_t size) { return array ? array + direction * size : nullptr; };
    const size_t weight = size_t(3) * units * units, row = size_t(units) * batch;
    const Sizes sizes{steps, 0, units, batch, direction == 1};
    const Weights weights{nullptr, own(read(hidden), weight), own(read(input_bias), 3 * units),
                          own(read(hidden_bias), 3 * units)};
    const Words words{read(direction ? back : ahead), ids.typed_data<int>(), read(mask),
                      int(known[0]), int(known[1])};
    const Outputs out{nullptr, nullptr, own(write(highest), row), nullptr,
                      own(write(moments), size_t(3) * steps * batch), own(read(slopes), units)};
    Forward<WordInput>(sizes, weights, {sizes, words}, read(valid), read(picked), out).run();
  };
  share(pool, threads, 2, [] { return 0; }, [&](int, int direction) { run(direction); });
  return ffi::Error::Success();
}

static ffi::Error backward(Floats vectors, Floats mask, Floats valid, Floats input, Floats hidden,
                           Floats hidden_bias, Floats states, Floats gates, Floats each,
                           Floats highest, Floats time, Result d_input, Result d_hidden,
                           Result d_input_bias, Result d_hidden_bias, Result d_mask,
                           Result d_vectors, bool reverse) {
  const Sizes sizes = sizes_of(vectors, hidden_bias, reverse);
  const Weights weights{read(input), read(hidden), nullptr, nullptr};
  const Inputs in{read(vectors), read(mask), read(valid), nullptr};
  const int* when = time.element_count() ? time.typed_data<int>() : nullptr;
  const Tape tape{read(states), read(gates), read(each), read(highest), when};
  const Gradients out{write(d_input),       write(d_hidden), write(d_input_bias),
                      write(d_hidden_bias), write(d_mask),   write(d_vectors)};
  Backward(sizes, weights, in, tape, out).run();
  return ffi::Error::Success();
}

static TokenScores token_scores(const Floats& ahead, const Floats& back, const Floats& weight,
                                const Floats& scale, const Floats& offset, const Floats& bits,
                                const Floats& row, float rate, uint32_t threshold) {
  const auto shape = ahead.dimensions();
  const TokenSizes sizes{int(shape[0]), int(shape[1]), int(shape[2])};
  const Dropout dropout{bits.typed_data<uint32_t>(), row.typed_data<int>(), rate, threshold};
  return TokenScores(sizes, read(ahead), read(back), {read(weight), read(scale), read(offset)},
                     dropout);
}

static ffi::Error scores_forward(Floats ahead, Floats back, Floats weight, Floats scale,
                                 Floats offset, Floats bits, Floats row, Result scores,
                                 Result mean, Result root, Result slope, Result normed, float rate,
                                 uint32_t threshold) {
  token_scores(ahead, back, weight, scale, offset, bits, row, rate, threshold)
      .forward(write(scores), {write(mean), write(root), write(slope), write(normed)});
  return ffi::Error::Success();
}

static ffi::Error scores_backward(Floats ahead, Floats back, Floats weight, Floats scale,
                                  Floats offset, Floats bits, Floats row, Floats mean, Floats root,
                                  Floats slope, Floats normed, Floats d_scores, Result d_ahead,
                                  Result d_back, Result d_slopes, Result d_offsets, float rate,
                                  uint32_t threshold) {
  auto at = [](const Floats& array) { return array.typed_data<float>(); };
  token_scores(ahead, back, weight, scale, offset, bits, row, rate, threshold)
      .backward(read(d_scores), {at(mean), at(root), at(slope), at(normed)}, write_large(d_ahead),
                write_large(d_back), write(d_slopes), write(d_offsets));
  return ffi::Error::Success();
}

// Texts in a tile: the tape of a batch has room for whole tiles.
extern "C" int n2r_gru_columns() { return kColumns; }

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_gru_forward, forward,
                              ffi::Ffi::Bind()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Ret<Floats>().Ret<Floats>().Ret<Floats>().Ret<Floats>()
                                  .Attr<bool>("reverse"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_gru_words, words_forward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>()
                                  .Ret<Floats>().Ret<Floats>()
                                  .Attr<int32_t>("threads"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_gru_backward, backward,
                              ffi::Ffi::Bind()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Ret<Floats>().Ret<Floats>().Ret<Floats>().Ret<Floats>()
                                  .Ret<Floats>().Ret<Floats>()
                                  .Attr<bool>("reverse"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_token_scores_forward, scores_forward,
                              ffi::Ffi::Bind()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Ret<Floats>().Ret<Floats>().Ret<Floats>().Ret<Floats>()
                                  .Ret<Floats>()
                                  .Attr<float>("rate").Attr<uint32_t>("threshold"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_token_scores_backward, scores_backward,
                              ffi::Ffi::Bind()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Ret<Floats>().Ret<Floats>().Ret<Floats>().Ret<Floats>()
                                  .Attr<float>("rate").Attr<uint32_t>("threshold"));
