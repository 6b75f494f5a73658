// v := partial sums of x · Aᵀ. A block takes one split of the inputs, one part of the group and one tile of tokens, and
// of the adapter's ranks 16 at a time.
#pragma once

#include "ops/sgmv_kernels.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kWarpInputs = 128;                           // that a warp multiplies per pass
constexpr int kPassInputs = kSgmvWarps * kWarpInputs;
template <typename W>
constexpr int kPieceInputs = 4 * 16 / sizeof(W);           // that four lanes load 16 bytes of A each for, in a row
constexpr int kSumsStride = kRankTile + 4;                 // floats of a token in shared memory: no bank conflicts
constexpr int kShrinkSharedFloats = kSgmvWarps * kLoraTileTokens * kSumsStride;

__device__ __forceinline__ uint4 load16_or_zeros(const void* p, bool valid) { return valid ? load16(p) : make_uint4(0, 0, 0, 0); }
__device__ __forceinline__ uint4 load16_once_or_zeros(const void* p, bool valid) { return valid ? load16_once(p) : make_uint4(0, 0, 0, 0); }

// sums [16 ranks, 8 tokens] += A [16, 32] · xᵀ [32, 8]. Each lane has 8 neighbours of a row: mma gets them as if they were
// its elements 2t, 2t + 1, 2t + 8, 2t + 9 of two products. A and x are permuted alike, so the sum is the same.
template <typename T>
__device__ __forceinline__ void multiply_piece(float (&sums)[4], const uint4& a_low, const uint4& a_high, const uint4 (&x)[1], T) {
  mma_m16n8k16<T>(sums, {a_low.x, a_high.x, a_low.y, a_high.y}, {x[0].x, x[0].y});
  mma_m16n8k16<T>(sums, {a_low.z, a_high.z, a_low.w, a_high.w}, {x[0].z, x[0].w});
}

// The same with A of 8 bits, [16, 64], and 16 neighbours in each lane: four products of a word each.
template <typename T>
__device__ __forceinline__ void multiply_piece(float (&sums)[4], const uint4& a_low, const uint4& a_high, const uint4 (&x)[2], q8) {
  const auto multiply_word = [&](uint32_t word_low, uint32_t word_high, uint32_t x_first, uint32_t x_second) {
    const uint2 low = q8_pairs<T>(word_low), high = q8_pairs<T>(word_high);
    mma_m16n8k16<T>(sums, {low.x, high.x, low.y, high.y}, {x_first, x_second});
  };
  multiply_word(a_low.x, a_high.x, x[0].x, x[0].y);
  multiply_word(a_low.y, a_high.y, x[0].z, x[0].w);
  multiply_word(a_low.z, a_high.z, x[1].x, x[1].y);
  multiply_word(a_low.w, a_high.w, x[1].z, x[1].w);
}

// One warp's share of a block's sums: of each pass over 512 inputs its own 128. A's rows come once from memory, all loads
// of a pass under way before the first product; each piece of x makes room for that of the next eight tokens.
template <typename T, typename W>
__device__ __forceinline__ void shrink_warp(const ShrinkWork& work, const LoraTile& tile, const W* a, int rows, float (&sums)[kTokenTiles][4]) {
  constexpr int kPieces = kWarpInputs / kPieceInputs<W>, kLoadsOfX = kPieceInputs<W> / 32;
  const auto [index, warp, lane, group, thread] = lane_place();
  const int token_tiles = token_tiles_of(tile);
  const int split_begin = static_cast<int>(blockIdx.x) * work.chunk;
  const W* const a_row = a + static_cast<int64_t>(group) * work.a_stride;
  const T* const x_row = static_cast<const T*>(work.x) + static_cast<int64_t>(tile.token_begin + group) * work.x_stride;
  for (int pass = 0; pass < work.chunk; pass += kPassInputs) {
    const int k = split_begin + pass + warp * kWarpInputs + kPieceInputs<W> / 4 * thread;
    const auto load_x = [&](uint4 (&x)[kLoadsOfX], int token_tile, int i) {
      const bool valid = token_tile * kTokenTile + group < tile.token_count && k + kPieceInputs<W> * i < work.a_stride;
      const T* const from = x_row + static_cast<int64_t>(token_tile) * kTokenTile * work.x_stride + k + kPieceInputs<W> * i;
      for (int j = 0; j < kLoadsOfX; ++j) x[j] = load16_or_zeros(from + 8 * j, valid);
    };
    uint4 a_low[kPieces], a_high[kPieces], x[kPieces][kLoadsOfX];
    for (int i = 0; i < kPieces; ++i) {
      const bool in_row = k + kPieceInputs<W> * i < work.a_stride;
      a_low[i] = load16_once_or_zeros(a_row + k + kPieceInputs<W> * i, in_row && group < rows);
      a_high[i] = load16_once_or_zeros(a_row + 8 * static_cast<int64_t>(work.a_stride) + k + kPieceInputs<W> * i, in_row && group + 8 < rows);
    }
    for (int i = 0; i < kPieces; ++i) load_x(x[i], 0, i);
    for (int n = 0; n < kTokenTiles; ++n) {
      if (n >= token_tiles) break;
      for (int i = 0; i < kPieces; ++i) {
        multiply_piece<T>(sums[n], a_low[i], a_high[i], x[i], W{});
        if (n + 1 < token_tiles) load_x(x[i], n + 1, i);
      }
    }
  }
}

template <typename W>
__device__ __forceinline__ float row_scale(const ShrinkWork& work, const LoraFactor& factor, int row) {
  if constexpr (!kIsQ8<W>) return 1.0f;
  else return reinterpret_cast<const float*>(static_cast<const std::byte*>(factor.a) + static_cast<int64_t>(factor.rank) * work.a_stride)[row];
}

// Adds the warps' sums, always in the same order, and writes those of ranks the adapter has.
template <typename T, typename W>
__device__ __forceinline__ void shrink_ranks(const ShrinkWork& work, const LoraTile& tile, const LoraFactor& factor, int part, int rank_begin) {
  auto* const shared = reinterpret_cast<float*>(dynamic_shared());  // [warps, tokens, kSumsStride]
  const auto [index, warp, lane, group, thread] = lane_place();
  const int rows = min(kRankTile, factor.rank - rank_begin), row = index % kRankTile;  // the one whose sums this thread adds
  const float scale = row < rows ? row_scale<W>(work, factor, rank_begin + row) : 0.0f;
  const auto times_scale = [&](float sum) {
    if constexpr (kIsQ8<W>) return sum * q8_unit<T>() * scale;
    else return sum;
  };
  float sums[kTokenTiles][4] = {};
  shrink_warp<T>(work, tile, static_cast<const W*>(factor.a) + static_cast<int64_t>(rank_begin) * work.a_stride, rows, sums);
  for (int n = 0; n < kTokenTiles; ++n) {
    if (n >= token_tiles_of(tile)) break;
    float* const to = shared + (warp * kLoraTileTokens + n * kTokenTile + 2 * thread) * kSumsStride + group;
    for (int i = 0; i < 4; ++i) to[i % 2 * kSumsStride + i / 2 * 8] = sums[n][i];
  }
  __syncthreads();
  const int split = static_cast<int>(blockIdx.x);
  // The halves of a warp take tokens that are four apart: between neighbours four banks would be asked for twice.
  for (int token = warp + (lane < kRankTile ? 0 : kSgmvWarps); token < tile.token_count; token += 2 * kSgmvWarps) {
    if (row >= rows) break;
    float sum = 0;
    for (int w = 0; w < kSgmvWarps; ++w) sum += shared[(w * kLoraTileTokens + token) * kSumsStride + row];
    work.v[v_index(work.step, work.group.part_count, split, part, tile.token_begin + token) + rank_begin + row] = times_scale(sum);
  }
  __syncthreads();
}

// float32, for exactness rather than speed: a warp takes a row of A at a time, its lanes every 32nd four inputs.
template <>
__device__ __forceinline__ void shrink_ranks<float, float>(const ShrinkWork& work, const LoraTile& tile, const LoraFactor& factor, int part,
                                                    int rank_begin) {
  const auto [index, warp, lane, group, thread] = lane_place();
  const int split = static_cast<int>(blockIdx.x);
  const int k_begin = split * work.chunk + 4 * lane, k_end = min((split + 1) * work.chunk, work.a_stride);
  for (int row = rank_begin + warp; row < min(rank_begin + kRankTile, factor.rank); row += kSgmvWarps) {
    const float* const a = static_cast<const float*>(factor.a) + static_cast<int64_t>(row) * work.a_stride;
    for (int token = tile.token_begin; token < tile.token_begin + tile.token_count; ++token) {
      const float* const x = static_cast<const float*>(work.x) + token * work.x_stride;
      float sum = 0;
#pragma unroll 4
      for (int k = k_begin; k < k_end; k += kWarpInputs) {
        const auto [a0, a1, a2, a3] = load16(a + k);
        const auto [x0, x1, x2, x3] = load16(x + k);
        sum = fmaf(__uint_as_float(a0), __uint_as_float(x0), sum);
        sum = fmaf(__uint_as_float(a1), __uint_as_float(x1), sum);
        sum = fmaf(__uint_as_float(a2), __uint_as_float(x2), sum);
        sum = fmaf(__uint_as_float(a3), __uint_as_float(x3), sum);
      }
      for (int bits = 16; bits > 0; bits /= 2) sum += __shfl_xor_sync(0xFFFF'FFFF, sum, bits);
      if (lane == 0) work.v[v_index(work.step, work.group.part_count, split, part, token) + row] = sum;
    }
  }
}

// Grid: splits, (blocks of ranks, parts), tiles.
template <typename T, typename W>
__global__ void __launch_bounds__(kSgmvThreads, kIsQ8<W> ? 6 : 5) shrink_kernel(const __grid_constant__ ShrinkWork work) {
  const int parts = work.group.part_count;
  const int part = static_cast<int>(blockIdx.y) % parts;
  const int rank_begin = static_cast<int>(blockIdx.y) / parts * kRankTile, rank_stride = static_cast<int>(gridDim.y) / parts * kRankTile;
  for_each_tile(work.step, static_cast<int>(blockIdx.z), static_cast<int>(gridDim.z), [&](const LoraTile& tile) {
    const LoraFactor factor = tile.factors[work.group.parts[part].factor];
    if (factor.a == nullptr) return;
    for (int rank = rank_begin; rank < factor.rank; rank += rank_stride) shrink_ranks<T, W>(work, tile, factor, part, rank);
  });
}

}  // namespace
}  // namespace sgmv::cuda
