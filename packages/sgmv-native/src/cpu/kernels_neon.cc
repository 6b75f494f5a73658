// NEON, on 64-bit ARM. Reached only through the table, like the other instruction sets.
#include "cpu/kernels.h"

#if defined(__aarch64__)
#include "cpu/vector_neon.h"
#define SGMV_KERNELS_FUNCTION kernels_neon
#define SGMV_KERNELS_ISA "neon"
#include "cpu/kernels_table.inc"
#else
namespace sgmv {
const Kernels* kernels_neon() { return nullptr; }
}  // namespace sgmv
#endif
