// The instructions that CUDA C++ has no words for, and the 16-bit numbers they work on. test/cuda_emulator/cuda/ptx.cuh
// says the same for the emulated device. PTX ISA 8.x, sections named at each.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace sgmv::cuda {

// Kept as bits: the type says how to read them.
struct f16 { uint16_t bits; };
struct bf16 { uint16_t bits; };

__device__ __forceinline__ float to_float(f16 v) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(v.bits));
  return result;
}
__device__ __forceinline__ float to_float(bf16 v) { return __uint_as_float(static_cast<unsigned>(v.bits) << 16); }
__device__ __forceinline__ float to_float(float v) { return v; }

template <typename T>
__device__ T from_float(float v);  // to the nearest, ties to even
template <>
__device__ __forceinline__ float from_float<float>(float v) { return v; }
template <>
__device__ __forceinline__ f16 from_float<f16>(float v) {
  f16 result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(v));
  return result;
}
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float v) {
  bf16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(v));
  return result;
}

// Each rounded for itself: the compiler fuses none of these with its neighbours, so that formulas of them have the bits
// that the processor's code has.
__device__ __forceinline__ float rounded_sum(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ float rounded_product(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ float rounded_quotient(float a, float b) { return __fdiv_rn(a, b); }

// The block's dynamic shared memory, 16-byte aligned. Every kernel divides it for itself.
__device__ __forceinline__ std::byte* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char sgmv_dynamic_shared[];
  return reinterpret_cast<std::byte*>(sgmv_dynamic_shared);
}

// Loads and stores of 8 and 16 aligned bytes. `_once`: of what no thread will write during the kernel and no other block reads soon,
// so that it does not push out what the first-level cache holds.
__device__ __forceinline__ uint4 load16(const void* p) { return *static_cast<const uint4*>(p); }
__device__ __forceinline__ uint4 load16_once(const void* p) {
  uint4 v;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
  return v;
}
__device__ __forceinline__ uint2 load8(const void* p) { return *static_cast<const uint2*>(p); }
__device__ __forceinline__ uint2 load8_once(const void* p) {
  uint2 v;
  asm("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
  return v;
}
__device__ __forceinline__ void store16(void* p, uint4 v) { *static_cast<uint4*>(p) = v; }
__device__ __forceinline__ void store8(void* p, uint2 v) { *static_cast<uint2*>(p) = v; }

// Bytes of `v` where the four hexadecimal digits of `selector` say, the last digit for the lowest byte; 4: a zero. ("prmt")
__device__ __forceinline__ uint32_t permute_bytes(uint32_t v, uint32_t selector) {
  uint32_t result;
  asm("prmt.b32 %0, %1, 0, %2;" : "=r"(result) : "r"(v), "r"(selector));
  return result;
}
// Two f16 products, to the nearest; very small factors are not taken for zero. ("mul.rn.f16x2")
__device__ __forceinline__ uint32_t multiply_f16x2(uint32_t a, uint32_t b) {
  uint32_t result;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
  return result;
}
// Two bf16 products, to the nearest; very small factors are not taken for zero. ("fma.rn.bf16x2", adding -0)
__device__ __forceinline__ uint32_t multiply_bf16x2(uint32_t a, uint32_t b) {
  uint32_t result;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(0x8000'8000u));
  return result;
}

// threadIdx.x, read anew: in a long loop over work, what is computed from it is computed again in every round instead of being
// kept in registers through all of it. ("mov.u32 %tid.x")
__device__ __forceinline__ int thread_index() {
  int index;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(index));
  return index;
}

// Copies 16 aligned bytes from global to shared memory while the thread goes on; zeros unless `valid`. Committed copies
// form a group; after copy_async_wait<n>() all groups but the thread's last n are there, for this thread only: others
// need a barrier besides. ("cp.async")
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool valid) {
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid ? 16 : 0) : "memory");
}
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kGroupsLeft>
__device__ __forceinline__ void copy_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory"); }

// d [16, 8] += a [16, 16] · b [16, 8] over the warp ("mma.sync.m16n8k16"). With g = lane / 4 and t = lane % 4:
//   a[0] = A(g, 2t..2t+1)  a[1] = A(g + 8, 2t..)  a[2] = A(g, 2t + 8..)  a[3] = A(g + 8, 2t + 8..)
//   b[0] = B(2t..2t+1, g)  b[1] = B(2t + 8.., g)
//   d[0], d[1] = D(g, 2t..2t+1)  d[2], d[3] = D(g + 8, 2t..2t+1)
// The lower half of a register is the element with the lower index.
template <typename T>
__device__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
template <>
__device__ __forceinline__ void mma_m16n8k16<bf16>(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <>
__device__ __forceinline__ void mma_m16n8k16<f16>(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8x8 matrices of 16-bit numbers from shared memory: lane 8m + i gives the address of row i of matrix m (16 aligned
// bytes) and gets of each matrix row g, elements 2t and 2t + 1; transposed: column g. ("ldmatrix")
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  const auto from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(from) : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_transposed(uint32_t (&r)[4], const void* row) {
  const auto from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(from) : "memory");
}

}  // namespace sgmv::cuda
