// AVX-512 (F, BW, VL, DQ). Compiled with its own flags (CMakeLists.txt) and reached only through the table: nothing here
// may be included elsewhere, and no standard header that defines inline functions belongs here.
#include "cpu/kernels.h"

#if defined(__AVX512F__)
#include "cpu/vector_avx512.h"
#define SGMV_KERNELS_FUNCTION kernels_avx512
#define SGMV_KERNELS_ISA "avx512"
#include "cpu/kernels_table.inc"
#else
namespace sgmv {
const Kernels* kernels_avx512() { return nullptr; }
}  // namespace sgmv
#endif
