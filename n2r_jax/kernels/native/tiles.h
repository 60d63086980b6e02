// Vectors, tiles and the two matrix products that the GRU is made of.
//
// A tile is kColumns texts wide. Everything in a tile is [rows][kColumns]: a row is a unit (or a
// feature, or a gate of a unit), a column is a text, and the texts are the lanes of the vectors.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))
// A function with all vector registers to itself: inlined, its sums would spill to the stack.
#define ALONE __attribute__((noinline))

#if defined(__AVX512F__)
constexpr int kLanes = 16, kUnits = 4;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kUnits = 2;
#else
constexpr int kLanes = 4, kUnits = 2;
#endif

constexpr int kVectors = 2;                  // side by side in a tile
constexpr int kColumns = kVectors * kLanes;  // texts in a tile
constexpr int kRows = 3 * kUnits;            // of sums kept in registers: 24 of 32 with AVX-512

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
typedef int Integers __attribute__((vector_size(kLanes * sizeof(int))));

INLINE Vector load(const float* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

INLINE void store(float* to, Vector v) { std::memcpy(to, &v, sizeof v); }

INLINE Vector fill(float value) { return value - Vector{}; }

// The smaller and the larger of two vectors, NaN where the second is: the processor's own rule.
INLINE Vector smaller(Vector a, Vector b) {
#if defined(__AVX512F__)
  return Vector(_mm512_min_ps(__m512(a), __m512(b)));
#elif defined(__AVX2__)
  return Vector(_mm256_min_ps(__m256(a), __m256(b)));
#else
  return a < b ? a : b;
#endif
}

INLINE Vector larger(Vector a, Vector b) {
#if defined(__AVX512F__)
  return Vector(_mm512_max_ps(__m512(a), __m512(b)));
#elif defined(__AVX2__)
  return Vector(_mm256_max_ps(__m256(a), __m256(b)));
#else
  return a > b ? a : b;
#endif
}

// The rational approximation of tanh that XLA and Eigen use, x p(x^2) / q(x^2), to 6 ulp. Vectors
// side by side share one division, which takes as long as all else that a tanh is made of; so they
// share a NaN too.
INLINE void tanh(Vector (&x)[kVectors]) {
  static_assert(kVectors == 2, "two quotients share a division");
  constexpr float kLargest = 7.90531110763549805f;  // from here on it is 1 in float32
  Vector above[kVectors], below[kVectors];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const Vector inside = larger(fill(-kLargest), smaller(fill(kLargest), x[v]));
    const Vector s = inside * inside;
    Vector p = s * -2.76076847742355e-16f + 2.00018790482477e-13f;
    p = p * s + -8.60467152213735e-11f;
    p = p * s + 5.12229709037114e-08f;
    p = p * s + 1.48572235717979e-05f;
    p = p * s + 6.37261928875436e-04f;
    p = p * s + 4.89352455891786e-03f;
    Vector q = s * 1.19825839466702e-06f + 1.18534705686654e-04f;
    q = q * s + 2.26843463243900e-03f;
    above[v] = inside * p;
    below[v] = q * s + 4.89352518554385e-03f;
  }
  const Vector inverse = 1.0f / (below[0] * below[1]);
  x[0] = above[0] * (below[1] * inverse);
  x[1] = above[1] * (below[0] * inverse);
}

INLINE void sigmoid(Vector (&x)[kVectors]) {
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) x[v] *= 0.5f;
  tanh(x);
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) x[v] = 0.5f * x[v] + 0.5f;
}

// Zeroed memory for a tile's working arrays, aligned to a cache line.
class Scratch {
 public:
  explicit Scratch(size_t floats) {
    const size_t bytes = (floats * sizeof(float) + 63) / 64 * 64 + 64;
    memory_.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    std::memset(memory_.get(), 0, bytes);
  }
  operator float*() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::unique_ptr<float[], Free> memory_;
};

INLINE int blocks(int count, int size) { return (count + size - 1) / size; }

// Copies one time step's rows of an array [rows, batch] into a tile. Columns beyond the batch keep
// what they held: nothing that is written out depends on them.
INLINE void from_array(float* tile, const float* array, int rows, int batch, int columns) {
  for (int row = 0; row < rows; ++row) {
    std::memcpy(tile + row * kColumns, array + size_t(row) * batch, columns * sizeof(float));
  }
}

INLINE void put(float* array, Vector v, int first, int columns) {
  const int left = columns - first;
  if (left >= kLanes) {
    store(array + first, v);
  } else if (left > 0) {
    std::memcpy(array + first, &v, left * sizeof(float));
  }
}

INLINE Vector get(const float* array, int first, int columns) {
  const int left = columns - first;
  if (left >= kLanes) return load(array + first);
  Vector v{};
  if (left > 0) std::memcpy(&v, array + first, left * sizeof(float));
  return v;
}

// sums[i] += sum over k of weights[k][i] * tile[k]: kRows rows of a product with a packed matrix.
INLINE void multiply(Vector (&sums)[kRows][kVectors], const float* weights, const float* tile,
                     int depth) {
  for (int k = 0; k < depth; ++k, weights += kRows, tile += kColumns) {
    const Vector a = load(tile), b = load(tile + kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      sums[i][0] += weights[i] * a;
      sums[i][1] += weights[i] * b;
    }
  }
}

// out[i][j] += sum over steps s and texts k of rows[s][i][k] * panel[s][k][j], for kRows rows i and
// kWidth vectors j: a piece of a weight gradient.
struct Outer {
  const float* rows;
  size_t step;  // floats from one step's rows to the next one's
  const float* panel;
  int panel_size;  // floats from one vector j to the next
  int steps;

  template <int kWidth>
  INLINE void add(float* out, int stride, int valid_rows) const {
    Vector sums[kRows][kWidth] = {};
    const float *left = rows, *right = panel;
    for (int s = 0; s < steps; ++s, left += step) {
      for (int k = 0; k < kColumns; ++k, right += kLanes) {
        Vector vectors[kWidth];
#pragma GCC unroll 2
        for (int j = 0; j < kWidth; ++j) vectors[j] = load(right + j * panel_size);
#pragma GCC unroll 12
        for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
          for (int j = 0; j < kWidth; ++j) sums[i][j] += left[i * kColumns + k] * vectors[j];
        }
      }
    }
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      if (i >= valid_rows) break;
#pragma GCC unroll 2
      for (int j = 0; j < kWidth; ++j) {
        float* to = out + i * stride + j * kLanes;
        store(to, load(to) + sums[i][j]);
      }
    }
  }
};

// A matrix [rows, depth] as panels [panel][k][kRows] for `multiply`; rows beyond the last are zero.
// `at(row, k)` reads the matrix.
template <typename At>
Scratch pack(int rows, int depth, At at) {
  Scratch packed(size_t(blocks(rows, kRows)) * depth * kRows);
  float* to = packed;
  for (int first = 0; first < rows; first += kRows) {
    for (int k = 0; k < depth; ++k, to += kRows) {
      for (int i = 0; i < kRows && first + i < rows; ++i) to[i] = at(first + i, k);
    }
  }
  return packed;
}
