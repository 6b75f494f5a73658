// What the kernels of sgmv_cuda.cu agree on: how the sums are split, where partial sums lie, which block takes which
// tiles. docs/kernels/sgmv.md has the design.
#pragma once

#include <type_traits>

#include "cuda/numbers.cuh"
#include "cuda/q8.cuh"
#include "ops/sgmv_cuda.h"

namespace sgmv::cuda {

inline constexpr int kSgmvThreads = 128;
inline constexpr int kSgmvWarps = kSgmvThreads / 32;
inline constexpr int kRankTile = 16;  // of mma's shape: rows of A, or ranks of B
inline constexpr int kTokenTile = 8;  // of mma's shape: columns
inline constexpr int kTokenTiles = kLoraTileTokens / kTokenTile;

// Kernels are made for a type of inputs T and of factors W: W is T, or q8 where T has 16 bits.
template <typename W>
inline constexpr bool kIsQ8 = std::is_same_v<W, q8>;

struct ShrinkWork {
  LoraStep step;
  LoraGroup group;
  const void* x;     // [tokens, in], rows x_stride apart
  int64_t x_stride;
  float* v;          // [splits, parts, tokens, rank_max]
  int32_t a_stride;  // padded(in)
  int32_t chunk;     // inputs of one split, a multiple of 512
};

struct ExpandWork {
  LoraStep step;
  LoraGroup group;
  const float* v;  // [splits, parts, tokens, rank_max]
  int32_t splits;
  float* y;        // [tokens, ...], rows y_stride apart
  int64_t y_stride;
};

// Calls visit(tile) for tiles `begin`, `begin` + `stride` and so on, so that a grid of any size covers all tiles. The first
// tile is read before it is known whether there is one, which saves a round trip to memory (`begin` is below step.tokens,
// so it may be read). What is read takes part in the condition, or the compiler would move the load behind it.
template <typename Visit>
__device__ __forceinline__ void for_each_tile(const LoraStep& step, int begin, int stride, Visit visit) {
  LoraTile tile = step.tiles[begin];
  const int count = *step.tile_count;
  if ((begin >= count) | (tile.factors == nullptr) | (tile.token_count <= 0)) return;
  for (int i = begin;;) {
    visit(tile);
    i += stride;
    if (i >= count) return;
    tile = step.tiles[i];
  }
}

__device__ __forceinline__ int64_t v_index(const LoraStep& step, int parts, int split, int part, int token) {
  return ((static_cast<int64_t>(split) * parts + part) * step.tokens + token) * step.rank_max;
}

__device__ __forceinline__ int token_tiles_of(const LoraTile& tile) { return (tile.token_count + kTokenTile - 1) / kTokenTile; }

// Where a thread is: in fragments of mma, group is the row or column, thread the place among the four lanes that share it.
struct LanePlace {
  int index, warp, lane, group, thread;
};
__device__ __forceinline__ LanePlace lane_place() {
  const auto i = static_cast<unsigned>(thread_index());
  return {static_cast<int>(i), static_cast<int>(i / 32), static_cast<int>(i % 32), static_cast<int>(i % 32 / 4), static_cast<int>(i % 4)};
}

}  // namespace sgmv::cuda
