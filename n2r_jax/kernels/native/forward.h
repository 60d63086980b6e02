// One direction of the GRU, all steps of one tile of texts. The equations are in gru.py.

#pragma once

#include <utility>

#include "moments.h"
#include "sizes.h"

// What a direction produces; a null pointer where nobody asked.
struct Outputs {
  float* states;        // [T, H, B]
  float* gates;         // [tile, T, H, 4, kColumns]: r, z, n and the hidden part of n
  float* highest;       // [H, B]
  int* time;            // [H, B]
  float* moments;       // [3, T, B]
  const float* slopes;  // [H], of the moments
};

constexpr float kLowest = -1e6f;  // gru.LOWEST

// Input: what W x is made from; VectorInput or WordInput.
template <typename Input>
class Forward {
 public:
  Forward(const Sizes& sizes, const Weights& weights, Input input, const float* valid,
          const float* pool, const Outputs& out)
      : sizes_(sizes), weights_(weights), input_(std::move(input)), valid_(valid), pool_(pool),
        out_(out), hidden_(pack_gates(weights.hidden, sizes.units, sizes.units)),
        state_(padded() * kColumns), next_(padded() * kColumns),
        highest_(padded() * kColumns), time_(padded() * kColumns) {}

  void run() {
    for (int first = 0; first < sizes_.batch; first += kColumns) tile(first);
  }

 private:
  size_t padded() const { return size_t(blocks(sizes_.units, kUnits)) * kUnits; }

  void tile(int first) {
    const int columns = sizes_.batch - first < kColumns ? sizes_.batch - first : kColumns;
    std::memset(state_, 0, padded() * kColumns * sizeof(float));
    for (size_t i = 0; i < padded() * kColumns; ++i) highest_[i] = kLowest, time_[i] = 0;
    float *state = state_, *next = next_;
    const int steps = steps_of(sizes_, valid_, first, columns);
    for (int i = 0; i < steps; ++i) {
      const int t = sizes_.reverse ? steps - 1 - i : i;
      input_.read(t, first, columns);
      for (int unit = 0; unit < sizes_.units; unit += kUnits) {
        panel(t, first, columns, unit, state, next);
      }
      std::swap(state, next);
      if (out_.moments) {
        float* to = moments(0, t, first);
        write_moments(state, out_.slopes, sizes_.units, to, moments_size(), columns);
      }
    }
    finish(steps, first, columns);
  }

  size_t moments_size() const { return size_t(sizes_.steps) * sizes_.batch; }
  float* moments(int i, int t, int first) const {
    return out_.moments + i * moments_size() + size_t(t) * sizes_.batch + first;
  }

  // Zeros after a tile's last step, and what is known at its end.
  void finish(int steps, int first, int columns) {
    const size_t units = sizes_.units, all = sizes_.steps;
    clear(out_.states, steps * units, all * units, sizes_.batch, first, columns);
    for (int i = 0; out_.moments && i < 3; ++i) {
      clear(moments(i, 0, 0), steps, all, sizes_.batch, first, columns);
    }
    if (pool_) write_highest(first, columns);
  }

  Vector factor(const float* array, int t, int first, int v, int columns) const {
    return get(array + size_t(t) * sizes_.batch + first, v, columns);
  }

  // kUnits units of one step: both products, the gates, and whatever is kept of them.
  ALONE void panel(int t, int first, int columns, int unit, const float* state, float* next) {
    const int units = sizes_.units;
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
    input_.add(sums, unit);
#pragma GCC unroll 4
    for (int u = 0; u < kUnits; ++u) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        candidate[u][v] = sums[2 * kUnits + u][v];
        sums[2 * kUnits + u][v] = fill(bias(c, 2, u));
      }
    }
    multiply(sums, hidden_ + size_t(unit) * 3 * units, state, units);
    Vector valid[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      valid[v] = valid_ ? factor(valid_, t, first, v * kLanes, columns) : fill(1.0f);
    }
#pragma GCC unroll 4
    for (int u = 0; u < kUnits; ++u) {
      if (unit + u >= units) break;
      Vector (&r)[kVectors] = sums[u], (&z)[kVectors] = sums[kUnits + u];
      const Vector (&part)[kVectors] = sums[2 * kUnits + u];
      sigmoid(r);
      sigmoid(z);
      Vector n[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) n[v] = candidate[u][v] + r[v] * part[v];
      tanh(n);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const int at = (unit + u) * kColumns + v * kLanes;
        const Vector now = (n[v] + z[v] * (load(state + at) - n[v])) * valid[v];
        store(next + at, now);
        if (out_.gates) {
          float* to = out_.gates + gates_at(sizes_, first, t, unit + u) + v * kLanes;
          keep_gates(to, r[v], z[v], n[v], part[v]);
        }
        if (out_.states) {
          put(out_.states + row(t, unit + u, first), now, v * kLanes, columns);
        }
        if (pool_) raise(at, now, t, factor(pool_, t, first, v * kLanes, columns));
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
    const Vector before = load(highest);
    const Integers higher =
        (sizes_.reverse ? now >= before : now > before) & (pool > Vector{});
    store(highest, higher ? now : before);
    if (!out_.time) return;
    int* time = reinterpret_cast<int*>(static_cast<float*>(time_)) + at;
    Integers when;
    std::memcpy(&when, time, sizeof when);
    when = higher ? t - Integers{} : when;
    std::memcpy(time, &when, sizeof when);
  }

  void write_highest(int first, int columns) {
    for (int unit = 0; unit < sizes_.units; ++unit) {
      const size_t to = size_t(unit) * sizes_.batch + first, bytes = columns * sizeof(float);
      std::memcpy(out_.highest + to, highest_ + unit * kColumns, bytes);
      if (out_.time) std::memcpy(out_.time + to, time_ + unit * kColumns, bytes);
    }
  }

  const Sizes sizes_;
  const Weights weights_;
  Input input_;
  const float *valid_, *pool_;
  const Outputs out_;
  const Scratch hidden_;
  Scratch state_, next_, highest_, time_;
};
