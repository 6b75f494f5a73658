// How attention is cut into pieces, and what the pieces' kernels share.
//
// Positions are cut at fixed places, whatever the batch: splits consist of chunks. A query's sums over one split are
// taken chunk by chunk, and those of the splits are folded together in order. One block does that for all splits of a
// tile, or many blocks take a split each and a second kernel folds; the operations on a query's numbers are the same.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "cuda/numbers.cuh"
#include "ops/attention_cuda.h"

namespace sgmv::cuda {
namespace {

constexpr int kTileRows = 64;         // of queries that share a head of keys: what attention_tile_tokens() fills
constexpr int kSplitPositions = 256;  // of the shortest splits
constexpr int kSpreadTokens = 128;    // of a batch, the last: only their splits may lie in several blocks, which bounds the scratch
constexpr float kLog2e = 1.44269504f;

// Splits have 256 positions up to position 8192. From there on their length doubles wherever the position does, so that
// 131072 positions are 96 splits and not 512. With a window that is short, all have 256: a query sees few of them.
constexpr int kEvenWindowMax = 4096;

struct Plan {
  int32_t splits = 1;        // that a tile has at most
  int32_t spread_tiles = 0;  // the last of the tiles: those that may be cut into blocks by splits
  int32_t columns = 0;       // padded(head_dim), of keys
  int32_t value_columns = 0; // padded(value_dim)
  bool even = false;         // all splits have kSplitPositions
};

__host__ __device__ inline int split_of(int position, bool even) {
  const int n = position / kSplitPositions;
  int doublings = 0;
  while (!even && (n >> doublings) >= 32) ++doublings;
  return 16 * doublings + (n >> doublings);
}

__host__ __device__ inline int split_begin(int split, bool even) {
  if (even || split < 32) return split * kSplitPositions;
  return (16 + split % 16) * (kSplitPositions << (split / 16 - 1));
}

// The first position that a query at `position` sees.
__host__ __device__ inline int first_visible(int position, const AttentionWork& work) {
  if (work.window == 0 || position < work.window) return 0;
  return work.chunked ? position - position % work.window : position + 1 - work.window;
}

// What one block computes: the queries of a tile that share a head of keys, over splits [first_split, last_split].
struct Task {
  AttentionTile tile;
  int kv_head;
  int group;       // heads that share it
  int first_split;
  int last_split;
  int place;       // of first_split among the tile's own
  bool spread;     // the tile has more splits, in other blocks
};

// `in_reach`: the tile is among the last plan.spread_tiles.
__device__ __forceinline__ void describe(const AttentionWork& work, const Plan& plan, int tile, bool in_reach, Task& task) {
  task.tile = work.tiles[tile];
  task.kv_head = static_cast<int>(blockIdx.y);
  task.group = work.heads / work.cache.kv_heads;
  task.first_split = split_of(first_visible(task.tile.position, work), plan.even);
  task.last_split = split_of(task.tile.position + max(task.tile.count, 1) - 1, plan.even);
  task.place = 0;
  task.spread = in_reach && task.tile.token >= work.tokens - kSpreadTokens && task.last_split > task.first_split;
}

// The running block's task; false if there is none. A prompt's last tiles have the most to do and begin first.
__device__ __forceinline__ bool find_task(const AttentionWork& work, const Plan& plan, Task& task) {
  const int whole_tiles = work.tile_count - plan.spread_tiles, block = static_cast<int>(blockIdx.x);
  if (block < whole_tiles) {
    describe(work, plan, whole_tiles - 1 - block, false, task);
    return true;
  }
  const int place = (block - whole_tiles) / plan.spread_tiles;
  describe(work, plan, work.tile_count - 1 - (block - whole_tiles) % plan.spread_tiles, true, task);
  if (!task.spread) return place == 0;
  task.place = place;
  task.first_split += place;
  if (task.first_split > task.last_split) return false;
  task.last_split = task.first_split;
  return true;
}

// Sums over a part of what a query sees: Σ e^(score − top) · value goes with top, the highest score, and mass, the
// Σ e^(score − top). Without any position they are 0, -∞ and 0.
struct Extent {
  float top = -INFINITY;
  float mass = 0;
};

// Of a query before its first split: nothing, or its sink, which has the value 0. Splits are folded onto it once, wherever that is done.
__device__ __forceinline__ Extent before_splits(const AttentionWork& work, int head) {
  return work.sinks == nullptr ? Extent{} : Extent{work.sinks[head], 1.0f};
}

// All kernels must round alike, so no product may be fused into a sum in one and not in another: fmaf() and
// rounded_product() leave the compiler no choice.

// e^(score - reference). The reference is finite even where there is no position yet.
__device__ __forceinline__ float reference_of(float top) { return top == -INFINITY ? 0.0f : top; }
__device__ __forceinline__ float weight_of(float score, float reference) { return exp2f(rounded_product(score - reference, kLog2e)); }

__device__ __forceinline__ float capped(float score, float softcap) { return rounded_product(softcap, tanhf(rounded_quotient(score, softcap))); }

struct FoldFactors {
  float keep;  // of the sums so far
  float add;   // of the part's
};
__device__ __forceinline__ FoldFactors fold(Extent& extent, const Extent& part) {
  const float top = fmaxf(extent.top, part.top), reference = reference_of(top);
  const FoldFactors factors{weight_of(extent.top, reference), weight_of(part.top, reference)};
  extent.top = top;
  extent.mass = fmaf(extent.mass, factors.keep, rounded_product(part.mass, factors.add));
  return factors;
}
__device__ __forceinline__ float folded(float sum, float part, const FoldFactors& factors) { return fmaf(sum, factors.keep, rounded_product(part, factors.add)); }

// The scratch has for every spread query and split sums [value_columns], and behind all of them the extents.
__device__ __forceinline__ int64_t part_index(const AttentionWork& work, const Plan& plan, int token, int head, int place) {
  const int64_t row = static_cast<int64_t>(token - max(work.tokens - kSpreadTokens, 0)) * work.heads + head;
  return row * plan.splits + place;
}
__device__ __forceinline__ float* part_sums(const AttentionWork& work, const Plan& plan, int64_t index) { return work.scratch + index * plan.value_columns; }
__device__ __forceinline__ float2* part_extent(const AttentionWork& work, const Plan& plan, int64_t index) {
  const int64_t parts = static_cast<int64_t>(min(work.tokens, kSpreadTokens)) * work.heads * plan.splits;
  return reinterpret_cast<float2*>(work.scratch + parts * plan.value_columns) + index;
}

// Two neighbours of a row of results; `at` is even.
template <typename T>
__device__ __forceinline__ void store_pair(T* at, float first, float second) {
  if constexpr (sizeof(T) == 2) *reinterpret_cast<uint32_t*>(at) = pack2<T>(first, second);
  else store8(at, make_uint2(__float_as_uint(first), __float_as_uint(second)));
}

// Of a row of results with `width` columns four neighbours, as far as it has them; `column` is a multiple of four, `width` of
// two. Rows of a width that is no multiple of four begin at multiples of two numbers only.
template <typename T>
__device__ __forceinline__ void store_pairs(T* row, int column, int width, uint32_t first, uint32_t second) {
  if (column >= width) return;
  if (width % 4 == 0) {
    store8(row + column, make_uint2(first, second));
  } else {
    *reinterpret_cast<uint32_t*>(row + column) = first;
    if (column + 2 < width) *reinterpret_cast<uint32_t*>(row + column + 2) = second;
  }
}
template <typename T>
__device__ __forceinline__ void store_quad(T* row, int column, int width, float4 v) {
  if constexpr (sizeof(T) == 2) {
    store_pairs(row, column, width, pack2<T>(v.x, v.y), pack2<T>(v.z, v.w));
  } else {
    if (column >= width) return;
    if (width % 4 == 0) {
      store_float4(row + column, v);
    } else {
      store_pair(row + column, v.x, v.y);
      if (column + 2 < width) store_pair(row + column + 2, v.z, v.w);
    }
  }
}

// Where the result of a query begins.
template <typename T>
__device__ __forceinline__ T* result_of(const AttentionWork& work, int token, int head) {
  return static_cast<T*>(work.out) + token * work.token_stride + head * work.head_stride;
}

}  // namespace
}  // namespace sgmv::cuda
