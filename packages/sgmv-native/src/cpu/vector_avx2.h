// Eight floats in a register. Included only by kernels_avx2.cc; see vector_avx512.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

alignas(32) constexpr int32_t kLanesOn[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

struct V {
  using F = __m256;
  using I = __m256i;
  static constexpr int width = 8;
  static constexpr int gemm_rows = 6;
  static constexpr int gemm_vectors = 2;
  static constexpr int i8_rows = 2;
  static constexpr int bf16_rows = 4;

  static __m256i mask(int64_t n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLanesOn + 8 - n)); }
  static F zero() { return _mm256_setzero_ps(); }
  static F set1(float x) { return _mm256_set1_ps(x); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static F load_part(const float* p, int64_t n) { return _mm256_maskload_ps(p, mask(n)); }
  static void store(float* p, F x) { _mm256_storeu_ps(p, x); }
  static void store_part(float* p, F x, int64_t n) { _mm256_maskstore_ps(p, mask(n), x); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }  // b when either is NaN
  static F min(F a, F b) { return _mm256_min_ps(a, b); }  // b when either is NaN
  static float sum(F x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
  static float largest(F x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
  static F times_power_of_two(F x, F n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
  }

  static F load_bf16(const uint16_t* p) {
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
  }
  static F load_f16(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static void store_f16(uint16_t* p, F x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static __m128i narrow_16(I x) {
    return _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  }
  static void store_bf16(uint16_t* p, F x) {
    const I bits = _mm256_castps_si256(x);
    const I odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const I rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
    const I is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const I kept = _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7FC0), is_nan);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow_16(kept));
  }
  static void store_i8(int8_t* p, F whole) {
    const I wide = _mm256_cvtps_epi32(whole);
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(half, half));
  }

  static I izero() { return _mm256_setzero_si256(); }
  static I iset1(int32_t x) { return _mm256_set1_epi32(x); }
  static I iload(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void istore(void* p, I x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
  static I isub(I a, I b) { return _mm256_sub_epi32(a, b); }
  static F to_float(I x) { return _mm256_cvtepi32_ps(x); }
  static I low_nibbles(I x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
  static I high_nibbles(I x) { return low_nibbles(_mm256_srli_epi16(x, 4)); }
  template <int j>
  static F byte(I x) {
    return to_float(_mm256_and_si256(_mm256_srli_epi32(x, 8 * j), _mm256_set1_epi32(255)));
  }
  static F pair_low(I x) { return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)); }
  static F pair_high(I x) { return _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32(static_cast<int>(0xFFFF0000u)))); }
  static F group_scales(const float* scales) { return set1(*scales); }

  // acc + the sum of each lane's four products, unsigned · signed, exactly: in halves of 4 bits no 16-bit sum of two
  // products can saturate.
  static I dot(I acc, I u8, I s8) {
    const I high = _mm256_madd_epi16(_mm256_maddubs_epi16(high_nibbles(u8), s8), _mm256_set1_epi16(16));
    return dot_u4(_mm256_add_epi32(acc, high), low_nibbles(u8), s8);
  }
  // The same where the unsigned numbers are below 16.
  static I dot_u4(I acc, I u4, I s8) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(u4, s8), _mm256_set1_epi16(1)));
  }
  static F dot_bf16(F acc, I a, I b) {
    return fma(pair_high(a), pair_high(b), fma(pair_low(a), pair_low(b), acc));
  }
};

}  // namespace
