// Sixteen floats in a register. Included only by kernels_avx512*.cc, which differ in what their flags allow (VNNI,
// BF16); everything is in an unnamed namespace, so that no function compiled with these flags can be linked into code
// for other machines.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

struct V {
  using F = __m512;
  using I = __m512i;
  static constexpr int width = 16;
  static constexpr int gemm_rows = 12;
  static constexpr int gemm_vectors = 2;
  static constexpr int i8_rows = 6;
  static constexpr int bf16_rows = 12;

  static __mmask16 mask(int64_t n) { return static_cast<__mmask16>((1u << n) - 1u); }
  static F zero() { return _mm512_setzero_ps(); }
  static F set1(float x) { return _mm512_set1_ps(x); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static F load_part(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(mask(n), p); }
  static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static void store_part(float* p, F x, int64_t n) { _mm512_mask_storeu_ps(p, mask(n), x); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }  // b when either is NaN
  static F min(F a, F b) { return _mm512_min_ps(a, b); }  // b when either is NaN
  static float sum(F x) { return _mm512_reduce_add_ps(x); }
  static float largest(F x) { return _mm512_reduce_max_ps(x); }
  static F times_power_of_two(F x, F n) { return _mm512_scalef_ps(x, n); }

  static F load_bf16(const uint16_t* p) {
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
  }
  static F load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store_f16(uint16_t* p, F x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static void store_bf16(uint16_t* p, F x) {
    const I bits = _mm512_castps_si512(x);
    const I odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const I rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
    const I kept = _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_set1_epi32(0x7FC0));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(kept));
  }
  static void store_i8(int8_t* p, F whole) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(whole)));
  }

  static I izero() { return _mm512_setzero_si512(); }
  static I iset1(int32_t x) { return _mm512_set1_epi32(x); }
  static I iload(const void* p) { return _mm512_loadu_si512(p); }
  static void istore(void* p, I x) { _mm512_storeu_si512(p, x); }
  static I isub(I a, I b) { return _mm512_sub_epi32(a, b); }
  static F to_float(I x) { return _mm512_cvtepi32_ps(x); }
  static I low_nibbles(I x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
  static I high_nibbles(I x) { return low_nibbles(_mm512_srli_epi16(x, 4)); }
  // Byte j of every 32-bit lane, as a float.
  template <int j>
  static F byte(I x) {
    return to_float(_mm512_and_si512(_mm512_srli_epi32(x, 8 * j), _mm512_set1_epi32(255)));
  }
  static F pair_low(I x) { return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)); }
  static F pair_high(I x) { return _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u)))); }
  // The scale of each lane's 4 inputs: a register of bytes covers two groups.
  static F group_scales(const float* scales) {
    double two;
    __builtin_memcpy(&two, scales, sizeof two);
    const __m512i halves = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_permutexvar_ps(halves, _mm512_castpd_ps(_mm512_set1_pd(two)));
  }

  // acc + the sum of each lane's four products, unsigned · signed, exactly.
  static I dot(I acc, I u8, I s8) {
#if defined(__AVX512VNNI__)
    return _mm512_dpbusd_epi32(acc, u8, s8);
#else
    // In halves of 4 bits no 16-bit sum of two products can saturate.
    const I high = _mm512_madd_epi16(_mm512_maddubs_epi16(high_nibbles(u8), s8), _mm512_set1_epi16(16));
    return dot_u4(_mm512_add_epi32(acc, high), low_nibbles(u8), s8);
#endif
  }
  // The same where the unsigned numbers are below 16.
  static I dot_u4(I acc, I u4, I s8) {
#if defined(__AVX512VNNI__)
    return dot(acc, u4, s8);
#else
    return _mm512_add_epi32(acc, _mm512_madd_epi16(_mm512_maddubs_epi16(u4, s8), _mm512_set1_epi16(1)));
#endif
  }
  // acc + the sum of each lane's two bfloat16 products.
  static F dot_bf16(F acc, I a, I b) {
#if defined(__AVX512BF16__)
    return _mm512_dpbf16_ps(acc, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
#else
    return fma(pair_high(a), pair_high(b), fma(pair_low(a), pair_low(b), acc));
#endif
  }
};

}  // namespace
