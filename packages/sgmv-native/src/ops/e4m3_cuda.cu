#include "ops/e4m3_cuda.h"

#include <cfloat>

#include "cuda/e4m3.cuh"
#include "cuda/launch.h"
#include "cuda/numbers.cuh"
#include "cuda/reduce.cuh"
#include "ops/linear_cuda.h"

namespace sgmv::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kAtOnce = 8;  // numbers of one load

template <typename T>
__device__ __forceinline__ void load_numbers(float (&values)[kAtOnce], const T* from) {
  const uint4 v = load16(from);
  const uint32_t pairs[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = unpack2<T>(pairs[i]);
    values[2 * i] = pair.x, values[2 * i + 1] = pair.y;
  }
}

// A block has one row, which it reads twice, the second time from a cache.
template <typename T>
__global__ void __launch_bounds__(kThreads) quantize_kernel(const T* x, int64_t x_stride, int columns, uint8_t* codes, float* scales) {
  auto* largest_of_warp = reinterpret_cast<float*>(dynamic_shared());
  const T* row = x + blockIdx.x * x_stride;
  const int first = static_cast<int>(threadIdx.x) * kAtOnce;
  float largest = 0;
  for (int i = first; i < columns; i += kThreads * kAtOnce) {
    float values[kAtOnce];
    load_numbers(values, row + i);
#pragma unroll
    for (const float value : values) largest = fmaxf(largest, fabsf(value));
  }
  largest = block_reduce(largest, largest_of_warp, [](float a, float b) { return fmaxf(a, b); });
  if (threadIdx.x == 0) scales[blockIdx.x] = largest / kE4m3Max;
  // Finite, so that zeros stay zeros beside the smallest numbers there are.
  const float factor = largest > 0 ? fminf(kE4m3Max / largest, FLT_MAX) : 0;
  for (int i = first; i < columns; i += kThreads * kAtOnce) {
    float values[kAtOnce];
    load_numbers(values, row + i);
    uint32_t words[2] = {};
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) words[k / 4] |= static_cast<uint32_t>(e4m3_from(values[k] * factor)) << (k % 4 * 8);
    store8(codes + blockIdx.x * static_cast<int64_t>(columns) + i, make_uint2(words[0], words[1]));
  }
}

}  // namespace

void quantize_rows(cudaStream_t stream, Number type, const void* x, int64_t x_stride, int64_t tokens, int64_t in, uint8_t* codes, float* scales) {
  if (tokens == 0) return;
  const Shape shape{dim3(static_cast<unsigned>(tokens)), kThreads, kThreads / 32 * sizeof(float)};
  if (type == Number::f16) launch(stream, shape, quantize_kernel<f16>, static_cast<const f16*>(x), x_stride, padded(in), codes, scales);
  else launch(stream, shape, quantize_kernel<bf16>, static_cast<const bf16*>(x), x_stride, padded(in), codes, scales);
}

uint8_t float_to_e4m3(float value) { return e4m3_from(value); }

}  // namespace sgmv::cuda
