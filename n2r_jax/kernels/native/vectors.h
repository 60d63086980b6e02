// Words as vectors: W x is multiplied out at every token.

#pragma once

#include "sizes.h"

// What a direction reads; a null pointer where there is none.
struct Inputs {
  const float *vectors, *mask, *valid, *pool;  // [T, E, B], then [T, B] each
};

class VectorInput {
 public:
  VectorInput(const Sizes& sizes, const Weights& weights, const Inputs& in)
      : sizes_(sizes), in_(in), weights_(pack_gates(weights.input, sizes.units, sizes.features)),
        x_(size_t(sizes.features) * kColumns) {}

  void read(int t, int first, int columns) {
    const size_t at = size_t(t) * sizes_.features * sizes_.batch + first;
    from_array(x_, in_.vectors + at, sizes_.features, sizes_.batch, columns);
    if (!in_.mask) return;
    for (int v = 0; v < kColumns; v += kLanes) {
      const Vector mask = get(in_.mask + size_t(t) * sizes_.batch + first, v, columns);
      for (float* x = x_ + v; x < x_ + sizes_.features * kColumns; x += kColumns) {
        store(x, load(x) * mask);
      }
    }
  }

  INLINE void add(Vector (&sums)[kRows][kVectors], int unit) const {
    multiply(sums, weights_ + size_t(unit) * 3 * sizes_.features, x_, sizes_.features);
  }

 private:
  const Sizes sizes_;
  const Inputs in_;
  Scratch weights_, x_;
};
