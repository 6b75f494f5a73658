// The exponential of the sampler: the same bits on every machine, and fast over a whole vocabulary.
#pragma once

#include <bit>
#include <cstdint>

namespace sgmv {

// exp(x) for x <= 0, relative error below 2e-7, zero below -87. Branch-free, so that the loop over the vocabulary
// vectorizes: this runs once per sampled token and vocabulary entry, where libm's expf would dominate a step.
inline float exp_negative(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to the nearest integer
  const float clamped = x < -87.0f ? -87.0f : x;
  const float n = (clamped * 1.44269504088896341f + kRound) - kRound;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;  // Cody-Waite: ln 2 in two parts
  float p = 1.9875691500e-4f;  // Cephes expf polynomial
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const float power = std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
  return x < -87.0f ? 0.0f : p * power;
}

}  // namespace sgmv
