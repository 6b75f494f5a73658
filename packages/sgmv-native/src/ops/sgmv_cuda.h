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

inline constexpr int kFactorsPerLayer = 7;  // q, k, v (or qkv first), o, gate, up (or gate_up first), down
inline constexpr int kLoraTileTokens = 32;

// One projection's adapter. `a`: [rank, padded(in)], `b`: [out, lora_b_stride(rank)], both in the type of the model's
// inputs, 16-byte aligned, zeros where padded; a null: this projection has none. `dora`: [out], multiplies the output
// after the product was added, or null.
struct LoraFactor {
  const void* a = nullptr;
  const void* b = nullptr;
  const float* dora = nullptr;
  int32_t rank = 0;
  float scale = 0;
};

constexpr int64_t lora_b_stride(int64_t rank) { return (rank + 3) / 4 * 4; }

// Neighbours in the batch with the same adapter, at most kLoraTileTokens of them. `factors`: [layers · kFactorsPerLayer + 1], the
// last is the head's.
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
  Part parts[3];
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
};

// Floats of `v` that both need: [splits, parts, tokens, rank_max] of partial sums, where splits depends on `in` alone.
int64_t lora_v_floats(const LoraGroup& group, int32_t tokens, int32_t rank_max);

// v := partial sums of x · Aᵀ. x: [tokens, in] in `type`, rows x_stride numbers apart (a multiple of 16, zeros beyond in).
void sgmv_shrink(cudaStream_t stream, const LoraStep& step, const LoraGroup& group, const void* x, int64_t x_stride, float* v);

// y := (y + scale · v · Bᵀ) · dora. y: [tokens, ...] float32, rows y_stride apart. v's sums are kept to about 16 bits of
// mantissa (two numbers of `type` each) where B has 16-bit numbers, exactly where it has float32.
void sgmv_expand(cudaStream_t stream, const LoraStep& step, const LoraGroup& group, const float* v, float* y, int64_t y_stride);

}  // namespace sgmv::cuda
