// In which type the device keeps what is multiplied: inputs of products, adapters, keys and values. Sums are float32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/ptx.cuh"

namespace sgmv::cuda {

enum class Number : uint8_t { f32, f16, bf16 };

inline size_t number_bytes(Number type) { return type == Number::f32 ? 4 : 2; }

// Calls visit(T{}) with the type's own T: float, f16 or bf16.
template <typename Visit>
decltype(auto) dispatch(Number type, Visit visit) {
  switch (type) {
    case Number::f16: return visit(f16{});
    case Number::bf16: return visit(bf16{});
    case Number::f32: break;
  }
  return visit(float{});
}

// Rows of numbers that kernels load 16 bytes at a time begin at multiples of 16 bytes and have zeros behind them:
// the distance between them is this many numbers.
constexpr int64_t padded(int64_t columns) { return (columns + 15) / 16 * 16; }

}  // namespace sgmv::cuda
