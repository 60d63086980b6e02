// Words whose input projection is known: W x is read by the word's id, nothing is multiplied.

#pragma once

#include "sizes.h"

// What a direction reads in place of vectors.
struct Words {
  const float* table;  // [count, width]: W x of a word, gate by gate, and zeros up to the width
  const int* ids;      // [T, B]
  const float* mask;   // [T, B] or null
  int count, width;    // the width is a multiple of 4
};

#if defined(__AVX512F__)
#define WIDE(operation) _mm512_##operation
typedef __m512 Wide;
#elif defined(__AVX2__)
#define WIDE(operation) _mm256_##operation
typedef __m256 Wide;
#endif

#if defined(WIDE)
// Four numbers of each of the texts j, j + 4, j + 8, ..: one after the other.
INLINE Wide every_fourth(const float* const* texts, int j, int k) {
  const __m128 first = _mm_loadu_ps(texts[j] + k), second = _mm_loadu_ps(texts[j + 4] + k);
  const __m256 half = _mm256_insertf128_ps(_mm256_castps128_ps256(first), second, 1);
#if defined(__AVX512F__)
  const __m512 three = _mm512_insertf32x4(_mm512_castps256_ps512(half),
                                          _mm_loadu_ps(texts[j + 8] + k), 2);
  return _mm512_insertf32x4(three, _mm_loadu_ps(texts[j + 12] + k), 3);
#else
  return half;
#endif
}

// Numbers k .. k + 3 of kLanes texts become four rows of a tile: 4 x 4 blocks turned side by side.
INLINE void turn_four(const float* const* texts, int k, float* to) {
  const Wide a = every_fourth(texts, 0, k), b = every_fourth(texts, 1, k);
  const Wide c = every_fourth(texts, 2, k), d = every_fourth(texts, 3, k);
  auto low = [](Wide x, Wide y) { return WIDE(castps_pd)(WIDE(unpacklo_ps)(x, y)); };
  auto high = [](Wide x, Wide y) { return WIDE(castps_pd)(WIDE(unpackhi_ps)(x, y)); };
  const auto ab = low(a, b), cd = low(c, d), ab_high = high(a, b), cd_high = high(c, d);
  store(to, Vector(WIDE(castpd_ps)(WIDE(unpacklo_pd)(ab, cd))));
  store(to + kColumns, Vector(WIDE(castpd_ps)(WIDE(unpackhi_pd)(ab, cd))));
  store(to + 2 * kColumns, Vector(WIDE(castpd_ps)(WIDE(unpacklo_pd)(ab_high, cd_high))));
  store(to + 3 * kColumns, Vector(WIDE(castpd_ps)(WIDE(unpackhi_pd)(ab_high, cd_high))));
}
#else
INLINE void turn_four(const float* const* texts, int k, float* to) {
  for (int text = 0; text < kLanes; ++text) {
    for (int i = 0; i < 4; ++i) to[i * kColumns + text] = texts[text][k + i];
  }
}
#endif

class WordInput {
 public:
  WordInput(const Sizes& sizes, const Words& words)
      : sizes_(sizes), words_(words), x_(size_t(words.width + kRows) * kColumns) {}

  ALONE void read(int t, int first, int columns) {
    const float* texts[kColumns];
    for (int i = 0; i < kColumns; ++i) texts[i] = i < columns ? row(t, first + i) : words_.table;
    for (int v = 0; v < kVectors; ++v) {
      for (int k = 0; k < words_.width; k += 4) {
        turn_four(texts + v * kLanes, k, x_ + k * kColumns + v * kLanes);
      }
      const size_t at = size_t(t) * sizes_.batch + first;
      factor_[v] = words_.mask ? get(words_.mask + at, v * kLanes, columns) : fill(1.0f);
    }
  }

  INLINE void add(Vector (&sums)[kRows][kVectors], int unit) const {
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      const float* from = x_ + (i / kUnits * sizes_.units + unit + i % kUnits) * kColumns;
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[i][v] += load(from + v * kLanes) * factor_[v];
    }
  }

 private:
  // An unselected word counts as the unknown one, whose projection is in the cache.
  const float* row(int t, int text) const {
    const size_t at = size_t(t) * sizes_.batch + text;
    if (words_.mask && words_.mask[at] == 0) return words_.table;
    const int id = words_.ids[at], last = words_.count - 1;
    return words_.table + size_t(id < 0 ? 0 : id > last ? last : id) * words_.width;
  }

  const Sizes sizes_;
  const Words words_;
  Scratch x_;
  Vector factor_[kVectors] = {};
};
