// One direction of the GRU, all steps of one tile of texts. The equations are in gru.py.

#pragma once

#include <utility>

#include "tiles.h"

struct Sizes {
  int steps, features, units, batch;
  bool reverse;
};

struct Weights {
  const float *input, *hidden, *input_bias, *hidden_bias;  // [3, H, E], [3, H, H], [3, H], [3, H]
};

// What a direction reads; a null pointer where there is none.
struct Inputs {
  const float *vectors, *mask, *valid, *pool;  // [T, E, B], then [T, B] each
};

struct Outputs {
  float* states;   // [T, H, B]
  float* gates;    // [tile, T, H, 4, kColumns]: r, z, n and the hidden part of n
  float* highest;  // [H, B]
  int* time;       // [H, B]
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

constexpr float kLowest = -1e6f;  // gru.LOWEST

class Forward {
 public:
  Forward(const Sizes& sizes, const Weights& weights, const Inputs& in, const Outputs& out)
      : sizes_(sizes), weights_(weights), in_(in), out_(out),
        input_(packed(weights.input, sizes.units, sizes.features)),
        hidden_(packed(weights.hidden, sizes.units, sizes.units)),
        x_(size_t(sizes.features) * kColumns),
        state_(padded() * kColumns), next_(padded() * kColumns),
        highest_(padded() * kColumns), time_(padded() * kColumns) {}

  void run() {
    for (int first = 0; first < sizes_.batch; first += kColumns) tile(first);
  }

 private:
  size_t padded() const { return size_t(blocks(sizes_.units, kUnits)) * kUnits; }

  // The three gates of kUnits units make a panel's rows: r, r, .., z, z, .., n, n, ..
  static Scratch packed(const float* weights, int units, int depth) {
    const int rows = blocks(units, kUnits) * kRows;
    return pack(rows, depth, [=](int row, int k) {
      const int unit = row / kRows * kUnits + row % kUnits, gate = row % kRows / kUnits;
      return unit < units ? weights[(size_t(gate) * units + unit) * depth + k] : 0.0f;
    });
  }

  void tile(int first) {
    const int columns = sizes_.batch - first < kColumns ? sizes_.batch - first : kColumns;
    std::memset(state_, 0, padded() * kColumns * sizeof(float));
    for (size_t i = 0; i < padded() * kColumns; ++i) highest_[i] = kLowest, time_[i] = 0;
    float *state = state_, *next = next_;
    const int steps = steps_of(sizes_, in_.valid, first, columns);
    for (int i = 0; i < steps; ++i) {
      const int t = sizes_.reverse ? steps - 1 - i : i;
      read(t, first, columns);
      for (int unit = 0; unit < sizes_.units; unit += kUnits) {
        panel(t, first, columns, unit, state, next);
      }
      std::swap(state, next);
    }
    const size_t units = sizes_.units;
    clear(out_.states, steps * units, sizes_.steps * units, sizes_.batch, first, columns);
    if (in_.pool) write_highest(first, columns);
  }

  void read(int t, int first, int columns) {
    const size_t at = size_t(t) * sizes_.features * sizes_.batch + first;
    from_array(x_, in_.vectors + at, sizes_.features, sizes_.batch, columns);
    if (!in_.mask) return;
    for (int v = 0; v < kColumns; v += kLanes) {
      const Vector mask = factor(in_.mask, t, first, v, columns);
      for (float* x = x_ + v; x < x_ + sizes_.features * kColumns; x += kColumns) {
        store(x, load(x) * mask);
      }
    }
  }

  Vector factor(const float* array, int t, int first, int v, int columns) const {
    return get(array + size_t(t) * sizes_.batch + first, v, columns);
  }

  // kUnits units of one step: both products, the gates, and whatever is kept of them.
  ALONE void panel(int t, int first, int columns, int unit, const float* state, float* next) {
    const int units = sizes_.units, depth = sizes_.features;
    const float *b = weights_.input_bias, *c = weights_.hidden_bias;
    Vector sums[kRows][kVectors], candidate[kUnits][kVectors];
    auto bias = [&](const float* from, int gate, int u) {
      return unit + u < units ? from[gate * units + unit + u] : 0.0f;
    };
#pragma GCC unroll 4
    for (int u = 0; u < kUnits; ++u) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        sums[u][v] = fill(bias(b, 0, u) + bias(c, 0, u));
        sums[kUnits + u][v] = fill(bias(b, 1, u) + bias(c, 1, u));
        sums[2 * kUnits + u][v] = fill(bias(b, 2, u));
      }
    }
    multiply(sums, input_ + size_t(unit) * 3 * depth, x_, depth);
#pragma GCC unroll 4
    for (int u = 0; u < kUnits; ++u) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        candidate[u][v] = sums[2 * kUnits + u][v];
        sums[2 * kUnits + u][v] = fill(bias(c, 2, u));
      }
    }
    multiply(sums, hidden_ + size_t(unit) * 3 * units, state, units);
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const Vector valid =
          in_.valid ? factor(in_.valid, t, first, v * kLanes, columns) : fill(1.0f);
#pragma GCC unroll 4
      for (int u = 0; u < kUnits; ++u) {
        if (unit + u >= units) break;
        const int at = (unit + u) * kColumns + v * kLanes;
        const Vector r = sigmoid(sums[u][v]), z = sigmoid(sums[kUnits + u][v]);
        const Vector part = sums[2 * kUnits + u][v], n = tanh(candidate[u][v] + r * part);
        const Vector now = (n + z * (load(state + at) - n)) * valid;
        store(next + at, now);
        if (out_.gates) {
          keep_gates(out_.gates + gates_at(sizes_, first, t, unit + u) + v * kLanes, r, z, n, part);
        }
        if (out_.states) {
          put(out_.states + row(t, unit + u, first), now, v * kLanes, columns);
        }
        if (in_.pool) raise(at, now, t, factor(in_.pool, t, first, v * kLanes, columns));
      }
    }
  }

  size_t row(int t, int unit, int first) const {
    return (size_t(t) * sizes_.units + unit) * sizes_.batch + first;
  }

  static void keep_gates(float* to, Vector r, Vector z, Vector n, Vector part) {
    store(to, r);
    store(to + kColumns, z);
    store(to + 2 * kColumns, n);
    store(to + 3 * kColumns, part);
  }

  // Of equal states the earliest in the text stays the highest.
  void raise(int at, Vector now, int t, Vector pool) {
    float* highest = highest_ + at;
    int* time = reinterpret_cast<int*>(static_cast<float*>(time_)) + at;
    const Vector before = load(highest);
    const Integers higher =
        (sizes_.reverse ? now >= before : now > before) & (pool > Vector{});
    Integers when;
    std::memcpy(&when, time, sizeof when);
    when = higher ? t - Integers{} : when;
    std::memcpy(time, &when, sizeof when);
    store(highest, higher ? now : before);
  }

  void write_highest(int first, int columns) {
    for (int unit = 0; unit < sizes_.units; ++unit) {
      const size_t to = size_t(unit) * sizes_.batch + first, bytes = columns * sizeof(float);
      std::memcpy(out_.highest + to, highest_ + unit * kColumns, bytes);
      std::memcpy(out_.time + to, time_ + unit * kColumns, bytes);
    }
  }

  const Sizes sizes_;
  const Weights weights_;
  const Inputs in_;
  const Outputs out_;
  const Scratch input_, hidden_;
  Scratch x_, state_, next_, highest_, time_;
};
