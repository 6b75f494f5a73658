// What src/cuda/ptx.cuh says to a real device's instructions, computed on the processor. Addresses that the device would
// refuse are refused.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

#include "formats/dtype.h"

namespace sgmv::cuda {

struct f16 { uint16_t bits; };
struct bf16 { uint16_t bits; };

namespace emulated {
inline void aligned(const void* p, size_t to, const char* what) {
  if (reinterpret_cast<uintptr_t>(p) % to == 0) return;
  std::fprintf(stderr, "emulated device: %s at an address that is not a multiple of %zu\n", what, to);
  std::abort();
}
inline float widen(f16, uint16_t bits) { return f16_to_float(bits); }
inline float widen(bf16, uint16_t bits) { return bf16_to_float(bits); }
}  // namespace emulated

inline float to_float(f16 v) { return f16_to_float(v.bits); }
inline float to_float(bf16 v) { return bf16_to_float(v.bits); }
inline float to_float(float v) { return v; }
template <typename T> T from_float(float v);
template <> inline float from_float<float>(float v) { return v; }
template <> inline f16 from_float<f16>(float v) { return {float_to_f16(v)}; }
template <> inline bf16 from_float<bf16>(float v) { return {float_to_bf16(v)}; }

inline float rounded_sum(float a, float b) { return a + b; }
inline float rounded_product(float a, float b) { return a * b; }
inline float rounded_quotient(float a, float b) { return a / b; }

inline std::byte* dynamic_shared() { return emulator::shared_memory(); }

inline uint4 load16(const void* p) {
  emulated::aligned(p, 16, "a load of 16 bytes");
  uint4 v;
  std::memcpy(&v, p, 16);
  return v;
}
inline uint4 load16_once(const void* p) { return load16(p); }
inline uint2 load8(const void* p) {
  emulated::aligned(p, 8, "a load of 8 bytes");
  uint2 v;
  std::memcpy(&v, p, 8);
  return v;
}
inline uint2 load8_once(const void* p) { return load8(p); }
inline void store16(void* p, uint4 v) {
  emulated::aligned(p, 16, "a store of 16 bytes");
  std::memcpy(p, &v, 16);
}
inline void store8(void* p, uint2 v) {
  emulated::aligned(p, 8, "a store of 8 bytes");
  std::memcpy(p, &v, 8);
}

inline uint32_t permute_bytes(uint32_t v, uint32_t selector) {
  uint32_t result = 0;
  for (int byte = 0; byte < 4; ++byte) {
    const uint32_t from = selector >> (4 * byte) & 7;
    if (from < 4) result |= (v >> (8 * from) & 0xFF) << (8 * byte);
  }
  return result;
}
namespace emulated {
template <typename T>
uint32_t multiply_pairs(uint32_t a, uint32_t b) {
  uint32_t result = 0;
  for (int half = 0; half < 32; half += 16)
    result |= static_cast<uint32_t>(from_float<T>(widen(T{}, static_cast<uint16_t>(a >> half)) * widen(T{}, static_cast<uint16_t>(b >> half))).bits) << half;
  return result;
}
}  // namespace emulated
inline uint32_t multiply_f16x2(uint32_t a, uint32_t b) { return emulated::multiply_pairs<f16>(a, b); }
inline uint32_t multiply_bf16x2(uint32_t a, uint32_t b) { return emulated::multiply_pairs<bf16>(a, b); }

inline int thread_index() { return static_cast<int>(threadIdx.x); }

inline void copy_async_16(void* shared, const void* global, bool valid) {
  emulated::aligned(shared, 16, "an asynchronous copy");
  if (valid) emulated::aligned(global, 16, "an asynchronous copy");
  emulator::copy_later({shared, valid ? global : nullptr});
}
inline void copy_async_commit() { emulator::commit_copies(); }
template <int kGroupsLeft> inline void copy_async_wait() { emulator::finish_copies(kGroupsLeft); }

template <typename T>
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  struct Operands { float a[4][2], b[2][2]; } own;
  const auto widen = [](uint32_t word, float (&halves)[2]) {
    for (int i = 0; i < 2; ++i) halves[i] = emulated::widen(T{}, static_cast<uint16_t>(word >> (16 * i)));
  };
  for (int i = 0; i < 4; ++i) widen(a[i], own.a[i]);
  for (int i = 0; i < 2; ++i) widen(b[i], own.b[i]);
  const auto slots = emulator::meet_warp("mma", 0xFFFF'FFFF, &own, sizeof own);
  const auto of_lane = [&](int lane) { return reinterpret_cast<const Operands*>(slots[lane]); };
  const int group = emulator::lane() / 4, thread = emulator::lane() % 4;
  // Element (row, k) of A: lane row % 8 · 4 + k % 8 / 2, register row / 8 + k / 8 · 2, half k % 2. Element (k, column) of B:
  // lane column · 4 + k % 8 / 2, register k / 8, half k % 2. In the order of k.
  float sums[2][2] = {{d[0], d[1]}, {d[2], d[3]}};  // row of A, column of B
  for (int part = 0; part < 2; ++part)
    for (int holder = 0; holder < 4; ++holder) {
      const float(&rows)[4][2] = of_lane(group * 4 + holder)->a;
      const float* const columns[] = {of_lane(thread * 8 + holder)->b[part], of_lane(thread * 8 + 4 + holder)->b[part]};
      for (int half = 0; half < 2; ++half)
        for (int row = 0; row < 2; ++row)
          for (int column = 0; column < 2; ++column) sums[row][column] += rows[row + part * 2][half] * columns[column][half];
    }
  std::memcpy(d, sums, sizeof sums);
}

namespace emulated {
#if defined(SGMV_RECORD_ACCESS)
[[gnu::noinline, gnu::no_sanitize("thread")]]  // what a lane reads of its neighbours' rows is no access of its own
#endif
inline void load_matrices(uint32_t (&r)[4], const void* row, bool transposed) {
  aligned(row, 16, "ldmatrix");
  emulator::note_load(row, 16, __builtin_return_address(0));
  const auto slots = emulator::meet_warp(transposed ? "ldmatrix.trans" : "ldmatrix", 0xFFFF'FFFF, &row, sizeof row);
  const int group = emulator::lane() / 4, thread = emulator::lane() % 4;
  for (int m = 0; m < 4; ++m) {
    uint16_t pair[2];
    for (int i = 0; i < 2; ++i) {
      const int from_row = transposed ? thread * 2 + i : group, from_column = transposed ? group : thread * 2 + i;
      const uint16_t* address;
      std::memcpy(&address, slots[m * 8 + from_row], sizeof address);
      pair[i] = address[from_column];
    }
    r[m] = pair[0] | static_cast<uint32_t>(pair[1]) << 16;
  }
}
}  // namespace emulated

inline void ldmatrix_x4(uint32_t (&r)[4], const void* row) { emulated::load_matrices(r, row, false); }
inline void ldmatrix_x4_transposed(uint32_t (&r)[4], const void* row) { emulated::load_matrices(r, row, true); }

}  // namespace sgmv::cuda
