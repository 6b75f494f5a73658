// e4m3: 8-bit floating point of 1 sign, 4 exponent and 3 fraction bits, exponent bias 7, no infinities. 0x7F and 0xFF are
// NaN; the largest number is 448, the smallest above 0 is 2^-9.
#pragma once

#include <cstring>

#include "cuda/ptx.cuh"

namespace sgmv::cuda {

inline constexpr float kE4m3Max = 448.0f;

// To the nearest, ties to even, at most ±448; NaN stays NaN.
__host__ __device__ inline uint8_t e4m3_from(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 24 & 0x80u;
  const uint32_t magnitude = bits & 0x7FFF'FFFFu;
  if (magnitude > 0x7F80'0000u) return 0x7F;
  if (magnitude >= 0x43E0'0000u) return static_cast<uint8_t>(sign | 0x7Eu);  // 448 and more
  if (magnitude < 0x3C80'0000u) {
    // Below 2^-6 codes count in steps of 2^-9, which is what a float at 2^14 does: the addition rounds.
    float shifted;
    std::memcpy(&shifted, &magnitude, sizeof shifted);
    shifted += 16384.0f;
    std::memcpy(&bits, &shifted, sizeof bits);
    return static_cast<uint8_t>(sign | (bits & 0xFu));
  }
  const uint32_t rounded = magnitude + 0x7'FFFFu + (magnitude >> 20 & 1u);  // a carry goes on into the exponent
  return static_cast<uint8_t>(sign | ((rounded >> 20) - (120u << 3)));
}

// Two codes, in the upper bytes of the halves of `codes`, as numbers of T. Exact, also for the small ones: in both types 3
// bits of fraction and 4 of exponent are the upper ones of what they have, and a product puts the exponent's bias right. No
// result is a number that a matrix product might take for zero.
template <typename T>
__device__ uint32_t e4m3_pair(uint32_t codes);
template <>
__device__ __forceinline__ uint32_t e4m3_pair<f16>(uint32_t codes) {
  return multiply_f16x2((codes & 0x8000'8000u) | (codes >> 1 & 0x3F80'3F80u), 0x5C00'5C00u);  // biases 7 and 15: times 2^8
}
template <>
__device__ __forceinline__ uint32_t e4m3_pair<bf16>(uint32_t codes) {
  return multiply_bf16x2((codes & 0x8000'8000u) | (codes >> 4 & 0x07F0'07F0u), 0x7B80'7B80u);  // biases 7 and 127: times 2^120
}

}  // namespace sgmv::cuda
