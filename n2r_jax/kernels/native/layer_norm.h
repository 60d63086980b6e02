// LayerNorm of a sum, one row at a time; the formulas are in kernels/layer_norm.py.

#pragma once

#include <cmath>

#include "tiles.h"
#include "token_scores.h"

namespace layer_norm {

struct Sizes {
  int rows, pieces, features;  // rows are [texts][pieces]
};

struct Inputs {
  const float *x, *added;  // [rows, H]; `added` may be missing
  const float *scale, *offset;  // [H]
  const uint32_t* seed;         // [2]
  const int* text;              // a text's place in the global batch
  float rate, epsilon;
  uint32_t threshold;
};

class Rows {
 public:
  Rows(const Sizes& sizes, const Inputs& in) : s_(sizes), in_(in), sum_(round_up(sizes.features)) {}

  void forward(int row, float* out, float* mean, float* root) {
    add(row);
    const Moments moments = moments_of_sum();
    mean[row] = moments.mean;
    root[row] = moments.root;
    float* to = out + size_t(row) * s_.features;
    for (int f = 0; f < s_.features; f += kLanes) {
      const Vector normed = (load(sum_ + f) - moments.mean) * moments.root;
      put(to, normed * at(in_.scale, f) + at(in_.offset, f), f, s_.features);
    }
  }

  // Adds to d_scale and d_offset; d_added may be missing, as `added` may.
  void backward(int row, const float* d_out, float mean, float root, float* d_x, float* d_added,
                float* d_scale, float* d_offset) {
    add(row);
    const float* arriving = d_out + size_t(row) * s_.features;
    Vector all{}, along{};
    for (int f = 0; f < s_.features; f += kLanes) {
      const Vector d = at(arriving, f), normed = (load(sum_ + f) - mean) * root;
      const Vector pull = d * at(in_.scale, f);
      all += pull;
      along += pull * normed;
      put(d_scale, at(d_scale, f) + d * normed, f, s_.features);
      put(d_offset, at(d_offset, f) + d, f, s_.features);
    }
    const float mean_pull = total(all) / s_.features, slope = total(along) / s_.features;
    const Kept kept = kept_of(row);
    const size_t first = size_t(row) * s_.features;
    for (int f = 0; f < s_.features; f += kLanes) {
      const Vector normed = (load(sum_ + f) - mean) * root;
      const Vector d = root * (at(arriving, f) * at(in_.scale, f) - mean_pull - normed * slope);
      put(d_x + first, d, f, s_.features);
      if (d_added) put(d_added + first, kept.of(f, d), f, s_.features);
    }
  }

 private:
  struct Moments {
    float mean, root;
  };

  // What dropout leaves of one row, by the hash of dropout.py.
  struct Kept {
    Bits lanes;
    uint32_t threshold;
    float factor;
    bool drops;

    INLINE Vector of(int feature, Vector v) const {
      if (!drops) return v;
      const Bits hash = mix(lanes + uint32_t(feature) * kGolden);
      return hash < threshold ? Vector{} : v * factor;
    }
  };

  static constexpr uint32_t kGolden = 0x9E3779B9u;

  static size_t round_up(int features) { return size_t(blocks(features, kLanes)) * kLanes; }

  static float total(Vector v) {
    float sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) sum += v[lane];
    return sum;
  }

  INLINE Vector at(const float* array, int f) const { return get(array, f, s_.features); }

  Kept kept_of(int row) const {
    Kept kept{{}, in_.threshold, 1.0f / (1.0f - in_.rate), in_.rate > 0};
    if (!kept.drops) return kept;
    const uint32_t begin = mix(uint32_t(in_.text[row / s_.pieces]) + in_.seed[0]) +
                           mix(uint32_t(row % s_.pieces) ^ in_.seed[1]);
    for (int lane = 0; lane < kLanes; ++lane) kept.lanes[lane] = begin + uint32_t(lane) * kGolden;
    return kept;
  }

  // x + drop(added) of one row; beyond the last feature zeros.
  void add(int row) {
    const size_t first = size_t(row) * s_.features;
    const Kept kept = kept_of(row);
    for (int f = 0; f < s_.features; f += kLanes) {
      Vector sum = at(in_.x + first, f);
      if (in_.added) sum += kept.of(f, at(in_.added + first, f));
      store(sum_ + f, sum);
    }
  }

  Moments moments_of_sum() const {
    Vector sum{}, squares{};
    for (int f = 0; f < s_.features; f += kLanes) sum += load(sum_ + f);
    const float mean = total(sum) / s_.features;
    for (int f = 0; f < s_.features; f += kLanes) {
      Vector centred = load(sum_ + f) - mean;
      if (f + kLanes > s_.features) {
        for (int lane = s_.features - f; lane < kLanes; ++lane) centred[lane] = 0;
      }
      squares += centred * centred;
    }
    return {mean, 1.0f / std::sqrt(total(squares) / s_.features + in_.epsilon)};
  }

  Sizes s_;
  Inputs in_;
  Scratch sum_;
};

}  // namespace layer_norm
