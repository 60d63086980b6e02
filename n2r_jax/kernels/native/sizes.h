// What every walk over a direction of the GRU shares: sizes, weights, where a tile's text ends.

#pragma once

#include "tiles.h"

struct Sizes {
  int steps, features, units, batch;
  bool reverse;
};

struct Weights {
  const float *input, *hidden, *input_bias, *hidden_bias;  // [3, H, E], [3, H, H], [3, H], [3, H]
};

// Where the gates of a unit begin. A tile's are one stream from its first step to its last.
INLINE size_t gates_at(const Sizes& sizes, int first, int t, int unit) {
  const size_t step = size_t(first / kColumns) * sizes.steps + t;
  return (step * sizes.units + unit) * 4 * kColumns;
}

// Steps until the longest text of a tile ends: beyond it there is nothing but zeros.
INLINE int steps_of(const Sizes& sizes, const float* valid, int first, int columns) {
  if (!valid) return sizes.steps;
  for (int t = sizes.steps; t > 0; --t) {
    const float* row = valid + size_t(t - 1) * sizes.batch + first;
    for (int i = 0; i < columns; ++i) {
      if (row[i] != 0) return t;
    }
  }
  return 0;
}

// Zeros in the columns of a tile, from a row of an array [rows, batch] to its last one.
INLINE void clear(float* array, size_t row, size_t rows, int batch, int first, int columns) {
  for (; array && row < rows; ++row) {
    std::memset(array + row * batch + first, 0, columns * sizeof(float));
  }
}

// Weights of one panel after the other: the three gates of kUnits units make a panel's rows, which
// are r, r, .., z, z, .., n, n, ..
inline Scratch pack_gates(const float* weights, int units, int depth) {
  const int rows = blocks(units, kUnits) * kRows;
  return pack(rows, depth, [=](int row, int k) {
    const int unit = row / kRows * kUnits + row % kUnits, gate = row % kRows / kUnits;
    return unit < units ? weights[(size_t(gate) * units + unit) * depth + k] : 0.0f;
  });
}
