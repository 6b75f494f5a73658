// Any machine with a C++20 compiler. See kernels.h for the contract.
#include "cpu/kernels.h"

#include "cpu/vector_portable.h"
#define SGMV_KERNELS_FUNCTION kernels_portable
#define SGMV_KERNELS_ISA "portable"
#include "cpu/kernels_table.inc"
