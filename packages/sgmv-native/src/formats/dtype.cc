// The block formats are those of ggml (ggml-common.h): little-endian, scales in half precision.
#include "formats/dtype.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

namespace sgmv {
namespace {

uint16_t load16(const std::byte* p) {
  uint16_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

uint8_t byte_at(const std::byte* p, int i) { return static_cast<uint8_t>(p[i]); }

void block_q8_0(const std::byte* b, float* out) {
  const float d = f16_to_float(load16(b));
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(byte_at(b, 2 + i)));
}

void block_q4_0(const std::byte* b, float* out) {
  const float d = f16_to_float(load16(b));
  for (int i = 0; i < 16; ++i) {
    const int q = byte_at(b, 2 + i);
    out[i] = d * static_cast<float>((q & 15) - 8);
    out[i + 16] = d * static_cast<float>((q >> 4) - 8);
  }
}

void block_q4_1(const std::byte* b, float* out) {
  const float d = f16_to_float(load16(b)), m = f16_to_float(load16(b + 2));
  for (int i = 0; i < 16; ++i) {
    const int q = byte_at(b, 4 + i);
    out[i] = d * static_cast<float>(q & 15) + m;
    out[i + 16] = d * static_cast<float>(q >> 4) + m;
  }
}

// The fifth bit of each number is in a word of its own.
int q5_number(const std::byte* high, const std::byte* q, int i) {
  uint32_t fifth;
  std::memcpy(&fifth, high, sizeof fifth);
  const int low = byte_at(q, i % 16);
  return (i < 16 ? low & 15 : low >> 4) | static_cast<int>(fifth >> i & 1) << 4;
}

void block_q5_0(const std::byte* b, float* out) {
  const float d = f16_to_float(load16(b));
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q5_number(b + 2, b + 6, i) - 16);
}

void block_q5_1(const std::byte* b, float* out) {
  const float d = f16_to_float(load16(b)), m = f16_to_float(load16(b + 2));
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q5_number(b + 4, b + 8, i)) + m;
}

// Six-bit scale and minimum of sub-block j, packed over twelve bytes.
void k_scale(int j, const std::byte* s, int& scale, int& minimum) {
  if (j < 4) {
    scale = byte_at(s, j) & 63;
    minimum = byte_at(s, j + 4) & 63;
  } else {
    scale = (byte_at(s, j + 4) & 15) | ((byte_at(s, j - 4) >> 6) << 4);
    minimum = (byte_at(s, j + 4) >> 4) | ((byte_at(s, j) >> 6) << 4);
  }
}

// Q4_K and Q5_K differ in one high bit per value, kept in 32 bytes of their own (`high`, null for Q4_K).
void block_q45_k(const std::byte* b, const std::byte* high, const std::byte* q, float* out) {
  const float d = f16_to_float(load16(b)), dmin = f16_to_float(load16(b + 2));
  for (int j = 0; j < 8; ++j) {
    int scale, minimum;
    k_scale(j, b + 4, scale, minimum);
    const float d1 = d * static_cast<float>(scale), m1 = dmin * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i) {
      int value = byte_at(q, (j / 2) * 32 + i);
      value = j % 2 == 0 ? value & 15 : value >> 4;
      if (high != nullptr) value += ((byte_at(high, i) >> j) & 1) << 4;
      out[j * 32 + i] = d1 * static_cast<float>(value) - m1;
    }
  }
}

void block_q6_k(const std::byte* b, float* out) {
  const float d = f16_to_float(load16(b + 208));
  for (int half = 0; half < 2; ++half) {
    const std::byte* low = b + half * 64;
    const std::byte* high = b + 128 + half * 32;
    const std::byte* scales = b + 192 + half * 8;
    for (int i = 0; i < 128; ++i) {
      const int group = i / 32, lane = i % 32;
      const int low_byte = byte_at(low, lane + (group % 2) * 32);
      const int low4 = group < 2 ? low_byte & 15 : low_byte >> 4;
      const int q = (low4 | (((byte_at(high, lane) >> (group * 2)) & 3) << 4)) - 32;
      const float scale = d * static_cast<float>(static_cast<int8_t>(byte_at(scales, i / 16)));
      out[half * 128 + i] = scale * static_cast<float>(q);
    }
  }
}

void block_q2_k(const std::byte* b, float* out) {
  const float d = f16_to_float(load16(b + 80)), dmin = f16_to_float(load16(b + 82));
  for (int i = 0; i < 256; ++i) {
    const int scales = byte_at(b, i / 16), q = byte_at(b, 16 + i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
    out[i] = d * static_cast<float>(scales & 15) * static_cast<float>(q) - dmin * static_cast<float>(scales >> 4);
  }
}

// A third bit of each number, without which four is taken off, and sixteen scales of six bits: four of each in a byte, then the other two.
void block_q3_k(const std::byte* b, float* out) {
  const std::byte* scales = b + 96;
  const float d = f16_to_float(load16(b + 108));
  for (int i = 0; i < 256; ++i) {
    const int j = i / 16, scale = (byte_at(scales, j % 8) >> (j / 8 * 4) & 15) | (byte_at(scales, 8 + j % 4) >> (j / 4 * 2) & 3) << 4;
    const int q = (byte_at(b, 32 + i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3) - ((byte_at(b, i % 32) >> (i / 32) & 1) != 0 ? 0 : 4);
    out[i] = d * static_cast<float>(scale - 32) * static_cast<float>(q);
  }
}

constexpr int8_t kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

void block_of_table(const int8_t* table, float scale, const std::byte* pairs, float* out) {
  for (int i = 0; i < 16; ++i) {
    const int pair = byte_at(pairs, i);
    out[i] = scale * static_cast<float>(table[pair & 15]);
    out[i + 16] = scale * static_cast<float>(table[pair >> 4]);
  }
}

void block_iq4_xs(const std::byte* b, float* out) {
  const float d = f16_to_float(load16(b));
  const int high = load16(b + 2);
  for (int j = 0; j < 8; ++j) {
    const int scale = (byte_at(b, 4 + j / 2) >> (j % 2 * 4) & 15) | (high >> (j * 2) & 3) << 4;
    block_of_table(kIq4, d * static_cast<float>(scale - 32), b + 8 + j * 16, out + j * 32);
  }
}

// Twice what E2M1 stands for.
constexpr int8_t kTwiceE2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
constexpr int kMxfp4Bias = 128;  // E8M0's and one more, for whole numbers
constexpr int kE8m0Nan = 255, kE8m0Safe = 252;  // 12 · 2^(252 - 128) is a float32

void block_mxfp4(const std::byte* b, float* out) {
  const int exponent = byte_at(b, 0);
  block_of_table(kTwiceE2m1, exponent == kE8m0Nan ? NAN : std::ldexp(1.0f, exponent - kMxfp4Bias), b + 1, out);
}

}  // namespace

bool table_to_q8_0(DType dtype, const std::byte* block, std::byte* to) {
  constexpr int kHalfMin = -24, kHalfMax = 15;  // exponents of half precision's powers of two
  const bool half = dtype == DType::iq4_nl;
  bool zero = true;
  for (int i = 0; i < 16; ++i) {
    const int pair = byte_at(block, (half ? 2 : 1) + i);
    zero = zero && (pair & 0x77) == 0;
    to[2 + i] = static_cast<std::byte>((half ? kIq4 : kTwiceE2m1)[pair & 15]);
    to[18 + i] = static_cast<std::byte>((half ? kIq4 : kTwiceE2m1)[pair >> 4]);
  }
  if (half) std::memcpy(to, block, sizeof(uint16_t));
  if (half) return true;
  const int exponent = byte_at(block, 0) - kMxfp4Bias;
  const bool fits = exponent >= kHalfMin && exponent <= kHalfMax;
  const uint16_t scale = fits ? float_to_f16(std::ldexp(1.0f, exponent)) : uint16_t{0};
  std::memcpy(to, &scale, sizeof scale);
  return fits || zero;
}

const char* dtype_name(DType dtype) {
  constexpr const char* names[] = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4", "F8_E4M3", "other"};
  return names[static_cast<int>(dtype)];
}

int64_t dtype_block(DType dtype) {
  constexpr int64_t sizes[] = {1, 1, 1, 32, 32, 32, 32, 32, 256, 256, 256, 256, 256, 32, 256, 32, 1, 1};
  return sizes[static_cast<int>(dtype)];
}

int64_t dtype_block_bytes(DType dtype) {
  constexpr int64_t sizes[] = {4, 2, 2, 34, 18, 20, 22, 24, 84, 110, 144, 176, 210, 18, 136, 17, 1, 0};
  return sizes[static_cast<int>(dtype)];
}

float dtype_step(DType dtype) {
  constexpr int bits[] = {0, 0, 0, 8, 4, 4, 5, 5, 2, 3, 4, 5, 6, 4, 4, 3, 0, 0};
  const int levels = 1 << bits[static_cast<int>(dtype)];
  return levels == 1 ? 0.0f : 2.0f / static_cast<float>(levels - 1);
}

int64_t first_not_finite(DType dtype, const std::byte* source, int64_t count) {
  const int64_t block = dtype_block(dtype), bytes = dtype_block_bytes(dtype);
  // The numbers of a block with so large an exponent may be too.
  const auto finite_mxfp4 = [](const std::byte* p) {
    if (byte_at(p, 0) <= kE8m0Safe) return true;
    float values[32];
    block_mxfp4(p, values);
    return std::all_of(std::begin(values), std::end(values), [](float value) { return std::isfinite(value); });
  };
  // The exponent's bits are all ones in exactly NaN and the infinities.
  const auto half = [](const std::byte* p) { return (load16(p) & 0x7C00) != 0x7C00; };
  const auto finite = [&](const std::byte* p) {
    switch (dtype) {
      case DType::f32: return (load16(p + 2) & 0x7F80) != 0x7F80;
      case DType::bf16: return (load16(p) & 0x7F80) != 0x7F80;
      case DType::q4_1:
      case DType::q5_1:
      case DType::q4_k:
      case DType::q5_k: return half(p) && half(p + 2);
      case DType::q2_k: return half(p + 80) && half(p + 82);
      case DType::q3_k: return half(p + 108);
      case DType::q6_k: return half(p + 208);
      case DType::mxfp4: return finite_mxfp4(p);
      case DType::f8_e4m3: return (byte_at(p, 0) & 0x7F) != 0x7F;
      default: return half(p);
    }
  };
  for (int64_t i = 0; i < count; i += block, source += bytes)
    if (!finite(source)) return i;
  return -1;
}

void dequantize(DType dtype, const std::byte* source, int64_t count, float* out) {
  const int64_t block = dtype_block(dtype), bytes = dtype_block_bytes(dtype);
  if (dtype == DType::f32) {
    std::memcpy(out, source, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < count; i += block, source += bytes, out += block) {
    switch (dtype) {
      case DType::f16: *out = f16_to_float(load16(source)); break;
      case DType::bf16: *out = bf16_to_float(load16(source)); break;
      case DType::f8_e4m3: *out = e4m3_to_float(byte_at(source, 0)); break;
      case DType::q8_0: block_q8_0(source, out); break;
      case DType::q4_0: block_q4_0(source, out); break;
      case DType::q4_1: block_q4_1(source, out); break;
      case DType::q5_0: block_q5_0(source, out); break;
      case DType::q5_1: block_q5_1(source, out); break;
      case DType::q4_k: block_q45_k(source, nullptr, source + 16, out); break;
      case DType::q5_k: block_q45_k(source, source + 16, source + 48, out); break;
      case DType::q6_k: block_q6_k(source, out); break;
      case DType::q2_k: block_q2_k(source, out); break;
      case DType::q3_k: block_q3_k(source, out); break;
      case DType::iq4_nl: block_of_table(kIq4, f16_to_float(load16(source)), source + 2, out); break;
      case DType::iq4_xs: block_iq4_xs(source, out); break;
      case DType::mxfp4: block_mxfp4(source, out); break;
      default: return;
    }
  }
}

}  // namespace sgmv
