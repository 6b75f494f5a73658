// Pairs and vectors of numbers in registers.
#pragma once

#include "cuda/ptx.cuh"

namespace sgmv::cuda {

// Two numbers in one register, `low` at the lower address.
template <typename T>
__device__ __forceinline__ uint32_t pack2(float low, float high) {
  return from_float<T>(low).bits | static_cast<uint32_t>(from_float<T>(high).bits) << 16;
}

template <typename T>
__device__ __forceinline__ float2 unpack2(uint32_t pair) {
  return make_float2(to_float(T{static_cast<uint16_t>(pair)}), to_float(T{static_cast<uint16_t>(pair >> 16)}));
}

// Four floats that begin at a multiple of 16 bytes, in one access.
__device__ __forceinline__ float4 load_float4(const void* p) {
  const uint4 v = load16(p);
  return make_float4(__uint_as_float(v.x), __uint_as_float(v.y), __uint_as_float(v.z), __uint_as_float(v.w));
}
__device__ __forceinline__ void store_float4(void* p, float4 v) {
  store16(p, make_uint4(__float_as_uint(v.x), __float_as_uint(v.y), __float_as_uint(v.z), __float_as_uint(v.w)));
}

}  // namespace sgmv::cuda
