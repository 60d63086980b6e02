// C = A B + bias by the BLAS whose sgemm Python has named, a block of C for each thread.

#pragma once

#include <algorithm>

#include "share.h"
#include "xla/ffi/api/ffi.h"

namespace product {

namespace ffi = xla::ffi;

using Array = ffi::AnyBuffer;
using Made = ffi::Result<ffi::AnyBuffer>;

// BLAS's own interface: matrices by columns, every argument by its address.
using Sgemm = void (*)(const char* transposes_a, const char* transposes_b, const int* m,
                       const int* n, const int* k, const float* alpha, const float* a,
                       const int* lda, const float* b, const int* ldb, const float* beta, float* c,
                       const int* ldc);

static Sgemm sgemm = nullptr;

// A matrix by rows that stands as it is or as its transpose.
struct Matrix {
  const float* data;
  int stored_columns;
  bool transposed;

  const char* kind() const { return transposed ? "T" : "N"; }
  const float* from_row(int i) const { return data + (transposed ? i : size_t(i) * stored_columns); }
  const float* from_column(int j) const {
    return data + (transposed ? size_t(j) * stored_columns : j);
  }
};

struct Block {
  int row, rows, column, columns;
};

// A block of C [.., width]. Read by columns, what stands by rows is its transpose: C' = B' A'.
static void multiply(const Matrix& left, const Matrix& right, const float* bias, int depth,
                     float* out, int width, const Block& block) {
  float* to = out + size_t(block.row) * width + block.column;
  for (int i = 0; bias && i < block.rows; ++i) {
    std::copy_n(bias + block.column, block.columns, to + size_t(i) * width);
  }
  const float one = 1.0f, kept = bias ? 1.0f : 0.0f;
  sgemm(right.kind(), left.kind(), &block.columns, &block.rows, &depth, &one,
        right.from_column(block.column), &right.stored_columns, left.from_row(block.row),
        &left.stored_columns, &kept, to, &width);
}

static ffi::Error run(ffi::ThreadPool pool, Array left, Array right, Array bias, Made out,
                      bool transposes_left, bool transposes_right, int32_t threads) {
  if (!sgemm) return ffi::Error(ffi::ErrorCode::kFailedPrecondition, "no BLAS has been named");
  const Matrix a{left.typed_data<float>(), int(left.dimensions()[1]), transposes_left};
  const Matrix b{right.typed_data<float>(), int(right.dimensions()[1]), transposes_right};
  const int rows = int(out->dimensions()[0]), columns = int(out->dimensions()[1]);
  const int depth = int(left.dimensions()[transposes_left ? 0 : 1]);
  const float* added = bias.element_count() ? bias.typed_data<float>() : nullptr;
  float* to = out->typed_data<float>();
  // Cut across the longer side: every block packs the whole of the other one.
  const bool by_rows = rows >= columns;
  share(pool, threads, threads, [] { return 0; }, [=](int, int part) {
    const int all = by_rows ? rows : columns;
    const int begin = int64_t(all) * part / threads, end = int64_t(all) * (part + 1) / threads;
    const Block block = by_rows ? Block{begin, end - begin, 0, columns}
                                : Block{0, rows, begin, end - begin};
    multiply(a, b, added, depth, to, columns, block);
  });
  return ffi::Error::Success();
}

}  // namespace product

extern "C" void n2r_use_sgemm(void* sgemm) { product::sgemm = product::Sgemm(sgemm); }

XLA_FFI_DEFINE_HANDLER_SYMBOL(n2r_product, product::run,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<product::Array>().Arg<product::Array>()
                                  .Arg<product::Array>().Ret<product::Array>()
                                  .Attr<bool>("transposes_left").Attr<bool>("transposes_right")
                                  .Attr<int32_t>("threads"));
