#include "ops/sgmv_cpu.h"

#include "ops/packed_matrix.h"

namespace sgmv {

int64_t lora_a_stride(int64_t in) { return (in + kRowPad - 1) / kRowPad * kRowPad; }

const float* lora_a_scales(const PackedLora& a) {
  return reinterpret_cast<const float*>(static_cast<const std::byte*>(a.data) + a.rank * lora_a_stride(a.width));
}

int64_t lora_b_panel_bytes(LoraType type, int64_t rank) {
  switch (type) {
    case LoraType::i8: return q8_panel_bytes(rank);
    case LoraType::bf16: return (rank + rank % 2) * kPanelColumns * 2;
    default: return rank * kPanelColumns * static_cast<int64_t>(lora_type_bytes(type));
  }
}

ActivationForms lora_forms(LoraType type, bool narrow) { return {type == LoraType::i8, type == LoraType::bf16 && narrow}; }

void shrink_rows(const Kernels& kernels, const PackedLora& a, bool narrow, const Activations& x, int64_t row, int64_t tokens, float* v,
                 int64_t v_stride) {
  const int64_t a_stride = lora_a_stride(a.width);
  if (a.type == LoraType::i8)
    kernels.shrink_i8(x.i8(row), tokens, static_cast<const uint8_t*>(a.data), a_stride, lora_a_scales(a), a.rank, a.width, v, v_stride);
  else if (a.type == LoraType::bf16 && narrow)
    kernels.shrink_bf16(x.bf16(row), x.bf16_stride(), tokens, static_cast<const uint16_t*>(a.data), a_stride, a.rank, a.width, v, v_stride);
  else
    kernels.shrink(x.row(row), x.stride(), tokens, a.data, a_stride, a.type, a.rank, a.width, v, v_stride);
}

void expand_rows(const Kernels& kernels, const PackedLora& b, bool narrow, const Activations& v, int64_t row, int64_t tokens, float scale,
                 const std::byte* panel, float* sums) {
  if (b.type == LoraType::i8)
    kernels.expand_i8(v.i8(row), tokens, panel, b.rank, scale, sums);
  else if (b.type == LoraType::bf16 && narrow)
    kernels.gemm_bf16(v.bf16(row), v.bf16_stride(), tokens, reinterpret_cast<const uint16_t*>(panel), b.rank, sums, {true, scale});
  else
    kernels.expand(v.row(row), v.stride(), tokens, panel, b.type, b.rank, scale, sums);
}

}  // namespace sgmv
