// Latent attention (LatentConfig) between its products on CUDA, token by token. All functions only enqueue; pointers are to device memory.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/number.h"
#include "sgmv/model_config.h"

namespace sgmv::cuda {

// What all products of the input are: of a token q_a · x or q · x, then kv_a · x: [tokens, q_width + kv_rank + rope_dim], to which `bias` is
// still to be added.
struct LatentRows {
  const float* rows = nullptr;
  const float* bias = nullptr;  // of a row, or null
  LatentConfig shape;
  int32_t q_width = 0;  // shape.q_rank, or heads · (nope_dim + rope_dim)
  int32_t tokens = 0;
};

// What q_b and kv_b read: the latent of queries, if there is one, and that of keys and values, each normed. q: [tokens, padded(q_rank)],
// kv: [tokens, padded(kv_rank)], both in `type` with their padding kept.
struct LatentNorms {
  LatentRows from;
  Number type = Number::bf16;
  const float* q_norm = nullptr;   // [q_rank]
  const float* kv_norm = nullptr;  // [kv_rank]
  void* q = nullptr;
  void* kv = nullptr;
};
void norm_latents(cudaStream_t stream, const LatentNorms& work);

// Queries, keys and values as of any other attention, [tokens, 3 · heads · head_dim]: rotated components first, values with zeros behind them.
struct LatentHeads {
  LatentRows from;
  const float* q = nullptr;   // [tokens, heads · head_dim], the product with q_b; null: queries are in from.rows
  const float* kv = nullptr;  // [tokens, heads · (nope_dim + value_dim)]
  int32_t heads = 0;
  float* qkv = nullptr;
};
void assemble_heads(cudaStream_t stream, const LatentHeads& work);

// Of each head's `dim` numbers the first `width`: in: [tokens, padded(heads · dim)], out: [tokens, padded(heads · width)], both in `type`.
void close_heads(cudaStream_t stream, Number type, const void* in, int32_t tokens, int32_t heads, int32_t dim, int32_t width, void* out);

}  // namespace sgmv::cuda
