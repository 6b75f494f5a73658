// Any machine with a C++20 compiler. See kernels.h for the contract.
#include "cpu/kernels.h"
#include "cpu/vector_portable.h"

namespace sgmv {
namespace {
#include "cpu/kernels_gemm.inc"
#include "cpu/kernels_layers.inc"
#include "cpu/kernels_sgmv.inc"
}  // namespace

const Kernels* kernels_portable() {
  static constexpr Kernels table = {"portable", V::gemm_rows, gemm, widen_bf16, widen_f16, unpack_q8, unpack_q4, shrink, expand,
                                    rms_norm, add, swiglu, rope, attention_scores, softmax_numerators,
                                    attention_values, scale};
  return &table;
}

}  // namespace sgmv
