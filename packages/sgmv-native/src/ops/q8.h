// Numbers of 8 bits that share a scale: value ≈ scale · q, q whole and from -127 to 127, to the nearest. How they lie in
// memory is each backend's own; that they are the same numbers is decided here.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "formats/dtype.h"

namespace sgmv {

// NaN if one of them is.
inline float largest_magnitude(const float* values, int64_t count) {
  float largest = 0.0f;
  for (int64_t i = 0; i < count; ++i) largest = std::isnan(values[i]) ? NAN : std::max(largest, std::abs(values[i]));
  return largest;
}

struct Q8Scale {
  float scale, inverse;
  int nearest(float value) const { return static_cast<int>(std::clamp(std::nearbyint(value * inverse), -127.0f, 127.0f)); }
};

// Where nothing is as large as 4e-37, float32 has no inverse: all numbers are zeros then.
inline Q8Scale q8_scale(float largest) {
  const float inverse = 127.0f / largest;
  return std::isfinite(inverse) ? Q8Scale{largest / 127.0f, inverse} : Q8Scale{0.0f, 0.0f};
}

// A half-precision scale, infinite or NaN if there is none. Below its normal range it is rounded coarsely; the numbers are
// clamped then.
inline Q8Scale q8_scale_f16(float largest, uint16_t& bits) {
  bits = float_to_f16(largest / 127.0f);
  const float scale = f16_to_float(bits);
  return {scale, scale > 0.0f ? 1.0f / scale : 0.0f};
}

}  // namespace sgmv
