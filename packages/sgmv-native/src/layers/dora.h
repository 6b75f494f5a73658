// DoRA (Liu et al., 2024): an adapted weight is split into direction and magnitude, and the magnitude is trained on its
// own. With s the LoRA scale, ‖·‖ the norm of a row and b the bias, PEFT computes
//   y = m / ‖W + s·B·A‖ · (x·Wᵀ + s·x·Aᵀ·Bᵀ) + b.
// The factor depends on no input, so it is computed once, when the adapter is loaded.
#pragma once

#include <span>

#include "layers/base_rows.h"

namespace sgmv {

// Writes the factor of each output. a: [rank, in], b: [out, rank], magnitude: [out]. Returns the first output whose
// factor is not finite, or -1.
int64_t dora_factors(const BaseRows& base, const LoraTarget& target, int64_t in, std::span<const float> a, std::span<const float> b,
                     std::span<const float> magnitude, float* factors);

}  // namespace sgmv
