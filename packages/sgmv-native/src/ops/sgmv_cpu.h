// The LoRA products of one segment on the CPU. Which arithmetic: factors in 8 bits are multiplied in 8 bits; bfloat16
// factors in bfloat16 if `narrow` allows it; all others in float32.
#pragma once

#include "cpu/cpu_device.h"
#include "ops/activations.h"
#include "sgmv/ops.h"

namespace sgmv {

// Where A's rows and its scales (8 bits only) lie.
int64_t lora_a_stride(int64_t in);  // numbers
const float* lora_a_scales(const PackedLora& a);
int64_t lora_b_panel_bytes(LoraType type, int64_t rank);

// What x and v must have been encoded to for these factors.
ActivationForms lora_forms(LoraType type, bool narrow);

// v [tokens, rank] = x[row …] · A^T.
void shrink_rows(const Kernels& kernels, const PackedLora& a, bool narrow, const Activations& x, int64_t row, int64_t tokens, float* v,
                 int64_t v_stride);
// sums [tokens, 32] += scale · v[row …] · a panel of B, which is at `panel`.
void expand_rows(const Kernels& kernels, const PackedLora& b, bool narrow, const Activations& v, int64_t row, int64_t tokens, float scale,
                 const std::byte* panel, float* sums);

}  // namespace sgmv
