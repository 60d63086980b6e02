// What LayerNorm and the linear layer after it need of one direction's state of a token.

#pragma once

#include "tiles.h"

// Of every column of a tile of states: the mean, the sum of squared deviations from it, and that of
// deviations times slopes. `to` has these three [steps, batch] one after the other, `size` apart.
ALONE inline void write_moments(const float* states, const float* slopes, int units, float* to,
                                size_t size, int columns) {
  for (int v = 0; v < kColumns; v += kLanes) {
    Vector mean{}, squares{}, product{};
    for (int u = 0; u < units; ++u) mean += load(states + u * kColumns + v);
    mean /= float(units);
    for (int u = 0; u < units; ++u) {
      const Vector deviation = load(states + u * kColumns + v) - mean;
      squares += deviation * deviation;
      product += slopes[u] * deviation;
    }
    put(to, mean, v, columns);
    put(to + size, squares, v, columns);
    put(to + 2 * size, product, v, columns);
  }
}
