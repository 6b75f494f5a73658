// The precision an adapter's numbers are stored and kept in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sgmv {

enum class LoraType : uint8_t { f32, f16, bf16 };

inline size_t lora_type_bytes(LoraType type) { return type == LoraType::f32 ? 4 : 2; }

}  // namespace sgmv
