// Four floats in a register of an ARMv8 processor, all of which have this instruction set. Included only by
// kernels_neon.cc; see vector_avx512.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace {

struct V {
  using F = float32x4_t;
  using I = int32x4_t;
  static constexpr int width = 4;
  static constexpr int gemm_rows = 5;
  static constexpr int gemm_vectors = 4;
  static constexpr int i8_rows = 4;
  static constexpr int bf16_rows = 6;

  static F zero() { return vdupq_n_f32(0.0f); }
  static F set1(float x) { return vdupq_n_f32(x); }
  static F load(const float* p) { return vld1q_f32(p); }
  static F load_part(const float* p, int64_t n) {
    float part[4] = {};
    for (int64_t i = 0; i < n; ++i) part[i] = p[i];
    return vld1q_f32(part);
  }
  static void store(float* p, F x) { vst1q_f32(p, x); }
  static void store_part(float* p, F x, int64_t n) {
    float part[4];
    vst1q_f32(part, x);
    for (int64_t i = 0; i < n; ++i) p[i] = part[i];
  }
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static F add(F a, F b) { return vaddq_f32(a, b); }
  static F sub(F a, F b) { return vsubq_f32(a, b); }
  static F mul(F a, F b) { return vmulq_f32(a, b); }
  static F div(F a, F b) { return vdivq_f32(a, b); }
  static F max(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }  // b when either is NaN
  static F min(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }  // b when either is NaN
  static float sum(F x) { return vaddvq_f32(x); }
  static float largest(F x) { return vmaxvq_f32(x); }
  static F times_power_of_two(F x, F n) {
    const I exponent = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
    return vmulq_f32(x, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
  }

  static F load_bf16(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
  static F load_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static void store_f16(uint16_t* p, F x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
  static void store_bf16(uint16_t* p, F x) {
    const uint32x4_t bits = vreinterpretq_u32_f32(x);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vshrq_n_u32(vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF))), 16);
    const uint32x4_t kept = vbslq_u32(vceqq_f32(x, x), rounded, vdupq_n_u32(0x7FC0));
    vst1_u16(p, vmovn_u32(kept));
  }
  static void store_i8(int8_t* p, F whole) {
    const int16x4_t half = vqmovn_s32(vcvtnq_s32_f32(whole));
    const int8x8_t bytes = vqmovn_s16(vcombine_s16(half, half));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
    __builtin_memcpy(p, &four, sizeof four);
  }

  static I izero() { return vdupq_n_s32(0); }
  static I iset1(int32_t x) { return vdupq_n_s32(x); }
  static I iload(const void* p) { return vreinterpretq_s32_u8(vld1q_u8(static_cast<const uint8_t*>(p))); }
  static void istore(void* p, I x) { vst1q_u8(static_cast<uint8_t*>(p), vreinterpretq_u8_s32(x)); }
  static I isub(I a, I b) { return vsubq_s32(a, b); }
  static F to_float(I x) { return vcvtq_f32_s32(x); }
  static I low_nibbles(I x) { return vandq_s32(x, vdupq_n_s32(0x0F0F0F0F)); }
  static I high_nibbles(I x) { return low_nibbles(vreinterpretq_s32_u8(vshrq_n_u8(vreinterpretq_u8_s32(x), 4))); }
  template <int j>
  static F byte(I x) {
    const uint32x4_t bits = vreinterpretq_u32_s32(x);
    const uint32x4_t shifted = j == 0 ? bits : vshlq_u32(bits, vdupq_n_s32(-8 * j));
    return vcvtq_f32_u32(vandq_u32(shifted, vdupq_n_u32(255)));
  }
  static F pair_low(I x) { return vreinterpretq_f32_s32(vshlq_n_s32(x, 16)); }
  static F pair_high(I x) { return vreinterpretq_f32_s32(vandq_s32(x, vdupq_n_s32(static_cast<int32_t>(0xFFFF0000u)))); }
  static F group_scales(const float* scales) { return set1(*scales); }

  // acc + the sum of each lane's four products, unsigned · signed, exactly.
  static I dot(I acc, I u8, I s8) {
    const uint8x16_t a = vreinterpretq_u8_s32(u8);
    const int8x16_t b = vreinterpretq_s8_s32(s8);
    const auto products = [](uint8x8_t unsigned_part, int8x8_t signed_part) {
      const int16x8_t wide_a = vreinterpretq_s16_u16(vmovl_u8(unsigned_part)), wide_b = vmovl_s8(signed_part);
      return vpaddq_s32(vmull_s16(vget_low_s16(wide_a), vget_low_s16(wide_b)), vmull_high_s16(wide_a, wide_b));
    };
    const I low = products(vget_low_u8(a), vget_low_s8(b)), high = products(vget_high_u8(a), vget_high_s8(b));
    return vaddq_s32(acc, vpaddq_s32(low, high));
  }
  static I dot_u4(I acc, I u4, I s8) { return dot(acc, u4, s8); }  // the same where the unsigned numbers are below 16
  static F dot_bf16(F acc, I a, I b) { return fma(pair_high(a), pair_high(b), fma(pair_low(a), pair_low(b), acc)); }
};

}  // namespace
