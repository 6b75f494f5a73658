// The innermost loops, one table per instruction set. Plain pointers, single-threaded, no checks: ops/ checks and
// divides the work.
//
// The rule behind every kernel: an output element is accumulated in an order that depends on nothing but its own
// inputs. How many rows share a call, which tile a column falls into and which thread runs it change only which
// elements are computed side by side. So a request gives the same bits alone and in any batch. Different instruction
// sets may differ from each other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sgmv/lora_type.h"

namespace sgmv {

inline constexpr int kPanelColumns = 32;   // output columns of a packed weight panel
inline constexpr int kQuantBlock = 32;     // inputs that share a scale
inline constexpr int kLoraPad = 16;        // A's rows are padded to this many inputs

// Packed quantized blocks hold kQuantBlock inputs × kPanelColumns columns: half-precision scales (and minimums) of
// the columns, then the numbers, input by input.
inline constexpr int64_t kQ8BlockBytes = kPanelColumns * 2 + kPanelColumns * kQuantBlock;
inline constexpr int64_t kQ4BlockBytes = kPanelColumns * 4 + kPanelColumns * kQuantBlock / 2;

struct Kernels {
  const char* isa;
  int gemm_rows;  // rows the GEMM kernel takes best at once

  // c [rows, 32] = (or +=, when `add`) x [rows, k] · panel [k, 32]; rows ≤ gemm_rows.
  void (*gemm)(const float* x, int64_t x_stride, const float* panel, int64_t k, float* c, int rows, bool add);

  // Packed weights to float32, exactly. `out` [k, 32] for the block formats.
  void (*widen_bf16)(const uint16_t* in, int64_t count, float* out);
  void (*widen_f16)(const uint16_t* in, int64_t count, float* out);
  void (*unpack_q8)(const std::byte* blocks, int64_t block_count, float* out);
  void (*unpack_q4)(const std::byte* blocks, int64_t block_count, float* out);

  // v [tokens, rank] = x [tokens, in] · A^T; A [rank, a_stride], padded with zeros.
  void (*shrink)(const float* x, int64_t x_stride, int64_t tokens, const void* a, int64_t a_stride, LoraType type,
                 int64_t rank, int64_t in, float* v, int64_t v_stride);
  // y [tokens, columns] += scale · v [tokens, rank] · panel [rank, 32]; columns ≤ 32.
  void (*expand)(const float* v, int64_t v_stride, int64_t tokens, const void* panel, LoraType type, int64_t rank,
                 int64_t columns, float scale, float* y, int64_t y_stride);

  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* out);
  void (*add)(float* y, const float* x, int64_t n);
  void (*swiglu)(const float* gate, const float* up, int64_t n, float* out);  // silu(gate) · up
  void (*rope)(float* x, const float* cosines, const float* sines, int64_t half);

  // scores [rows, lanes] = q [rows, dim] · keys [dim, lanes]; lanes is a multiple of 16.
  void (*attention_scores)(const float* q, int64_t q_stride, int rows, const float* keys, int64_t dim, int64_t lanes,
                           float* scores, int64_t scores_stride);
  // scores := exp(scores - max); returns their sum.
  float (*softmax_numerators)(float* scores, int64_t n);
  // out [rows, dim] += weights [rows, positions] · values [positions, dim].
  void (*attention_values)(const float* weights, int64_t weights_stride, int rows, const float* values,
                           int64_t positions, int64_t dim, float* out, int64_t out_stride);
  void (*scale)(float* x, float factor, int64_t n);
};

// Null when this binary was not built for that instruction set.
const Kernels* kernels_avx512();
const Kernels* kernels_avx2();
const Kernels* kernels_portable();

}  // namespace sgmv
