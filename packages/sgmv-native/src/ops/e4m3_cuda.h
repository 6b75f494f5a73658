// Rounding to e4m3, which the device multiplies twice as fast as 16-bit numbers from compute capability 8.9 on.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/number.h"

namespace sgmv::cuda {

// codes[t, i] · scales[t] ≈ x[t, i]: the largest of a row becomes 448. x: [tokens, in] in f16 or bf16, rows x_stride numbers
// apart (a multiple of 16, zeros beyond `in`); codes: rows padded(in) apart, zeros behind. A row of zeros has scale 0; one
// with an infinity or a NaN in it keeps at least one NaN. Only enqueues.
void quantize_rows(cudaStream_t stream, Number type, const void* x, int64_t x_stride, int64_t tokens, int64_t in, uint8_t* codes, float* scales);

}  // namespace sgmv::cuda
