// AVX2 with FMA and F16C. Compiled with its own flags (CMakeLists.txt) and reached only through the table: nothing here
// may be included elsewhere, and no standard header that defines inline functions belongs here.
#include "cpu/kernels.h"

#if defined(__AVX2__)
#include "cpu/vector_avx2.h"
#define SGMV_KERNELS_FUNCTION kernels_avx2
#define SGMV_KERNELS_ISA "avx2"
#include "cpu/kernels_table.inc"
#else
namespace sgmv {
const Kernels* kernels_avx2() { return nullptr; }
}  // namespace sgmv
#endif
