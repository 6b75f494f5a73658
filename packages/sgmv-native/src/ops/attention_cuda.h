// Attention over a paged cache on CUDA. All functions only enqueue; pointers are to device memory; everything about the
// step is read there, so that a launch can be replayed from a graph.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/number.h"

namespace sgmv::cuda {

inline constexpr int32_t kHeadDimMax = 512;
inline constexpr int32_t kKeyTailMax = 64;  // that keys may have beyond that, where values are a part of them

// One layer's keys and values: [places, kv_heads, 2, block_size, padded(head_dim)] in `type`, keys at index 0 and values at index 1 of the
// third axis; where values are the first `values_in_keys` numbers of keys, [places, kv_heads, block_size, padded(head_dim)].
struct KvLayer {
  Number type = Number::bf16;
  void* data = nullptr;
  int32_t kv_heads = 0;
  int32_t block_size = 0;
  int32_t head_dim = 0;  // even, at most kHeadDimMax; with values_in_keys up to kKeyTailMax more
  int32_t values_in_keys = 0;  // even, at most kHeadDimMax; 0: values are apart, and as wide as keys
  constexpr int32_t sides() const { return values_in_keys > 0 ? 1 : 2; }
  constexpr int32_t value_dim() const { return values_in_keys > 0 ? values_in_keys : head_dim; }
};

// For every token: q, k and v are taken from qkv (with bias), q and k normed per head (if there are norms) and rotated; q is
// scaled and written to `q`; k and v go to the token's slot in the cache. Without `stores` there is only q.
// Rotation of head component pairs (i, i + half), or (2i, 2i + 1), for i < half (what lies beyond 2 · half stays as it is):
// x' = x · cos − y · sin, y' = y · cos + x · sin.
struct RotateAndStore {
  const float* qkv = nullptr;      // [tokens, (heads + 2 · kv_heads) · head_dim], without `stores` [tokens, heads · head_dim]
  bool stores = true;
  bool gated = false;              // behind each query in qkv lie as many numbers more
  const float* bias = nullptr;     // of qkv, or null
  const float* q_norm = nullptr;   // [head_dim], with layer_norms [heads, head_dim], or null
  const float* k_norm = nullptr;   // the same, with layer_norms [kv_heads, head_dim]
  bool layer_norms = false;        // the mean is taken off, and each head has weights of its own
  bool norms_values = false;       // per head, without weights
  float eps = 1e-5f;
  const float* rope = nullptr;     // [positions, 2 · half]: cosines, then sines
  const float* long_rope = nullptr;          // the same for tokens of long contexts, or null
  const uint8_t* long_context = nullptr;     // [tokens], read where long_rope is there
  int32_t half = 0;
  bool interleaved = false;        // pairs are neighbours
  bool norm_last = false;          // q and k are normed once they are rotated
  float q_scale = 1.0f, v_scale = 1.0f;
  float q_growth = 0.0f;           // queries at position p are multiplied by q_scale · (1 + q_growth · ln(1 + ⌊p / q_growth_span⌋))
  int32_t q_growth_span = 1;
  int32_t q_growth_begin = 0;      // what is added to p
  const int32_t* positions = nullptr;  // [tokens]
  const int32_t* slots = nullptr;      // [tokens]: block · block_size + place in it; -1: a row that only fills a bucket, nothing is written
  int32_t tokens = 0;
  int32_t heads = 0;
  void* q = nullptr;               // [tokens, heads, padded(head_dim)] in the cache's type, zeros where padded
  KvLayer cache;
};
void rotate_and_store(cudaStream_t stream, const RotateAndStore& work);

// Queries of one sequence that are computed together: tokens [token, token + count) of the batch at positions
// [position, position + count). The sequence's block table begins at `table` in `block_tables`. count 0: nothing.
struct AttentionTile {
  int32_t token;
  int32_t count;
  int32_t position;
  int32_t table;
};

// How many tokens a tile should have: as many as give 64 rows of queries that share a head of keys, at least 1, and never more. Where layers
// differ in how many heads do, all have the tiles of those in which the most do.
int32_t attention_tile_tokens(int32_t heads_per_kv);

// Each query sees its own position and those before, `window` of them in all (0: every one), or, chunked, those of its own chunk of `window` positions. Scores are q · k, then
// softcap · tanh(score / softcap) unless softcap is 0. A sink is a score more of each query, with the value 0. A query's sums are cut at fixed positions and added in their order,
// whatever the tile, the other queries and positions_max. Of a block table, entries are read from the first position on
// that a query of the tile sees. It is fast for long contexts where lone tokens are the batch's last.
struct AttentionWork {
  const void* q = nullptr;             // [tokens, heads, padded(head_dim)] in the cache's type
  KvLayer cache;
  const AttentionTile* tiles = nullptr;  // [tile_count]
  int32_t tile_count = 0;
  const int32_t* block_tables = nullptr;
  int32_t heads = 0;                   // a multiple of the cache's kv_heads
  int32_t tokens = 0;
  int32_t positions_max = 0;           // no tile's last position is beyond positions_max - 1
  int32_t window = 0;
  bool chunked = false;
  float softcap = 0;
  const float* sinks = nullptr;        // [heads] or null: no sinks
  float* scratch = nullptr;            // attention_scratch_floats()
  void* out = nullptr;                 // in `type` of the cache: value_dim() numbers for each token and head
  int64_t token_stride = 0, head_stride = 0;  // of out
};
int64_t attention_scratch_floats(int32_t tokens, int32_t heads, int32_t value_dim, int32_t positions_max);
void attention(cudaStream_t stream, const AttentionWork& work);

}  // namespace sgmv::cuda
