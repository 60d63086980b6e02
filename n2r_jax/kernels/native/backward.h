// The walk back through one direction of the GRU, one tile of texts at a time.

#pragma once

#include "vectors.h"

// What a walk back reads: the tape, and dL/dh either of every step or of each unit's highest one.
struct Tape {
  const float *states, *gates;  // as Outputs has them
  const float* each;            // [T, H, B] or null
  const float* highest;         // [H, B] or null
  const int* time;              // [H, B]
};

// What it produces; a null pointer where nobody asked.
struct Gradients {
  float *input, *hidden, *input_bias, *hidden_bias;
  float *mask, *vectors;
};

constexpr int kSteps = 4;  // gathered before each product of the weight gradients
constexpr int kGathered = kSteps * kColumns;  // texts times steps in one such product

class Backward {
 public:
  Backward(const Sizes& sizes, const Weights& weights, const Inputs& in, const Tape& tape,
           const Gradients& out)
      : sizes_(sizes), in_(in), tape_(tape), out_(out),
        hidden_(pack(sizes.units, 3 * sizes.units,
                     [&](int j, int k) { return weights.hidden[size_t(k) * sizes.units + j]; })),
        input_(pack(sizes.features, 3 * sizes.units,
                    [&](int e, int k) { return weights.input[size_t(k) * sizes.features + e]; })),
        d_gates_(kSteps * step_size()),
        d_state_(size_t(sizes.units + kRows) * kColumns),
        carried_(size_t(sizes.units + kRows) * kColumns),
        x_(size_t(sizes.features) * kColumns),
        before_(size_t(sizes.units) * kColumns),
        x_turned_(turned(sizes.features)), before_turned_(turned(sizes.units)),
        d_input_(size_t(3) * sizes.units * width(sizes.features)),
        d_hidden_(size_t(3) * sizes.units * width(sizes.units)) {
    ones(x_turned_, sizes.features);
    ones(before_turned_, sizes.units);
  }

  void run() {
    for (int first = 0; first < sizes_.batch; first += kColumns) tile(first);
    if (!out_.input) return;
    write(d_input_, sizes_.features, out_.input, out_.input_bias);
    write(d_hidden_, sizes_.units, out_.hidden, out_.hidden_bias);
  }

 private:
  // Columns of a weight gradient: one more than the weights have, for the bias, in whole vectors.
  static int width(int columns) { return blocks(columns + 1, kLanes) * kLanes; }
  static Scratch turned(int columns) { return Scratch(size_t(width(columns)) * kGathered); }

  // The bias is a weight whose input is always 1.
  static void ones(float* turned, int columns) {
    float* to = turned + size_t(columns / kLanes) * kGathered * kLanes + columns % kLanes;
    for (int k = 0; k < kGathered; ++k) to[k * kLanes] = 1.0f;
  }

  // Gradients of one step: of r, z and n, and of n's hidden part; rows to spare for the last panel.
  size_t step_size() const { return size_t(4 * sizes_.units + kRows) * kColumns; }

  void tile(int first) {
    const int columns = sizes_.batch - first < kColumns ? sizes_.batch - first : kColumns;
    std::memset(d_state_, 0, size_t(sizes_.units) * kColumns * sizeof(float));
    const int steps = steps_of(sizes_, in_.valid, first, columns);
    for (int i = 0; i < steps; i += kSteps) {
      const int gathered = steps - i < kSteps ? steps - i : kSteps;
      for (int s = 0; s < gathered; ++s) {
        step(sizes_.reverse ? i + s : steps - 1 - i - s, first, columns, s);
      }
      if (out_.input) add_weight_gradients(gathered);
    }
    const size_t features = sizes_.features, all = sizes_.steps;
    clear(out_.mask, steps, all, sizes_.batch, first, columns);
    clear(out_.vectors, steps * features, all * features, sizes_.batch, first, columns);
  }

  void step(int t, int first, int columns, int s) {
    gates(t, first, columns, s);
    if (out_.input || out_.mask || out_.vectors) read(t, first, columns);
    if (out_.input) {
      turn(x_, sizes_.features, x_turned_, s);
      turn(before_, sizes_.units, before_turned_, s);
    }
    if (out_.mask || out_.vectors) to_inputs(t, first, columns, s);
    to_previous_state(s);
  }

  // From dL/dh of this step to the gradients before the gates' nonlinearities.
  ALONE void gates(int t, int first, int columns, int s) {
    const int units = sizes_.units, batch = sizes_.batch, previous = sizes_.reverse ? t + 1 : t - 1;
    const bool inside = previous >= 0 && previous < sizes_.steps;
    const float* before = tape_.states + size_t(inside ? previous : 0) * units * batch + first;
    const size_t gate = size_t(units) * kColumns;
    const std::ptrdiff_t next = std::ptrdiff_t(sizes_.reverse ? 4 : -4) * units * kColumns;
    Vector valid[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      valid[v] = in_.valid ? factor(in_.valid, t, first, v * kLanes, columns) : fill(1.0f);
    }
    for (int unit = 0; unit < units; ++unit) {
      for (int v = 0; v < kColumns; v += kLanes) {
        const float* from = tape_.gates + gates_at(sizes_, first, t, unit) + v;
        const Vector r = fetch(from, next), z = fetch(from + kColumns, next);
        const Vector n = fetch(from + 2 * kColumns, next), part = fetch(from + 3 * kColumns, next);
        const Vector h = inside ? get(before + size_t(unit) * batch, v, columns) : Vector{};
        const int at = unit * kColumns + v;
        const Vector d =
            (load(d_state_ + at) + arriving(t, unit, first, v, columns)) * valid[v / kLanes];
        const Vector d_n = d * (1.0f - z) * (1.0f - n * n);
        float* to = d_gates_ + s * step_size() + at;
        store(to, d_n * part * r * (1.0f - r));
        store(to + gate, d * (h - n) * z * (1.0f - z));
        store(to + 2 * gate, d_n);
        store(to + 3 * gate, d_n * r);
        store(carried_ + at, d * z);
        store(before_ + at, h);
      }
    }
  }

  // Loads a vector and asks for the one that the next step of the walk will want there.
  static INLINE Vector fetch(const float* from, std::ptrdiff_t next) {
    __builtin_prefetch(from + next);
    return load(from);
  }

  Vector arriving(int t, int unit, int first, int v, int columns) const {
    if (tape_.each) {
      return get(tape_.each + (size_t(t) * sizes_.units + unit) * sizes_.batch + first, v, columns);
    }
    const size_t at = size_t(unit) * sizes_.batch + first;
    const Vector time = get(reinterpret_cast<const float*>(tape_.time) + at, v, columns);
    Integers when;
    std::memcpy(&when, &time, sizeof when);
    return when == t ? get(tape_.highest + at, v, columns) : Vector{};
  }

  Vector factor(const float* array, int t, int first, int v, int columns) const {
    return get(array + size_t(t) * sizes_.batch + first, v, columns);
  }

  void read(int t, int first, int columns) {
    const size_t at = size_t(t) * sizes_.features * sizes_.batch + first;
    from_array(x_, in_.vectors + at, sizes_.features, sizes_.batch, columns);
    if (!in_.mask || !out_.input) return;
    for (int v = 0; v < kColumns; v += kLanes) {
      const Vector mask = factor(in_.mask, t, first, v, columns);
      for (float* x = x_ + v; x < x_ + sizes_.features * kColumns; x += kColumns) {
        store(x, load(x) * mask);
      }
    }
  }

  // A tile's rows become columns, so that the products of the weight gradients sum over texts.
  ALONE static void turn(const float* tile, int rows, float* turned, int s) {
    for (int row = 0; row < rows; ++row) {
      float* to = turned + size_t(row / kLanes) * kGathered * kLanes + row % kLanes;
      to += size_t(s) * kColumns * kLanes;
      for (int column = 0; column < kColumns; ++column) {
        to[column * kLanes] = tile[row * kColumns + column];
      }
    }
  }

  ALONE void to_previous_state(int s) {
    const int units = sizes_.units;
    const float *d = d_gates_ + s * step_size(), *weights = hidden_;
    for (int first = 0; first < units; first += kRows, weights += size_t(3) * units * kRows) {
      Vector sums[kRows][kVectors];
#pragma GCC unroll 12
      for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
          sums[i][v] = load(carried_ + (first + i) * kColumns + v * kLanes);
        }
      }
      multiply(sums, weights, d, 2 * units);
      multiply(sums, weights + size_t(2) * units * kRows, d + 3 * units * kColumns, units);
#pragma GCC unroll 12
      for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
          store(d_state_ + (first + i) * kColumns + v * kLanes, sums[i][v]);
        }
      }
    }
  }

  // dL/d(mask * x), and from it the gradients of the mask and of x.
  ALONE void to_inputs(int t, int first, int columns, int s) {
    const int features = sizes_.features, units = sizes_.units, batch = sizes_.batch;
    const float *d = d_gates_ + s * step_size(), *weights = input_;
    const float* x = in_.vectors + size_t(t) * features * batch + first;
    Vector d_mask[kVectors] = {};
    for (int from = 0; from < features; from += kRows, weights += size_t(3) * units * kRows) {
      Vector sums[kRows][kVectors] = {};
      multiply(sums, weights, d, 3 * units);
      for (int i = 0; i < kRows && from + i < features; ++i) {
        for (int v = 0; v < kVectors; ++v) {
          const size_t row = size_t(from + i) * batch;
          d_mask[v] += sums[i][v] * get(x + row, v * kLanes, columns);
          if (!out_.vectors) continue;
          const Vector mask =
              in_.mask ? factor(in_.mask, t, first, v * kLanes, columns) : fill(1.0f);
          float* to = out_.vectors + size_t(t) * features * batch + row + first;
          put(to, sums[i][v] * mask, v * kLanes, columns);
        }
      }
    }
    if (!out_.mask) return;
    for (int v = 0; v < kVectors; ++v) {
      put(out_.mask + size_t(t) * batch + first, d_mask[v], v * kLanes, columns);
    }
  }

  void add_weight_gradients(int gathered) {
    const int units = sizes_.units, rows = 3 * units * kColumns;
    add(d_input_, sizes_.features, x_turned_, d_gates_, 3 * units, gathered);
    add(d_hidden_, units, before_turned_, d_gates_, 2 * units, gathered);
    float* candidate = d_hidden_ + size_t(2) * units * width(units);
    add(candidate, units, before_turned_, d_gates_ + rows, units, gathered);
  }

  // Panel by panel of the turned inputs, which stay in the first-level cache.
  ALONE void add(float* out, int columns, const float* turned, const float* rows, int count,
           int gathered) const {
    const int stride = width(columns), panel = kGathered * kLanes;
    for (int j = 0; j < stride; j += kColumns, turned += 2 * panel) {
      for (int i = 0; i < count; i += kRows) {
        const Outer part{rows + size_t(i) * kColumns, step_size(), turned, panel, gathered};
        float* to = out + size_t(i) * stride + j;
        if (j + kLanes < stride) {
          part.add<2>(to, stride, count - i);
        } else {
          part.add<1>(to, stride, count - i);
        }
      }
    }
  }

  void write(const float* sums, int columns, float* weights, float* bias) {
    const int stride = width(columns);
    for (int row = 0; row < 3 * sizes_.units; ++row, sums += stride) {
      std::memcpy(weights + size_t(row) * columns, sums, columns * sizeof(float));
      bias[row] = sums[columns];
    }
  }

  const Sizes sizes_;
  const Inputs in_;
  const Tape tape_;
  const Gradients out_;
  const Scratch hidden_, input_;
  Scratch d_gates_, d_state_, carried_, x_, before_, x_turned_, before_turned_;
  Scratch d_input_, d_hidden_;
};
