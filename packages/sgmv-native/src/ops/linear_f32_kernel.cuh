// A tile of the batch-invariant products in float32, by a whole block: every output is one chain of fused multiply-adds over the
// columns in their order.
#pragma once

#include "ops/linear_kernels.cuh"

namespace sgmv::cuda {

// A thread computes 4 outputs of 4 tokens: rows r, r + 16 … of W and tokens t, t + 8 … of the block's.
inline constexpr int kF32Rows = 64, kF32Tokens = 32, kF32Depth = 32, kF32Stages = 3;
inline constexpr int kF32Threads = 128;
// Four numbers more than a stage is deep: eight rows begin in different banks.
inline constexpr int kF32RowBytes = (kF32Depth + 4) * int{sizeof(float)};
inline constexpr int kF32StageBytes = (kF32Rows + kF32Tokens) * kF32RowBytes;

// The first rows of a stage are W's, the others are x's.
__device__ __forceinline__ void copy_f32_stage(std::byte* to, const LinearOperands& o, int row_begin, int token_begin, int k) {
  constexpr int kPieces = kF32Depth / 4;  // of 16 bytes
#pragma unroll
  for (int i = 0; i < (kF32Rows + kF32Tokens) * kPieces / kF32Threads; ++i) {
    const int at = static_cast<int>(threadIdx.x) + i * kF32Threads;
    const int row = at / kPieces, column = k + at % kPieces * 4;
    const bool of_w = row < kF32Rows;
    const int from_row = of_w ? row_begin + row : token_begin + row - kF32Rows;
    const bool valid = from_row < (of_w ? o.out : o.tokens) && column < o.in;
    const std::byte* from = of_w ? o.w : o.x;
    if (valid) from += from_row * (of_w ? o.w_stride : o.x_stride) + column * int{sizeof(float)};
    copy_async_16(to + row * kF32RowBytes + at % kPieces * 16, from, valid);
  }
}

__device__ __forceinline__ void load_floats(float (&values)[4], const std::byte* at) {
  const uint4 v = load16(at);
  values[0] = __uint_as_float(v.x), values[1] = __uint_as_float(v.y), values[2] = __uint_as_float(v.z), values[3] = __uint_as_float(v.w);
}

__device__ __forceinline__ void multiply_f32_stage(float (&sums)[4][4], const std::byte* w, const std::byte* x) {
#pragma unroll 2
  for (int k = 0; k < kF32Depth; k += 4) {
    float of_w[4][4], of_x[4][4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      load_floats(of_w[i], w + i * 16 * kF32RowBytes + k * int{sizeof(float)});
      load_floats(of_x[i], x + i * 8 * kF32RowBytes + k * int{sizeof(float)});
    }
#pragma unroll
    for (int within = 0; within < 4; ++within)
#pragma unroll
      for (int m = 0; m < 4; ++m)
#pragma unroll
        for (int n = 0; n < 4; ++n) sums[m][n] = fmaf(of_w[m][within], of_x[n][within], sums[m][n]);
  }
}

__device__ __forceinline__ void multiply_f32_tile(const LinearOperands& o, int row_begin, int token_begin) {
  std::byte* shared = dynamic_shared();
  const int row = static_cast<int>(threadIdx.x) % 16, token = static_cast<int>(threadIdx.x) / 16;
  const int stages = (o.in + kF32Depth - 1) / kF32Depth;
  float sums[4][4] = {};
  for (int stage = 0; stage < kF32Stages - 1; ++stage) {
    if (stage < stages) copy_f32_stage(shared + stage * kF32StageBytes, o, row_begin, token_begin, stage * kF32Depth);
    copy_async_commit();
  }
  for (int stage = 0; stage < stages; ++stage) {
    copy_async_wait<kF32Stages - 2>();
    __syncthreads();
    const int next = stage + kF32Stages - 1;
    if (next < stages) copy_f32_stage(shared + next % kF32Stages * kF32StageBytes, o, row_begin, token_begin, next * kF32Depth);
    copy_async_commit();
    const std::byte* from = shared + stage % kF32Stages * kF32StageBytes;
    multiply_f32_stage(sums, from + row * kF32RowBytes, from + (kF32Rows + token) * kF32RowBytes);
  }
#pragma unroll
  for (int n = 0; n < 4; ++n)
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      const int to_token = token_begin + token + n * 8, to_row = row_begin + row + m * 16;
      if (to_token < o.tokens && to_row < o.out) o.y[to_token * o.y_stride + to_row] = sums[m][n];
    }
}

}  // namespace sgmv::cuda
