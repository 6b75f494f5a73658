// Number formats of stored tensors and their exact values in float32.
#pragma once

#include <bit>
#include <cstdint>
#include <cstddef>

namespace sgmv {

enum class DType : uint8_t { f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4, f8_e4m3, other };

const char* dtype_name(DType dtype);  // "F32" …
int64_t dtype_block(DType dtype);     // elements that are stored together; 1 for plain numbers
int64_t dtype_block_bytes(DType dtype);

// The distance between a block's numbers, as a share of the largest one, were they spread evenly to both sides of 0; 0: plain numbers.
float dtype_step(DType dtype);

inline float bf16_to_float(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline float f16_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1Fu;
  const uint32_t fraction = bits & 0x3FFu;
  if (exponent == 0) {  // zero and subnormals: fraction × 2^-24 is exact in float32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  const uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

// 1 sign, 4 exponent and 3 fraction bits, exponent bias 7, no infinities; 0x7F and 0xFF are NaN.
inline float e4m3_to_float(uint8_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x80u) << 24, magnitude = bits & 0x7Fu;
  if (magnitude == 0x7Fu) return std::bit_cast<float>(sign | 0x7FC00000u);
  if (magnitude < 8) return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-9f));
  return std::bit_cast<float>(sign | ((magnitude << 20) + (120u << 23)));
}

// Nearest, ties to even; NaN stays NaN.
inline uint16_t float_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value) return 0x7FC0;
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

// Nearest, ties to even; too large becomes infinity, NaN stays NaN.
inline uint16_t float_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // rounds to 65536 or more
  if (magnitude < 0x38800000u) {
    // Subnormal in half precision: adding 0.5 leaves the fraction in units of 2^-24, rounded by the addition itself.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000u));
  }
  const uint32_t rounded = magnitude + 0x0FFFu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

// Blocks of 32 numbers of four bits, two to a byte as in Q4_0, that stand for whole numbers in a table: MXFP4 (E2M1, with an exponent) and
// IQ4_NL. Writes one as a block of Q8_0 that holds the very same numbers; false: none does, since half precision does not hold the scale.
inline bool is_table_of_whole_numbers(DType dtype) { return dtype == DType::mxfp4 || dtype == DType::iq4_nl; }
bool table_to_q8_0(DType dtype, const std::byte* block, std::byte* to);

// Index of the first value that is NaN or infinite, or whose block has such a scale; -1: there is none. `source` need
// not be aligned.
int64_t first_not_finite(DType dtype, const std::byte* source, int64_t count);

// Writes `count` values as float32; `count` is a multiple of dtype_block(dtype). `source` need not be aligned.
void dequantize(DType dtype, const std::byte* source, int64_t count, float* out);

}  // namespace sgmv
