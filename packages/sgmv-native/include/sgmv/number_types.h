// In which precision numbers are kept and multiplied.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sgmv {

// An adapter's factors. f32, f16 and bf16 are the file's own numbers; i8 has one scale per rank of A, and one per
// column and 32 ranks of B. Numbers and scales are the same on all devices; the CPU multiplies them with 8-bit activations,
// CUDA with those of the weights.
enum class LoraType : uint8_t { f32, f16, bf16, i8 };

inline size_t lora_type_bytes(LoraType type) { return type == LoraType::f32 ? 4 : type == LoraType::i8 ? 1 : 2; }

// Keys and values in the cache. bf16 is for CUDA only.
enum class KvType : uint8_t { f32, f16, bf16 };

// The base weights and what they are multiplied with.
// f32: the stored numbers exactly, in the narrowest form that holds them, times float32.
// bf16: rounded to bfloat16 where they are not, times bfloat16, summed in float32.
// i8: 8 bits with a scale per 32 inputs (4-bit and 8-bit blocks of a GGUF stay as they are), times 8-bit activations
//     with a scale per 32, summed exactly within each group and in float32 across groups.
//     CPU only.
// f16: rounded to half precision where they are not, times half precision, summed in float32. CUDA only.
// fp8: 8-bit floating point (e4m3) with a scale per output, times bfloat16 or, where the device has fast products for
//      it, 8-bit floating point, summed in float32. The embedding and the head stay in bfloat16. CUDA only.
enum class WeightType : uint8_t { f32, bf16, i8, f16, fp8 };

}  // namespace sgmv
