// Sums, maxima and running sums over the threads of a warp and of a block, always combined in the same order: by
// distance within a warp, then warp by warp. Blocks are whole warps, and all threads of the warp or block take part.
#pragma once

#include "cuda/ptx.cuh"

namespace sgmv::cuda {

inline constexpr int kWarpThreads = 32;
inline constexpr int kBlockWarpsMax = 32;

// What `combine` makes of every lane's value, the same bits in all lanes; combine(a, b) equals combine(b, a).
template <typename T, typename Combine>
__device__ __forceinline__ T warp_reduce(T value, Combine combine) {
  for (int distance = kWarpThreads / 2; distance > 0; distance /= 2) value = combine(value, __shfl_xor_sync(0xFFFFFFFF, value, distance));
  return value;
}

// The same over the block. `of_warp` [kBlockWarpsMax] is shared memory that nobody touches between the barrier before
// the call and the one after.
template <typename T, typename Combine>
__device__ __forceinline__ T block_reduce(T value, T* of_warp, Combine combine) {
  value = warp_reduce(value, combine);
  if (threadIdx.x % kWarpThreads == 0) of_warp[threadIdx.x / kWarpThreads] = value;
  __syncthreads();
  T result = of_warp[0];
  for (unsigned warp = 1; warp < blockDim.x / kWarpThreads; ++warp) result = combine(result, of_warp[warp]);
  return result;
}

template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
  return warp_reduce(value, [](T a, T b) { return a + b; });
}
template <typename T>
__device__ __forceinline__ T block_sum(T value, T* of_warp) {
  return block_reduce(value, of_warp, [](T a, T b) { return a + b; });
}

// What `combine` makes of the values of this lane and those before it.
template <typename T, typename Combine>
__device__ __forceinline__ T warp_running(T value, Combine combine) {
  const unsigned lane = threadIdx.x % kWarpThreads;
  for (unsigned distance = 1; distance < kWarpThreads; distance *= 2) {
    const T before = __shfl_up_sync(0xFFFFFFFF, value, distance);
    if (lane >= distance) value = combine(value, before);
  }
  return value;
}

// The same over the block; `of_warp` as above.
template <typename T, typename Combine>
__device__ __forceinline__ T block_running(T value, T* of_warp, Combine combine) {
  value = warp_running(value, combine);
  if (threadIdx.x % kWarpThreads == kWarpThreads - 1) of_warp[threadIdx.x / kWarpThreads] = value;
  __syncthreads();
  for (unsigned warp = 0; warp < threadIdx.x / kWarpThreads; ++warp) value = combine(value, of_warp[warp]);
  return value;
}
template <typename T>
__device__ __forceinline__ T block_running_sum(T value, T* of_warp) {
  return block_running(value, of_warp, [](T a, T b) { return a + b; });
}

}  // namespace sgmv::cuda
