// What a logit weighs in a draw and where it ranks, in numbers whose sums do not depend on their order.
//
// Weights have the bits of the CPU's (engine/exp_negative.h). Sums of them are whole numbers, of 2^-44 of the highest
// logit's weight: exact, so that threads may add in any order, and integer units are enough. What is cut off is below
// 2^-44 per token, where the CPU's sums in float64 lose less than 2^-50.
#pragma once

#include "cuda/ptx.cuh"

namespace sgmv::cuda {

// e^x for x <= 0, operation by operation as engine/exp_negative.h.
__device__ __forceinline__ float exp_negative(float x) {
  constexpr float kRound = 12582912.0f;
  const float clamped = x < -87.0f ? -87.0f : x;
  const float n = rounded_sum(rounded_sum(rounded_product(clamped, 1.44269504088896341f), kRound), -kRound);
  const float r = rounded_sum(rounded_sum(clamped, -rounded_product(n, 0.693359375f)), rounded_product(n, 2.12194440e-4f));
  float p = 1.9875691500e-4f;
  p = rounded_sum(rounded_product(p, r), 1.3981999507e-3f);
  p = rounded_sum(rounded_product(p, r), 8.3334519073e-3f);
  p = rounded_sum(rounded_product(p, r), 4.1665795894e-2f);
  p = rounded_sum(rounded_product(p, r), 1.6666665459e-1f);
  p = rounded_sum(rounded_product(p, r), 5.0000001201e-1f);
  p = rounded_sum(rounded_sum(rounded_product(rounded_product(p, r), r), r), 1.0f);
  const float power = __int_as_float((static_cast<int>(n) + 127) << 23);
  return x < -87.0f ? 0.0f : rounded_product(p, power);
}

// sgmv/sampling.h: uniform_at.
__device__ __forceinline__ double uniform_at(uint32_t seed, uint32_t position_low, uint32_t position_high) {
  uint32_t c0 = position_low, c1 = position_high, c2 = 0, c3 = 0, key0 = seed, key1 = 0x53474d56;
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * c0, b = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(b);
    c2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(a);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return static_cast<double>((uint64_t{c0} << 32 | c1) >> 11) * 0x1.0p-53;
}

// Orders numbers as their values do, with -0 equal to 0; NaN is above infinity.
__device__ __forceinline__ uint32_t rank_of(float logit) {
  const uint32_t bits = __float_as_uint(logit);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return 0xFFFFFFFF;
  if (bits == 0x80000000) return 0x80000000;
  return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}
inline constexpr uint32_t kRankOfInfinity = 0xFF800000, kRankOfMinusInfinity = 0x007FFFFF;

// The token of the highest rank, of equals the one with the lowest id, is the highest of these.
__device__ __forceinline__ uint64_t place_of(uint32_t rank, int32_t id) { return uint64_t{rank} << 32 | ~static_cast<uint32_t>(id); }

inline constexpr int kMassBits = 44;
inline constexpr uint64_t kMassOfHighest = uint64_t{1} << kMassBits;

// weight <= 1 in whole numbers of 2^-44, cut off.
__device__ __forceinline__ uint64_t mass_of(float weight) {
  const uint32_t bits = __float_as_uint(weight);
  const int below_one = 127 - static_cast<int>(bits >> 23);  // the weight is 1.f · 2^-below_one
  if (below_one > 63) return 0;
  return uint64_t{(bits & 0x7FFFFF) | 0x800000} << (kMassBits - 23) >> below_one;
}

// As Sampler: the draw takes the first token in order at which the sum of masses is above this.
__device__ __forceinline__ uint64_t draw_target(double uniform, uint64_t mass) {
  const auto target = static_cast<uint64_t>(uniform * static_cast<double>(mass));
  return target < mass ? target : mass - 1;
}

}  // namespace sgmv::cuda
