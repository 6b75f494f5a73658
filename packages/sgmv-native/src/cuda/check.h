// Every call of the CUDA runtime goes through check().
#pragma once

#include <cuda_runtime.h>

namespace sgmv::cuda {

// Throws Error: out_of_memory where the device has no memory left, device_unavailable where there is none, else
// device_failed. `what` says what was tried.
void check(cudaError_t code, const char* what);

}  // namespace sgmv::cuda
