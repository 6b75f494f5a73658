#include "peak_loops.h"

#if defined(__AVX512F__) && defined(__AVX512VNNI__) && defined(__AVX512BF16__)
#include <immintrin.h>

namespace sgmv::bench {
namespace {

constexpr int kSums = 16;  // independent, enough to hide the latency of every core there is

// A sum the compiler knows nothing about: sums that began alike would be computed once.
template <typename Vector>
void forget(Vector& sum) {
  asm volatile("" : "+v"(sum));
}

void multiply_f32(int64_t iterations) {
  __m512 sums[kSums] = {}, a = _mm512_set1_ps(1e-3f), b = a;
  forget(a), forget(b);
  for (auto& sum : sums) forget(sum);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) sums[j] = _mm512_fmadd_ps(a, b, sums[j]);
  for (auto& sum : sums) forget(sum);
}

void multiply_bf16(int64_t iterations) {
  __m512 sums[kSums] = {};
  __m512i a = _mm512_set1_epi16(0x3A83), b = a;  // 1e-3
  forget(a), forget(b);
  for (auto& sum : sums) forget(sum);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) sums[j] = _mm512_dpbf16_ps(sums[j], (__m512bh)a, (__m512bh)b);
  for (auto& sum : sums) forget(sum);
}

void multiply_int8(int64_t iterations) {
  __m512i sums[kSums] = {}, a = _mm512_set1_epi8(1), b = a;
  forget(a), forget(b);
  for (auto& sum : sums) forget(sum);
  for (int64_t i = 0; i < iterations; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) sums[j] = _mm512_dpbusd_epi32(sums[j], a, b);
  for (auto& sum : sums) forget(sum);
}

uint64_t read_all(const std::byte* data, size_t bytes) {
  __m512i sums[kSums] = {};
  for (size_t at = 0; at < bytes; at += kSums * 64)
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) sums[j] = _mm512_xor_si512(sums[j], _mm512_load_si512(data + at + j * 64));
  __m512i all = sums[0];
  for (int j = 1; j < kSums; ++j) all = _mm512_xor_si512(all, sums[j]);
  alignas(64) uint64_t words[8];
  _mm512_store_si512(words, all);
  uint64_t result = 0;
  for (const uint64_t word : words) result ^= word;
  return result;
}

}  // namespace

PeakLoops peak_loops_avx512() {
  PeakLoops found = {};
  if (!__builtin_cpu_supports("avx512f")) return found;
  found.read = read_all;
  found.loops[found.count++] = {"f32", "avx512 fmadd", kSums * 16 * 2, multiply_f32};
  if (__builtin_cpu_supports("avx512bf16")) found.loops[found.count++] = {"bf16", "avx512 dpbf16", kSums * 32 * 2, multiply_bf16};
  if (__builtin_cpu_supports("avx512vnni")) found.loops[found.count++] = {"int8", "avx512 dpbusd", kSums * 64 * 2, multiply_int8};
  return found;
}

}  // namespace sgmv::bench
#else
namespace sgmv::bench {
PeakLoops peak_loops_avx512() { return {}; }
}  // namespace sgmv::bench
#endif
