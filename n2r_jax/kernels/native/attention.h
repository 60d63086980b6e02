// Attention over weighted keys, forward and backward; the formulas are in kernels/attention.py.
//
// A task is one head of one text. Its keys and values are packed once, then a block of queries at a
// time meets all keys: a block's scores stay in the core's cache and are never written out.

#pragma once

#include <cmath>
#include <limits>

#include "attention_tiles.h"

namespace attention {

constexpr float kLargestExponent = 30.0f;  // the constants of attention.py
constexpr float kLargestWeighed = 60.0f;
constexpr float kNever = -1e30f;

struct Sizes {
  int batch, queries, keys, heads, depth;
  int window;  // how far a key may be from a query; negative: any

  int tasks() const { return batch * heads; }
};

struct Inputs {
  const float *queries, *keys, *values;  // [B, P, N, D]
  const float* weight;                   // [B, P] of the keys
  const uint32_t* seed;                  // [2]
  const int* row;                        // [B]
  float rate;
  uint32_t threshold;
};

struct Tape {
  float *out, *highest, *total;  // [B, P, N, D], [B, N, P], [B, N, P]
};

struct Gradients {
  const float* d_out;                     // [B, P, N, D]
  float *queries, *keys, *values, *weight;  // as the arrays; weight [B, N, P]
};

// The dropout factors of one query's shares, by the hash of dropout.py.
class Kept {
 public:
  Kept(const Inputs& in, int text, int head, int query) : threshold_(in.threshold) {
    const uint32_t at = mix(uint32_t(in.row[text]) + in.seed[0]) +
                        mix(uint32_t(query) ^ in.seed[1]) + (uint32_t(head) << 16) * kGolden;
    for (int lane = 0; lane < kLanes; ++lane) lanes_[lane] = at + uint32_t(lane) * kGolden;
  }

  // The lanes of keys j, j + 1, ... that are kept; zeros for the others.
  INLINE Vector of(int j, Vector shares) const {
    const Bits hash = mix(lanes_ + uint32_t(j) * kGolden);
    return hash < threshold_ ? Vector{} : shares;
  }

 private:
  static constexpr uint32_t kGolden = 0x9E3779B9u;
  uint32_t threshold_;
  Bits lanes_;
};

class Task {
  auto by_weight() const {
    return [this](int j) { return weight_[j]; };
  }

 public:
  // What only the walk back needs is left empty where there is none.
  Task(const Sizes& sizes, const Inputs& in, bool walks_back)
      : s_(sizes), in_(in), width_(round_up(sizes.depth, kColumns)),
        span_(round_up(sizes.keys, kColumns)),
        block_((span_ > 2048 ? 2 : 4) * kRows),  // queries: their scores have to fit the cache
        weight_(span_), log_weight_(span_), most_(span_),
        d_weight_(walks_back ? span_ : 0),
        scores_(scores()), pulls_(walks_back ? scores() : 0),
        rows_(block()), results_(block()), d_rows_(walks_back ? block() : 0),
        row_panels_(walks_back ? block() : 0), d_row_panels_(walks_back ? block() : 0),
        key_columns_(all()), value_rows_(walks_back ? 0 : all()),
        value_columns_(walks_back ? all() : 0), key_rows_(walks_back ? all() : 0),
        d_keys_(walks_back ? all() : 0), d_values_(walks_back ? all() : 0) {}

  void forward(int task, const Tape& tape) {
    begin(task);
    pack_columns(of_keys(in_.keys), key_columns_);
    pack_all_keys(in_.values, value_rows_);
    for (int first = 0; first < s_.queries; first += block_) {
      const int count = std::min(block_, s_.queries - first), rows = round_up(count, kRows);
      score(first, rows);
      for (int i = 0; i < count; ++i) draw(first, i, tape);
      multiply_tiles<false>({scores_, span_, 1}, value_rows_, s_.keys,
                            results_, width_, rows, width_);
      const float* total = tape.total + first_of_task() + first;
      unpack_rows(results_, width_, count, [&](int i) { return factor() / total[i]; },
                  of_queries(tape.out), first);
    }
  }

  void backward(int task, const Tape& tape, const Gradients& out) {
    begin(task);
    pack_columns(of_keys(in_.keys), key_columns_);
    pack_columns(of_keys(in_.values), value_columns_);
    pack_all_keys(in_.keys, key_rows_);
    std::fill_n(+d_keys_, all(), 0.0f);
    std::fill_n(+d_values_, all(), 0.0f);
    std::fill_n(+d_weight_, span_, 0.0f);
    for (int first = 0; first < s_.queries; first += block_) walk_back(first, tape, out);
    unpack_rows(d_keys_, width_, s_.keys, by_weight(), of_keys(out.keys), 0);
    unpack_rows(d_values_, width_, s_.keys, by_weight(), of_keys(out.values), 0);
    std::memcpy(out.weight + size_t(task) * s_.keys, d_weight_, s_.keys * sizeof(float));
  }

 private:
  size_t all() const { return size_t(round_up(span_, kRows)) * width_; }
  size_t block() const { return size_t(block_) * width_; }
  // The last tile of keys reads over the end.
  size_t scores() const { return size_t(block_) * span_ + kRows; }

  float scale() const { return 1.0f / std::sqrt(float(s_.depth)); }
  float factor() const { return in_.rate > 0 ? 1.0f / (1.0f - in_.rate) : 1.0f; }
  size_t first_of_task() const { return (size_t(text_) * s_.heads + head_) * s_.queries; }

  template <typename Float>
  Pieces<Float> pieces(Float* array, int count) const {
    const size_t stride = size_t(s_.heads) * s_.depth;
    return {array + size_t(text_) * count * stride + head_ * s_.depth, count, s_.depth, stride};
  }
  template <typename Float>
  Pieces<Float> of_queries(Float* array) const { return pieces(array, s_.queries); }
  template <typename Float>
  Pieces<Float> of_keys(Float* array) const { return pieces(array, s_.keys); }

  void begin(int task) {
    text_ = task / s_.heads;
    head_ = task % s_.heads;
    const float* weight = in_.weight + size_t(text_) * s_.keys;
    for (int j = 0; j < span_; ++j) {
      weight_[j] = j < s_.keys ? weight[j] : 0.0f;
      const bool counts = weight_[j] > 0;
      log_weight_[j] = counts ? std::log(weight_[j]) : kNever;
      most_[j] = counts ? kLargestWeighed : kLargestExponent;
    }
  }

  // Keys or values times their weights, to stand on the right of a product over keys.
  void pack_all_keys(const float* array, Scratch& to) {
    pack_rows(of_keys(array), 0, s_.keys, width_, kColumns, by_weight(), to);
  }

  // A block of pieces as rows [rows][width].
  void pack_block(const float* array, int first, int rows, float by, Scratch& to) {
    pack_rows(of_queries(array), first, rows, width_, width_, [=](int) { return by; }, to);
  }

  // The same to stand on the right of a product over the block.
  void pack_panels(const float* array, int first, int rows, float by, Scratch& to) {
    pack_rows(of_queries(array), first, rows, width_, kColumns, [=](int) { return by; }, to);
  }

  // The scores of a block of queries with all keys, those outside of the window never drawn.
  void score(int first, int rows) {
    pack_block(in_.queries, first, rows, scale(), rows_);
    multiply_tiles<false>({rows_, width_, 1}, key_columns_, s_.depth, scores_,
                          span_, rows, span_);
    if (s_.window < 0) return;
    for (int i = 0; i < rows; ++i) {
      float* scores = scores_ + size_t(i) * span_;
      const int begin = std::clamp(first + i - s_.window, 0, span_);
      const int end = std::clamp(first + i + s_.window + 1, 0, span_);
      std::fill(scores, scores + begin, kNever);
      std::fill(scores + end, scores + span_, kNever);
    }
  }

  INLINE Vector drawn(const float* scores, int j, float highest) const {
    return exponential(lesser(load(scores + j) - highest, load(most_ + j)));
  }

  // exp(s - m) with dropout in place of a query's scores; m and Z go to the tape.
  void draw(int first, int i, const Tape& tape) {
    float* scores = scores_ + size_t(i) * span_;
    Vector most = fill(kNever), sum{};
    for (int j = 0; j < span_; j += kLanes) {
      most = greater(most, load(scores + j) + load(log_weight_ + j));
    }
    float highest = kNever, total = 0;
    for (int lane = 0; lane < kLanes; ++lane) highest = std::max(highest, most[lane]);
    highest = highest > 0.5f * kNever ? highest : 0.0f;  // no key counts
    const Kept kept(in_, text_, head_, first + i);
    for (int j = 0; j < span_; j += kLanes) {
      const Vector share = drawn(scores, j, highest);
      sum += share * load(weight_ + j);
      store(scores + j, in_.rate > 0 ? kept.of(j, share) : share);
    }
    for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
    tape.highest[first_of_task() + first + i] = highest;
    tape.total[first_of_task() + first + i] = total > 0 ? total : 1.0f;
  }

  void walk_back(int first, const Tape& tape, const Gradients& out) {
    const int count = std::min(block_, s_.queries - first), rows = round_up(count, kRows);
    score(first, rows);
    pack_block(out.d_out, first, rows, factor(), d_rows_);
    pack_panels(in_.queries, first, rows, scale(), row_panels_);
    pack_panels(out.d_out, first, rows, factor(), d_row_panels_);
    multiply_tiles<false>({d_rows_, width_, 1}, value_columns_, s_.depth,
                          pulls_, span_, rows, span_);
    for (int i = 0; i < count; ++i) pull(first, i, tape, out);
    multiply_tiles<false>({pulls_, span_, 1}, key_rows_, s_.keys, results_,
                          width_, rows, width_);
    unpack_rows(results_, width_, count, [&](int) { return scale(); },
                of_queries(out.queries), first);
    const int keys = round_up(s_.keys, kRows);
    multiply_tiles<true>({pulls_, 1, span_}, row_panels_, rows, d_keys_,
                         width_, keys, width_);
    multiply_tiles<true>({scores_, 1, span_}, d_row_panels_, rows, d_values_,
                         width_, keys, width_);
  }

  // Of a query: the dropped shares a in place of its scores, t in place of dout V'.
  void pull(int first, int i, const Tape& tape, const Gradients& out) {
    float* scores = scores_ + size_t(i) * span_;
    float* pulls = pulls_ + size_t(i) * span_;
    const float highest = tape.highest[first_of_task() + first + i];
    const float total = tape.total[first_of_task() + first + i], part = 1.0f / total;
    const float* d_out = of_queries(out.d_out)[first + i];
    const float* result = of_queries<const float>(tape.out)[first + i];
    float delta = 0;
    for (int d = 0; d < s_.depth; ++d) delta += d_out[d] * result[d];
    const Kept kept(in_, text_, head_, first + i);
    for (int j = 0; j < span_; j += kLanes) {
      const Vector share = drawn(scores, j, highest) * part, arriving = load(pulls + j);
      const bool drops = in_.rate > 0;
      store(scores + j, drops ? kept.of(j, share) : share);
      const Vector t = share * ((drops ? kept.of(j, arriving) : arriving) - delta);
      store(pulls + j, t);
      const Vector slope = load(weight_ + j) > 0 ? t : t / (1.0f + share);
      float* d_weight = d_weight_ + j;
      store(d_weight, load(d_weight) + slope);
    }
  }

  Sizes s_;
  Inputs in_;
  int width_, span_, block_, text_ = 0, head_ = 0;
  Scratch weight_, log_weight_, most_, d_weight_, scores_, pulls_;
  Scratch rows_, results_, d_rows_, row_panels_, d_row_panels_;
  Scratch key_columns_, value_rows_, value_columns_, key_rows_, d_keys_, d_values_;
};

}  // namespace attention
