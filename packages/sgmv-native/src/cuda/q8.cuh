// Whole numbers from -127 to 127 in 8 bits each, four to a word of 32 bits. Their bits lie so that two of them at a time
// become 16-bit floating point by a mask, without a subtraction of what a prefix stands for: a 7-bit magnitude in the
// lowest bits of a 16-bit number, with the sign where it has its own, is that magnitude times the smallest number above 0.
//
// Number i of a word: magnitude in the low 7 bits of byte {0, 2, 1, 3}[i], sign in the top bit of byte {1, 3, 2, 0}[i].
// Numbers 0 and 1 are then word & mask, numbers 2 and 3 are the word turned right by a byte & mask.
#pragma once

#include "cuda/ptx.cuh"

namespace sgmv::cuda {

struct q8 { uint8_t bits; };  // a byte of a word: what rows of such numbers are counted in

__host__ __device__ inline uint32_t q8_word(int q0, int q1, int q2, int q3) {
  const auto number = [](int q, int magnitude_bit, int sign_bit) {
    return static_cast<uint32_t>(q < 0 ? -q : q) << magnitude_bit | static_cast<uint32_t>(q < 0 ? 1 : 0) << sign_bit;
  };
  return number(q0, 0, 15) | number(q1, 16, 31) | number(q2, 8, 23) | number(q3, 24, 7);
}

// Two numbers, already where they belong, as numbers of T times 1 / q8_unit<T>(). Exact.
template <typename T>
__device__ uint32_t q8_pair(uint32_t bits);
template <>
__device__ __forceinline__ uint32_t q8_pair<f16>(uint32_t bits) {
  return multiply_f16x2(bits, 0x7800'7800u);  // times 2^15: a matrix product might take smaller ones for zero
}
template <>
__device__ __forceinline__ uint32_t q8_pair<bf16>(uint32_t bits) {
  return multiply_bf16x2(bits, 0x7B80'7B80u);  // times 2^120: of products with numbers of 2^-133 float32 would lose bits
}

template <typename T>
__host__ __device__ constexpr float q8_unit();
template <>
__host__ __device__ constexpr float q8_unit<f16>() { return 0x1p9f; }
template <>
__host__ __device__ constexpr float q8_unit<bf16>() { return 0x1p13f; }

// A word's numbers 0, 1 and 2, 3, the one with the lower index in the lower half.
template <typename T>
__device__ __forceinline__ uint2 q8_pairs(uint32_t word) {
  constexpr uint32_t kMask = 0x807F'807Fu;
  return make_uint2(q8_pair<T>(word & kMask), q8_pair<T>(permute_bytes(word, 0x0321) & kMask));
}

}  // namespace sgmv::cuda
