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

}  // namespace sgmv::cuda
