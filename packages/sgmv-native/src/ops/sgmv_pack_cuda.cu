// Adapters in the layout of the kernels, on the host.
#include <cmath>
#include <cstring>

#include "cuda/q8.cuh"
#include "ops/q8.h"
#include "ops/sgmv_cuda.h"

namespace sgmv::cuda {
namespace {

// A row's `count` numbers, a word for every four; what is missing of the last is zero.
void pack_words(const float* values, int64_t count, const Q8Scale& scale, std::byte* to) {
  for (int64_t i = 0; i < count; i += 4, to += sizeof(uint32_t)) {
    int q[4] = {};
    for (int64_t j = 0; j < 4 && i + j < count; ++j) q[j] = scale.nearest(values[i + j]);
    const uint32_t word = q8_word(q[0], q[1], q[2], q[3]);
    std::memcpy(to, &word, sizeof word);
  }
}

}  // namespace

size_t lora_a_bytes(LoraFormat format, Number type, int64_t rank, int64_t in) {
  if (format == LoraFormat::q8) return static_cast<size_t>(rank * padded(in)) + static_cast<size_t>(rank) * sizeof(float);
  return static_cast<size_t>(rank * padded(in)) * number_bytes(type);
}

size_t lora_b_bytes(LoraFormat format, Number type, int64_t rank, int64_t out) {
  if (format == LoraFormat::q8) return static_cast<size_t>(lora_b_scales_at(rank, out) + (out * lora_scale_groups(rank) * 2 + 15) / 16 * 16);
  return static_cast<size_t>(out * lora_b_stride(rank)) * number_bytes(type);
}

void pack_lora_a_q8(const float* a, int64_t rank, int64_t in, std::byte* packed) {
  std::memset(packed, 0, lora_a_bytes(LoraFormat::q8, Number::bf16, rank, in));
  std::byte* const scales = packed + rank * padded(in);
  for (int64_t row = 0; row < rank; ++row, a += in, packed += padded(in)) {
    const Q8Scale scale = q8_scale(largest_magnitude(a, in));
    std::memcpy(scales + row * static_cast<int64_t>(sizeof(float)), &scale.scale, sizeof(float));
    pack_words(a, in, scale, packed);
  }
}

bool pack_lora_b_q8(const float* b, int64_t out, int64_t rank, std::byte* packed) {
  std::memset(packed, 0, lora_b_bytes(LoraFormat::q8, Number::bf16, rank, out));
  std::byte* scales = packed + lora_b_scales_at(rank, out);
  bool all_have_scales = true;
  for (int64_t row = 0; row < out; ++row, b += rank, packed += lora_b_stride(rank))
    for (int64_t first = 0; first < rank; first += kScaleRanks, scales += sizeof(uint16_t)) {
      const int64_t count = std::min<int64_t>(kScaleRanks, rank - first);
      uint16_t bits;
      const Q8Scale scale = q8_scale_f16(largest_magnitude(b + first, count), bits);
      if (!std::isfinite(scale.scale)) {
        all_have_scales = false;
        continue;
      }
      std::memcpy(scales, &bits, sizeof bits);
      pack_words(b + first, count, scale, packed + first);
    }
  return all_have_scales;
}

}  // namespace sgmv::cuda
