// SGMV on CUDA: y += scale · (x · Aᵀ) · Bᵀ for a batch whose tokens have adapters of their own. docs/kernels.md has the
// design. All functions only enqueue work; pointers are to device memory and everything about the step (who has which
// adapter, how many tiles) is read there by the kernels, so that the same launch can be replayed from a graph.
//
// Sums are split and added in an order that depends only on the shapes of the model and of the adapter, never on the
// batch: a token has the same bits alone and in any company.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/number.h"

namespace sgmv::cuda {

// q, k, v (or qkv first), o, gate, up (or gate_up first), down; of a layer with a state in_qkv, in_z, in_b (or in_qkvz, in_ba first) in place of
// the first three, in_a behind down; and in and out last.
inline constexpr int kFactorsPerLayer = 12;
inline constexpr int kLoraTileTokens = 32;

// How A and B are kept: in the type of the inputs, or in 8 bits (cuda/q8.cuh) with scales, the same numbers and scales as
// the CPU's 8-bit adapters. 8 bits go with 16-bit inputs only.
enum class LoraFormat : uint8_t { of_inputs, q8 };

// One projection's adapter. `a`: [rank, padded(in)], `b`: [out, lora_b_stride(rank)], 16-byte aligned, zeros where padded;
// a null: this projection has none. In 8 bits float32 scales [rank] follow A, and half-precision scales [out,
// lora_scale_groups(rank)] B, from lora_b_scales_at() on; B's numbers and its scales are both filled up to 16 bytes.
// `dora`: [out], multiplies the output after the product was added, or null.
struct LoraFactor {
  const void* a = nullptr;
  const void* b = nullptr;
  const float* dora = nullptr;
  int32_t rank = 0;
  float scale = 0;
  const float* input_factors = nullptr;  // [in]: DoRA of a matrix that is multiplied transposed: x comes multiplied by it; or null
};

constexpr int64_t lora_b_stride(int64_t rank) { return (rank + 3) / 4 * 4; }
inline constexpr int kScaleRanks = 32;  // of a row of B that share a scale
constexpr int64_t lora_scale_groups(int64_t rank) { return (rank + kScaleRanks - 1) / kScaleRanks; }
constexpr int64_t lora_b_scales_at(int64_t rank, int64_t out) { return (out * lora_b_stride(rank) + 15) / 16 * 16; }  // bytes

// Bytes of A and B. `type`: of the inputs.
size_t lora_a_bytes(LoraFormat format, Number type, int64_t rank, int64_t in);
size_t lora_b_bytes(LoraFormat format, Number type, int64_t rank, int64_t out);

// On the host: a [rank, in] and b [out, rank] to 8 bits, into the bytes given above. False: half precision has no scale for
// a number of b, that is for one above 8.3 million.
void pack_lora_a_q8(const float* a, int64_t rank, int64_t in, std::byte* packed);
bool pack_lora_b_q8(const float* b, int64_t out, int64_t rank, std::byte* packed);

// Neighbours in the batch with the same adapter, at most kLoraTileTokens of them. `factors`: see layers/lora_adapter_cuda.h; of rows of
// experts: where those of the row's expert in the first layer are.
struct LoraTile {
  const LoraFactor* factors;
  int32_t token_begin;
  int32_t token_count;
};

// Finds the tiles of a step on the device: `factors_of_token` [tokens], null for the base model and for rows that only
// fill a bucket. Writes `tiles` (room for `tokens`), those that are used first, and `tile_count`.
// A tile's tokens are runs of equal pointers cut from the run's first token on.
void plan_lora_tiles(cudaStream_t stream, const LoraFactor* const* factors_of_token, int32_t tokens, LoraTile* tiles, int32_t* tile_count);

// Projections that share an input (qkv; gate and up), whose outputs lie side by side in y.
struct LoraGroup {
  struct Part {
    int32_t factor;    // index into LoraTile::factors
    int32_t out;       // outputs
    int32_t y_column;  // where they begin in y
  };
  Part parts[4];
  int32_t part_count = 0;
  int32_t in = 0;
};

struct LoraStep {
  Number type = Number::bf16;
  const LoraTile* tiles = nullptr;
  const int32_t* tile_count = nullptr;
  int32_t tiles_max = 0;  // launches cover as many
  int32_t tokens = 0;     // rows of x, v and y
  int32_t rank_max = 0;   // of all adapters that may be in the step: 1 to 256
  LoraFormat format = LoraFormat::of_inputs;  // of all adapters
};

// Floats of `v` that both need: [splits, parts, tokens, rank_max] of partial sums, where splits depends on `in` alone.
int64_t lora_v_floats(const LoraGroup& group, int32_t tokens, int32_t rank_max);

// v := partial sums of x · Aᵀ. x: [tokens, in] in `type`, rows x_stride numbers apart (a multiple of 16, zeros beyond in).
void sgmv_shrink(cudaStream_t stream, const LoraStep& step, const LoraGroup& group, const void* x, int64_t x_stride, float* v);

// y := (y + scale · v · Bᵀ) · dora. y: [tokens, ...] float32, rows y_stride apart. v's sums are kept to about 16 bits of
// mantissa (two numbers of `type` each) where `type` has 16 bits, exactly where it is float32.
void sgmv_expand(cudaStream_t stream, const LoraStep& step, const LoraGroup& group, const float* v, float* y, int64_t y_stride);

}  // namespace sgmv::cuda
