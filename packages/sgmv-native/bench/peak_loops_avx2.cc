#include "peak_loops.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

namespace sgmv::bench {
namespace {

constexpr int kSums = 12;  // of 16 registers

// A sum the compiler knows nothing about: sums that began alike would be computed once.
template <typename Vector>
void forget(Vector& sum) {
  asm volatile("" : "+x"(sum));
}

void multiply_f32(int64_t iterations) {
  __m256 sums[kSums] = {}, a = _mm256_set1_ps(1e-3f), b = a;
  forget(a), forget(b);
  for (auto& sum : sums) forget(sum);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) sums[j] = _mm256_fmadd_ps(a, b, sums[j]);
  for (auto& sum : sums) forget(sum);
}

// Without VNNI an int8 product takes three instructions: pairs to 16 bits, pairs of those to 32, and the sum.
void multiply_int8(int64_t iterations) {
  __m256i sums[kSums] = {}, a = _mm256_set1_epi8(1), b = a;
  const __m256i ones = _mm256_set1_epi16(1);
  for (auto& sum : sums) forget(sum);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) {
      forget(a);  // else every product would be the same, computed once
      sums[j] = _mm256_add_epi32(sums[j], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  for (auto& sum : sums) forget(sum);
}

uint64_t read_all(const std::byte* data, size_t bytes) {
  constexpr int kLoads = 8;
  __m256i sums[kLoads] = {};
  for (size_t at = 0; at < bytes; at += kLoads * 32)
#pragma GCC unroll 8
    for (int j = 0; j < kLoads; ++j)
      sums[j] = _mm256_xor_si256(sums[j], _mm256_load_si256(reinterpret_cast<const __m256i*>(data + at + j * 32)));
  __m256i all = sums[0];
  for (int j = 1; j < kLoads; ++j) all = _mm256_xor_si256(all, sums[j]);
  return static_cast<uint64_t>(_mm256_extract_epi64(all, 0) ^ _mm256_extract_epi64(all, 1) ^ _mm256_extract_epi64(all, 2) ^
                               _mm256_extract_epi64(all, 3));
}

}  // namespace

PeakLoops peak_loops_avx2() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return {};
  return {{{"f32", "avx2 fmadd", kSums * 8 * 2, multiply_f32}, {"int8", "avx2 maddubs", kSums * 32 * 2, multiply_int8}}, 2, read_all};
}

}  // namespace sgmv::bench
#else
namespace sgmv::bench {
PeakLoops peak_loops_avx2() { return {}; }
}  // namespace sgmv::bench
#endif
