// Four floats through the compiler's vector extension: any machine. No fused multiply-add is assumed, so a product
// is rounded before it is added.
#pragma once

#include <cstdint>
#include <cstring>

#include "formats/dtype.h"

namespace {

struct V {
  typedef float F __attribute__((vector_size(16)));
  typedef int32_t I __attribute__((vector_size(16)));
  static constexpr int width = 4;
  static constexpr int gemm_rows = 3;
  static constexpr int gemm_vectors = 4;

  static F zero() { return F{0, 0, 0, 0}; }
  static F set1(float x) { return F{x, x, x, x}; }
  static F load(const float* p) {
    F x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static F load_part(const float* p, int64_t n) {
    F x = zero();
    for (int64_t i = 0; i < n; ++i) x[i] = p[i];
    return x;
  }
  static void store(float* p, F x) { std::memcpy(p, &x, sizeof x); }
  static void store_part(float* p, F x, int64_t n) {
    for (int64_t i = 0; i < n; ++i) p[i] = x[i];
  }
  static F fma(F a, F b, F c) { return a * b + c; }
  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F max(F a, F b) { return a > b ? a : b; }  // b when either is NaN
  static F min(F a, F b) { return a < b ? a : b; }  // b when either is NaN
  static float sum(F x) { return (x[0] + x[2]) + (x[1] + x[3]); }
  static float largest(F x) {
    const float a = x[0] > x[1] ? x[0] : x[1], b = x[2] > x[3] ? x[2] : x[3];
    return a > b ? a : b;
  }
  static F times_power_of_two(F x, F n) {
    F power = zero();
    for (int i = 0; i < width; ++i) {
      // A NaN has no integer value; its exponent is irrelevant, because x is NaN too.
      const int32_t exponent = n[i] == n[i] ? static_cast<int32_t>(n[i]) : 0;
      power[i] = std::bit_cast<float>((exponent + 127) << 23);
    }
    return x * power;
  }

  static F load_bf16(const uint16_t* p) {
    using namespace sgmv;
    return F{bf16_to_float(p[0]), bf16_to_float(p[1]), bf16_to_float(p[2]), bf16_to_float(p[3])};
  }
  static F load_f16(const uint16_t* p) {
    using namespace sgmv;
    return F{f16_to_float(p[0]), f16_to_float(p[1]), f16_to_float(p[2]), f16_to_float(p[3])};
  }
  static F load_i8(const void* p) {
    const auto* b = static_cast<const int8_t*>(p);
    return F{float(b[0]), float(b[1]), float(b[2]), float(b[3])};
  }
  static F load_low_nibbles(const void* p) {
    const auto* b = static_cast<const uint8_t*>(p);
    return F{float(b[0] & 15), float(b[1] & 15), float(b[2] & 15), float(b[3] & 15)};
  }
  static F load_high_nibbles(const void* p) {
    const auto* b = static_cast<const uint8_t*>(p);
    return F{float(b[0] >> 4), float(b[1] >> 4), float(b[2] >> 4), float(b[3] >> 4)};
  }
};

}  // namespace
