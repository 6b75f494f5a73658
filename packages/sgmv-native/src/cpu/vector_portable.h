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
  static constexpr int i8_rows = 2;
  static constexpr int bf16_rows = 3;

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
  static void store_f16(uint16_t* p, F x) {
    for (int i = 0; i < width; ++i) p[i] = sgmv::float_to_f16(x[i]);
  }
  static void store_bf16(uint16_t* p, F x) {
    for (int i = 0; i < width; ++i) p[i] = sgmv::float_to_bf16(x[i]);
  }
  static void store_i8(int8_t* p, F whole) {
    // A NaN has no integer value; its group's scale says that it was one.
    for (int i = 0; i < width; ++i) p[i] = whole[i] == whole[i] ? static_cast<int8_t>(whole[i]) : int8_t{0};
  }

  static I izero() { return I{0, 0, 0, 0}; }
  static I iset1(int32_t x) { return I{x, x, x, x}; }
  static I iload(const void* p) {
    I x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static void istore(void* p, I x) { std::memcpy(p, &x, sizeof x); }
  static I isub(I a, I b) { return a - b; }
  static F to_float(I x) { return __builtin_convertvector(x, F); }
  static I low_nibbles(I x) { return x & 0x0F0F0F0F; }
  static I high_nibbles(I x) { return (x >> 4) & 0x0F0F0F0F; }
  template <int j>
  static F byte(I x) {
    return to_float((x >> (8 * j)) & 255);
  }
  static F pair_low(I x) { return bits(x << 16); }
  static F pair_high(I x) { return bits(x & static_cast<int32_t>(0xFFFF0000u)); }
  static F bits(I x) {
    F f;
    std::memcpy(&f, &x, sizeof f);
    return f;
  }
  static F group_scales(const float* scales) { return set1(*scales); }

  static I dot(I acc, I u8, I s8) {
    for (int j = 0; j < 4; ++j) acc += ((u8 >> (8 * j)) & 255) * ((s8 << (24 - 8 * j)) >> 24);
    return acc;
  }
  static I dot_u4(I acc, I u4, I s8) { return dot(acc, u4, s8); }  // the same where the unsigned numbers are below 16
  static F dot_bf16(F acc, I a, I b) {
    return fma(pair_high(a), pair_high(b), fma(pair_low(a), pair_low(b), acc));
  }
};

}  // namespace
