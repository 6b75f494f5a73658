// Latent attention (LatentConfig) on CUDA between its products, which kv_b's are head by head: those of experts, where each head is one and
// all tokens pass it. Row head · tokens + token is a token's of a head. All functions only enqueue; pointers are to device memory.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/number.h"
#include "ops/attention_cuda.h"
#include "ops/mixture_cuda.h"
#include "sgmv/model_config.h"

namespace sgmv::cuda {

inline constexpr int kFactorsPerHead = 2;  // kv_b's of keys, transposed, and its of values

// Of those rows: their tiles, routing.tiles and routing.totals, where routing.experts are heads; and factors_of_row, null where a token has
// no adapter, otherwise at those of the row's head. `factors_of_token` [tokens]: null or at an adapter's factors of the first layer's first
// head; null: nobody has any.
void plan_heads(cudaStream_t stream, const Routing& routing, const LoraFactor* const* factors_of_token, const LoraFactor** factors_of_row);

// What all products of the input are: of a token q_a · x or q · x, then kv_a · x: [tokens, q_width + kv_rank + rope_dim], to which `bias` is
// still to be added.
struct LatentRows {
  const float* rows = nullptr;
  const float* bias = nullptr;  // of a row, or null
  LatentConfig shape;
  int32_t q_width = 0;  // shape.q_rank, or heads · (nope_dim + rope_dim)
  int32_t tokens = 0;
};

// As of RotateAndStore.
struct LatentRope {
  const float* rope = nullptr;
  const float* long_rope = nullptr;
  const uint8_t* long_context = nullptr;
  const int32_t* positions = nullptr;
  bool interleaved = false;
};

// What q_b reads, the normed latent of queries, if there is one; and each token's row of the cache: the normed latent of keys and values,
// then the rotated components, zeros where padded. q: [tokens, padded(q_rank)] in the cache's type, with its padding kept.
struct LatentNorms {
  LatentRows from;
  LatentRope rope;
  const float* q_norm = nullptr;   // [q_rank]
  const float* kv_norm = nullptr;  // [kv_rank]
  void* q = nullptr;
  const int32_t* slots = nullptr;  // [tokens]; below 0: nothing is stored
  KvLayer cache;
};
void norm_latents(cudaStream_t stream, const LatentNorms& work);

struct LatentQueries {
  LatentRows from;
  LatentRope rope;
  Number type = Number::bf16;
  const float* q = nullptr;  // [tokens, heads · (nope_dim + rope_dim)], the product with q_b; null: queries are in from.rows
  int32_t heads = 0;
};
// Their unrotated parts, x: [heads · tokens, padded(nope_dim)] in `type` with its padding kept, times the input_factors of a token's adapter:
// factors_of_token as of plan_heads(), those of the layer begin at first_factor.
void part_queries(cudaStream_t stream, const LatentQueries& work, const LoraFactor* const* factors_of_token, int32_t first_factor, void* x);
// The queries that attention reads, q_scale (as of RotateAndStore) times: absorbed: [heads · tokens, kv_rank], what x was multiplied to, then
// the rotated components. out: [tokens, heads, padded(kv_rank + rope_dim)] in `type`.
struct QueryScale {
  float scale = 1.0f, growth = 0.0f;
  int32_t growth_span = 1;
};
void place_queries(cudaStream_t stream, const LatentQueries& work, const float* absorbed, const QueryScale& scale, void* out);

// values: [heads · tokens, width], out: [tokens, padded(heads · width)] in `type` with its padding kept.
void join_heads(cudaStream_t stream, Number type, const float* values, int32_t tokens, int32_t heads, int32_t width, void* out);

}  // namespace sgmv::cuda
