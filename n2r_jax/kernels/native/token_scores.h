// LayerNorm, dropout and a linear layer to one number a token; the formulas are in token_scores.py.

#pragma once

#include <cmath>
#include <cstdint>

#include "tiles.h"

typedef uint32_t Bits __attribute__((vector_size(kLanes * sizeof(uint32_t))));

// The hash of dropout.py: for numbers and for vectors of them.
template <typename Word>
INLINE Word mix(Word x) {
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15)) * 0x846CA68Bu;
  return x ^ (x >> 16);
}

struct Dropout {
  const uint32_t* bits;  // [2, 2]: a seed for each half of the state
  const int* row;        // [B]
  float rate;
  uint32_t threshold;

  bool on() const { return rate > 0; }
  float factor() const { return on() ? 1.0f / (1.0f - rate) : 1.0f; }
};

struct Head {
  const float *weight, *scale, *offset;  // [2, H]
};

// What a token's score leaves for the walk back, [T, B] each.
struct Moments {
  float *mean, *root, *slope, *normed;
};

struct TokenSizes {
  int steps, units, batch;
};

class TokenScores {
 public:
  TokenScores(const TokenSizes& sizes, const float* ahead, const float* back, const Head& head,
              const Dropout& dropout)
      : sizes_(sizes), states_{ahead, back}, dropout_(dropout),
        slopes_(size_t(2) * sizes.units), offsets_(size_t(2) * sizes.units),
        d_slopes_(size_t(2) * sizes.units * kLanes), d_offsets_(size_t(2) * sizes.units * kLanes) {
    for (int f = 0; f < 2 * sizes.units; ++f) {
      slopes_[f] = head.weight[f] * head.scale[f] * dropout.factor();
      offsets_[f] = head.weight[f] * head.offset[f] * dropout.factor();
    }
  }

  void forward(float* scores, const Moments& out) {
    for (int t = 0; t < sizes_.steps; ++t) {
      for (int first = 0; first < sizes_.batch; first += kLanes) {
        score(t, first, scores + size_t(t) * sizes_.batch, out);
      }
    }
  }

  void backward(const float* d_scores, const Moments& moments, float* d_ahead, float* d_back,
                float* d_slopes, float* d_offsets) {
    float* d_states[2] = {d_ahead, d_back};
    for (int t = 0; t < sizes_.steps; ++t) {
      for (int first = 0; first < sizes_.batch; first += kLanes) {
        pull(t, first, d_scores, moments, d_states);
      }
    }
    for (int f = 0; f < 2 * sizes_.units; ++f) {
      d_slopes[f] = dropout_.factor() * total(d_slopes_ + f * kLanes);
      d_offsets[f] = dropout_.factor() * total(d_offsets_ + f * kLanes);
    }
  }

 private:
  static float total(const float* lanes) {
    float sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += lanes[i];
    return sum;
  }

  const float* at(int half, int t, int first) const {
    return states_[half] + size_t(t) * sizes_.units * sizes_.batch + first;
  }

  // The part of dropout's counter that a half's units share.
  Bits counter(int half, int t, int first) const {
    const uint32_t *seed = dropout_.bits + 2 * half, of_time = mix(uint32_t(t) ^ seed[1]);
    Bits row{};
    for (int i = 0; i < kLanes && first + i < sizes_.batch; ++i) {
      row[i] = uint32_t(dropout_.row[first + i]);
    }
    return mix(row + seed[0]) + of_time;
  }

  // `value` where unit u of a text is kept, else 0.
  template <bool kDrop>
  INLINE Vector kept(Vector value, Bits counter, int u) const {
    if (!kDrop) return value;
    const Bits hash = mix(counter + uint32_t(u) * 0x9E3779B9u);
    return hash >= dropout_.threshold ? value : Vector{};
  }

  void score(int t, int first, float* scores, const Moments& out) const {
    dropout_.on() ? score<true>(t, first, scores, out) : score<false>(t, first, scores, out);
  }

  template <bool kDrop>
  ALONE void score(int t, int first, float* scores, const Moments& out) const {
    const int units = sizes_.units, batch = sizes_.batch, columns = batch - first;
    Vector mean{}, variance{}, slope{}, normed{}, constant{};
    for (int half = 0; half < 2; ++half) {
      const float* from = at(half, t, first);
      for (int u = 0; u < units; ++u, from += batch) mean += get(from, 0, columns);
    }
    mean /= float(2 * units);
    for (int half = 0; half < 2; ++half) {
      const float *from = at(half, t, first), *slopes = slopes_ + half * units;
      const float* offsets = offsets_ + half * units;
      const Bits bits = kDrop ? counter(half, t, first) : Bits{};
      for (int u = 0; u < units; ++u, from += batch) {
        const Vector centred = get(from, 0, columns) - mean;
        const Vector weight = kept<kDrop>(fill(slopes[u]), bits, u);
        variance += centred * centred;
        slope += weight;
        normed += weight * centred;
        constant += kept<kDrop>(fill(offsets[u]), bits, u);
      }
    }
    Vector root;
    for (int i = 0; i < kLanes; ++i) {
      root[i] = 1.0f / std::sqrt(variance[i] / float(2 * units) + 1e-5f);
    }
    normed *= root;
    const size_t to = size_t(t) * batch + first;
    put(scores + first, normed + constant, 0, columns);
    put(out.mean + to, mean, 0, columns);
    put(out.root + to, root, 0, columns);
    put(out.slope + to, slope, 0, columns);
    put(out.normed + to, normed, 0, columns);
  }

  void pull(int t, int first, const float* d_scores, const Moments& in, float* const* d_states) {
    dropout_.on() ? pull<true>(t, first, d_scores, in, d_states)
                  : pull<false>(t, first, d_scores, in, d_states);
  }

  template <bool kDrop>
  ALONE void pull(int t, int first, const float* d_scores, const Moments& in,
                  float* const* d_states) {
    const int units = sizes_.units, batch = sizes_.batch, columns = batch - first;
    const size_t at_token = size_t(t) * batch + first;
    const Vector mean = get(in.mean + at_token, 0, columns);
    const Vector root = get(in.root + at_token, 0, columns);
    const Vector slope = get(in.slope + at_token, 0, columns) / float(2 * units);
    const Vector normed = get(in.normed + at_token, 0, columns) / float(2 * units);
    const Vector d_score = get(d_scores + at_token, 0, columns);
    for (int half = 0; half < 2; ++half) {
      const float* from = at(half, t, first);
      float* to = d_states[half] + (from - states_[half]);
      const float* slopes = slopes_ + half * units;
      float *d_slope = d_slopes_ + half * units * kLanes;
      float* d_offset = d_offsets_ + half * units * kLanes;
      const Bits bits = kDrop ? counter(half, t, first) : Bits{};
      for (int u = 0; u < units; ++u, from += batch, to += batch) {
        const Vector xhat = (get(from, 0, columns) - mean) * root;
        const Vector d_kept = kept<kDrop>(d_score, bits, u);
        put(to, root * (slopes[u] * d_kept - d_score * (slope + xhat * normed)), 0, columns);
        store(d_slope + u * kLanes, load(d_slope + u * kLanes) + d_kept * xhat);
        store(d_offset + u * kLanes, load(d_offset + u * kLanes) + d_kept);
      }
    }
  }

  const TokenSizes sizes_;
  const float* const states_[2];
  const Dropout dropout_;
  Scratch slopes_, offsets_, d_slopes_, d_offsets_;
};
