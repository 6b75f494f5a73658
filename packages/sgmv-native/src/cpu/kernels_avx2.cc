// AVX2 with FMA and F16C. Compiled with its own flags (CMakeLists.txt) and reached only through the table: nothing here
// may be included elsewhere, and no standard header that defines inline functions belongs here.
#include "cpu/kernels.h"

#if defined(__AVX2__)
#include "cpu/vector_avx2.h"

namespace sgmv {
namespace {
#include "cpu/kernels_gemm.inc"
#include "cpu/kernels_layers.inc"
#include "cpu/kernels_sgmv.inc"
}  // namespace

const Kernels* kernels_avx2() {
  static constexpr Kernels table = {"avx2", V::gemm_rows, gemm, widen_bf16, widen_f16, unpack_q8, unpack_q4, shrink, expand,
                                    rms_norm, add, swiglu, rope, attention_scores, softmax_numerators,
                                    attention_values, scale};
  return &table;
}

}  // namespace sgmv
#else
namespace sgmv {
const Kernels* kernels_avx2() { return nullptr; }
}  // namespace sgmv
#endif
