// What attention is made of besides `tiles.h`: matrix products of tiles, e^x, packed matrices.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "tiles.h"
#include "token_scores.h"

INLINE int round_up(int count, int size) { return blocks(count, size) * size; }

INLINE Vector lesser(Vector a, Vector b) { return a < b ? a : b; }
INLINE Vector greater(Vector a, Vector b) { return a > b ? a : b; }

// e^x for x <= 88 to 2 ulp, and 0 where it is less than 1e-38: 2^n e^r with |r| <= ln 2 / 2, and
// Taylor's polynomial of e^r. Adding 1.5 * 2^23 rounds to a whole number, left in the low bits.
INLINE Vector exponential(Vector x) {
  constexpr float kRound = 12582912.0f, kLeast = -87.0f;
  const Vector bounded = greater(x, fill(kLeast));
  const Vector shifted = bounded * 1.44269504088896341f + kRound;
  const Vector n = shifted - kRound;
  const Vector r = (bounded - n * 0.693145751953125f) - n * 1.42860682030941723e-6f;
  Vector p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  Bits whole, power;
  std::memcpy(&whole, &shifted, sizeof whole);
  std::memcpy(&power, &p, sizeof power);
  power += whole << 23;
  std::memcpy(&p, &power, sizeof p);
  return x < kLeast ? Vector{} : p;
}

// The left side of a product: element (i, k) stands at data[i * row + k * step].
struct Left {
  const float* data;
  ptrdiff_t row, step;
};

// c[i][j] = sum over k of left(i, k) * panel[k][j], or += it, for kRows rows and kColumns columns.
template <bool kAdd>
ALONE void multiply_tile(Left left, const float* panel, int depth, float* c, ptrdiff_t c_row) {
  Vector sums[kRows][kVectors] = {};
  const float* a = left.data;
  for (int k = 0; k < depth; ++k, a += left.step, panel += kColumns) {
    const Vector first = load(panel), second = load(panel + kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      sums[i][0] += a[i * left.row] * first;
      sums[i][1] += a[i * left.row] * second;
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    float* to = c + i * c_row;
    store(to, kAdd ? load(to) + sums[i][0] : sums[i][0]);
    store(to + kLanes, kAdd ? load(to + kLanes) + sums[i][1] : sums[i][1]);
  }
}

// c[rows][columns] = left * right, or += it: whole tiles, the right side as panels of kColumns.
template <bool kAdd>
void multiply_tiles(Left left, const float* right, int depth, float* c, ptrdiff_t c_row, int rows,
                    int columns) {
  for (int j = 0; j < columns; j += kColumns, right += size_t(depth) * kColumns) {
    for (int i = 0; i < rows; i += kRows) {
      const Left tile{left.data + i * left.row, left.row, left.step};
      multiply_tile<kAdd>(tile, right, depth, c + i * c_row + j, c_row);
    }
  }
}

// The pieces of one head in an array [B, pieces, N, D].
template <typename Float>
struct Pieces {
  Float* data;
  int count, depth;
  size_t stride;  // floats from a piece to the next

  Float* operator[](int piece) const { return data + size_t(piece) * stride; }
};

// Panels [columns / kColumns][depth][kColumns] of a matrix whose columns are the pieces.
INLINE void pack_columns(const Pieces<const float>& from, float* to) {
  for (int first = 0; first < from.count; first += kColumns, to += from.depth * kColumns) {
    for (int j = 0; j < kColumns; ++j) {
      const float* piece = first + j < from.count ? from[first + j] : nullptr;
      for (int d = 0; d < from.depth; ++d) to[d * kColumns + j] = piece ? piece[d] : 0.0f;
    }
  }
}

// Panels [width / panel][rows][panel] of a matrix whose rows are the pieces from `first` on, each
// `by(piece)` times; what is beyond the last piece or its depth is zeros.
template <typename By>
INLINE void pack_rows(const Pieces<const float>& from, int first, int rows, int width, int panel,
                      By by, float* to) {
  for (int begin = 0; begin < width; begin += panel) {
    const int columns = std::clamp(from.depth - begin, 0, panel);
    for (int i = 0; i < rows; ++i, to += panel) {
      const bool real = first + i < from.count;
      const float times = real ? by(first + i) : 0.0f;
      const float* piece = real ? from[first + i] + begin : nullptr;
      for (int d = 0; d < columns; ++d) to[d] = real ? times * piece[d] : 0.0f;
      std::fill(to + columns, to + panel, 0.0f);
    }
  }
}

// The other way: `by(i)` times row i of a matrix [rows][width] to piece first + i.
template <typename By>
INLINE void unpack_rows(const float* rows, int width, int count, By by, const Pieces<float>& to,
                        int first) {
  for (int i = 0; i < count; ++i, rows += width) {
    const float times = by(i);
    float* piece = to[first + i];
    for (int d = 0; d < to.depth; ++d) piece[d] = times * rows[d];
  }
}
