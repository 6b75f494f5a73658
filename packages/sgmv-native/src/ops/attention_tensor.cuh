// Attention of 16-bit numbers on tensor cores. Four warps share a chunk of 64 positions: for the scores each takes 16
// of the positions and all columns, for the sums all positions and a quarter of the columns. How many rows there are, in
// one such group of warps or in several, changes nothing in a row's sums.
#pragma once

#include "ops/attention_walk.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kTensorChunk = 64;
constexpr int kWarps = 4;  // of a group

template <typename T, int kDim, int kRowTiles, int kGroups, int kTail>
struct TensorShared : WalkShared<T, kDim, kTail, 16 * kRowTiles * kGroups, kTensorChunk, 32 * kWarps * kGroups> {
  alignas(16) std::byte weights[16 * kRowTiles * kGroups * kTensorChunk * sizeof(T)];  // [rows, kTensorChunk], swizzled
  float by_warp[kWarps][16 * kRowTiles * kGroups];                                     // highest scores of a chunk, or masses of a split
  // What the threads know of all splits so far, where their registers do not suffice; each has its own column.
  static constexpr bool kKeepsExtents = kGroups > 1, kKeepsSums = kGroups > 1 && kDim == 128;
  Extent all_extents[kKeepsExtents ? kRowTiles * 2 : 1][kKeepsExtents ? 32 * kWarps * kGroups : 1];
  float all_sums[kKeepsSums ? kRowTiles * kDim / 8 : 1][kKeepsSums ? 32 * kWarps * kGroups : 1];
};

// A thread's rows are lane / 4 and lane / 4 + 8 of every row tile ("half" 0 and 1), its columns of products of n = 8 are
// lane % 4 · 2 and the next: see mma_m16n8k16.
template <typename T, int kDim_, int kRowTiles_, int kGroups, int kTail = 0>
struct TensorWorker {
  static constexpr int kDim = kDim_, kRowTiles = kRowTiles_;  // row tiles of a warp
  using Shared = TensorShared<T, kDim, kRowTiles, kGroups, kTail>;
  static constexpr int kBlocks = kGroups > 1 || kDim == 512 ? 2 : kDim == 256 ? 3 : kDim == 128 ? 5 : 6;  // that a multiprocessor should hold
  static constexpr int kPairs = kDim / 16 / kWarps;  // of 8 columns, per warp: pair p of warp w begins at column (w + 4p) · 16
  static constexpr int kPartPairs = kPairs / Shared::kParts;
  static constexpr int kRowTileBytes = 16 * Shared::kUnits * 16;  // of values
  static constexpr int kPositionUnits = kTensorChunk * 2 / 16;

  const AttentionWork& work;
  const Plan& plan;
  const Task& task;
  const Rows& rows;
  Shared& shared;
  int warp = static_cast<int>(threadIdx.x) / 32 % kWarps, lane = static_cast<int>(threadIdx.x) % 32;
  int first_tile = static_cast<int>(threadIdx.x) / (32 * kWarps) * kRowTiles;  // of the group
  int row_tiles = (rows.count + 15) / 16 - first_tile;                         // that have rows: its first ones
  float scores[kRowTiles][2][4] = {};
  Extent extents[kRowTiles][2] = {};         // of the split; the mass is of this thread's positions only
  float sums[kRowTiles][kPairs * 2][4] = {};
  Extent own_extents[kRowTiles][2] = {};     // of all splits so far: see all_extent() and all_sum()
  float own_sums[kRowTiles][kPairs * 2][4] = {};

  __device__ __forceinline__ Extent& all_extent(int m, int half) {
    if constexpr (Shared::kKeepsExtents) return shared.all_extents[m * 2 + half][threadIdx.x];
    else return own_extents[m][half];
  }
  __device__ __forceinline__ float& all_sum(int m, int n, int i) {
    if constexpr (Shared::kKeepsSums) return shared.all_sums[(m * kPairs * 2 + n) * 4 + i][threadIdx.x];
    else return own_sums[m][n][i];
  }

  __device__ __forceinline__ void start() {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (i % 2 == 0) {
          const int row = row_of(m, i / 2);
          all_extent(m, i / 2) = row < rows.count ? before_splits(work, task.kv_head * task.group + (rows.first + row) % task.group) : Extent{};
        }
#pragma unroll
        for (int n = 0; n < 2 * kPairs; ++n) all_sum(m, n, i) = 0;
      }
  }

  __device__ __forceinline__ int row_of(int tile, int half) const { return (first_tile + tile) * 16 + half * 8 + lane / 4; }
  __device__ __forceinline__ int position_in_chunk(int n) const { return warp * 16 + n * 8 + lane % 4 * 2; }

  // Of the scores of the warp's 16 positions, and the highest of each row.
  __device__ __forceinline__ void score(int chunk_begin) {
    if (work.softcap != 0) cap_scores();
    if (chunk_begin + kTensorChunk - 1 > rows.position || chunk_begin < rows.first_visible_to_all) mask(chunk_begin);
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (m >= row_tiles) continue;
        float top = fmaxf(fmaxf(scores[m][0][2 * half], scores[m][0][2 * half + 1]), fmaxf(scores[m][1][2 * half], scores[m][1][2 * half + 1]));
        top = fmaxf(top, __shfl_xor_sync(0xFFFFFFFF, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xFFFFFFFF, top, 2));
        if (lane % 4 == 0) shared.by_warp[warp][row_of(m, half)] = top;
      }
  }

  // The scores, part by part. `first`: of a chunk's parts.
  __device__ __forceinline__ void multiply_keys(const std::byte* keys_at, int part, bool first) {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int i = 0; i < 8; ++i)
        if (first) scores[m][i / 4][i % 4] = 0;
    if (part < Shared::kParts) multiply_columns<Shared::kUnits>(keys_at, shared.queries + part * Shared::kQueriesBytes, part * Shared::kPartDim);
    else if constexpr (kTail > 0) multiply_columns<Shared::kTailUnits>(keys_at, shared.queries + Shared::kParts * Shared::kQueriesBytes, kDim);
  }

  template <int kUnits>
  __device__ __forceinline__ void multiply_columns(const std::byte* keys_at, const std::byte* queries_at, int first_column) {
    const int key = swizzled<kUnits>(warp * 16 + lane / 16 * 8 + lane % 8, lane / 8 % 2);
    const int query = swizzled<kUnits>(first_tile * 16 + lane % 16, lane / 16);
#pragma unroll
    for (int k = 0; k < kUnits / 2; ++k) {
      if (first_column + k * 16 >= plan.columns) break;
      uint32_t keys[4];
      ldmatrix_x4(keys, keys_at + units_on(key, 2 * k));
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        if (m >= row_tiles) continue;
        uint32_t queries[4];
        ldmatrix_x4(queries, queries_at + m * 16 * kUnits * 16 + units_on(query, 2 * k));
        mma_m16n8k16<T>(scores[m][0], queries, {keys[0], keys[1]});
        mma_m16n8k16<T>(scores[m][1], queries, {keys[2], keys[3]});
      }
    }
  }

  __device__ __forceinline__ void cap_scores() {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int i = 0; i < 8; ++i) scores[m][i / 4][i % 4] = capped(scores[m][i / 4][i % 4], work.softcap);
  }

  __device__ __forceinline__ void mask(int chunk_begin) {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int last = shared.position_of_row[row_of(m, half)], first = first_visible(last, work);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int position = chunk_begin + position_in_chunk(i / 2) + i % 2;
          if (position > last || position < first) scores[m][i / 2][2 * half + i % 2] = -INFINITY;
        }
      }
  }

  // Weights e^(score - top), rounded as the product with the values needs them; their sum is of the rounded ones, so that
  // a row's weights still add up to one. What was summed before is made comparable.
  __device__ __forceinline__ void weigh() {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (m >= row_tiles) continue;
        Extent& extent = extents[m][half];
        const int row = row_of(m, half);
        float top = extent.top;
#pragma unroll
        for (int w = 0; w < kWarps; ++w) top = fmaxf(top, shared.by_warp[w][row]);
        const float reference = reference_of(top), keep = weight_of(extent.top, reference);
        float masses[2];
#pragma unroll
        for (int n = 0; n < 2; ++n) {
          const uint32_t pair = pack2<T>(weight_of(scores[m][n][2 * half], reference), weight_of(scores[m][n][2 * half + 1], reference));
          *reinterpret_cast<uint32_t*>(shared.weights + swizzled<kPositionUnits>(row, warp * 2 + n) + lane % 4 * 4) = pair;
          const float2 rounded = unpack2<T>(pair);
          masses[n] = rounded.x + rounded.y;
        }
        extent = {top, fmaf(extent.mass, keep, masses[0] + masses[1])};
#pragma unroll
        for (int n = 0; n < 2 * kPairs; ++n) {
          sums[m][n][2 * half] *= keep;
          sums[m][n][2 * half + 1] *= keep;
        }
      }
  }

  __device__ __forceinline__ void add_values(const std::byte* values_at, int part) {
    const int value = swizzled<Shared::kUnits>(lane % 16, 2 * warp + lane / 16);
    const int weight = swizzled<kPositionUnits>(first_tile * 16 + lane % 16, lane / 16);
#pragma unroll
    for (int k = 0; k < kTensorChunk / 16; ++k) {
      uint32_t weights[kRowTiles][4];
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m)
        if (m < row_tiles) ldmatrix_x4(weights[m], shared.weights + m * 16 * kPositionUnits * 16 + units_on(weight, 2 * k));
#pragma unroll
      for (int p = part * kPartPairs; p < (part + 1) * kPartPairs; ++p) {
        if ((warp + kWarps * p) * 16 >= plan.value_columns) continue;
        uint32_t values[4];
        ldmatrix_x4_transposed(values, values_at + k * kRowTileBytes + units_on(value, 2 * kWarps * (p - part * kPartPairs)));
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) {
          if (m >= row_tiles) continue;
          mma_m16n8k16<T>(sums[m][2 * p], weights[m], {values[0], values[1]});
          mma_m16n8k16<T>(sums[m][2 * p + 1], weights[m], {values[2], values[3]});
        }
      }
    }
  }

  // The rows' masses are put together from the threads'; then the split's sums are folded into those of the splits before,
  // or written for the kernel that does it.
  __device__ __forceinline__ void end_split() {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float mass = extents[m][half].mass;
        mass += __shfl_xor_sync(0xFFFFFFFF, mass, 1);
        mass += __shfl_xor_sync(0xFFFFFFFF, mass, 2);
        if (lane % 4 == 0) shared.by_warp[warp][row_of(m, half)] = mass;
      }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const auto& masses = shared.by_warp;
        const int row = row_of(m, half);
        extents[m][half].mass = (masses[0][row] + masses[1][row]) + (masses[2][row] + masses[3][row]);
        if (task.spread) write_part(m, half);
        else fold_split(m, half);
      }
  }

  __device__ __forceinline__ void fold_split(int m, int half) {
    const FoldFactors factors = fold(all_extent(m, half), extents[m][half]);
    extents[m][half] = {};
#pragma unroll
    for (int n = 0; n < 2 * kPairs; ++n)
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        all_sum(m, n, i) = folded(all_sum(m, n, i), sums[m][n][i], factors);
        sums[m][n][i] = 0;
      }
  }

  __device__ __forceinline__ void write_part(int m, int half) {
    const int row = row_of(m, half);
    if (row >= rows.count) return;
    const int r = rows.first + row, token = task.tile.token + r / task.group, head = task.kv_head * task.group + r % task.group;
    const int64_t index = part_index(work, plan, token, head, task.place);
    if (warp == 0 && lane % 4 == 0) *part_extent(work, plan, index) = make_float2(extents[m][half].top, extents[m][half].mass);
    float* to = part_sums(work, plan, index);
#pragma unroll
    for (int n = 0; n < 2 * kPairs; ++n)
      if (const int column = column_of(n); column < plan.value_columns) store_pair(to + column, sums[m][n][2 * half], sums[m][n][2 * half + 1]);
  }

  __device__ __forceinline__ int column_of(int n) const { return (warp + n / 2 * kWarps) * 16 + n % 2 * 8 + lane % 4 * 2; }

  __device__ __forceinline__ void finish() {
    if (task.spread) return;
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = row_of(m, half), r = rows.first + min(row, rows.count - 1);
        T* to = result_of<T>(work, task.tile.token + r / task.group, task.kv_head * task.group + r % task.group);
        const float scale = 1.0f / all_extent(m, half).mass;
        const auto pair = [&](int n) { return pack2<T>(all_sum(m, n, 2 * half) * scale, all_sum(m, n, 2 * half + 1) * scale); };
        store_row(to, row < rows.count, pair);
      }
  }

  // pair(n): the thread's numbers of product n. With many rows, two threads beside each other exchange: of every two products
  // the even one gets four neighbours of the first, the odd one of the second, so that a row's four threads fill a sector.
  // Few rows are not worth the registers.
  template <typename Pair>
  __device__ __forceinline__ void store_row(T* to, bool valid, Pair pair) {
    if constexpr (kGroups > 1) {
      const bool odd = lane % 2 != 0;
#pragma unroll
      for (int n = 0; n < 2 * kPairs; n += 2) {
        const uint32_t first = pair(n), second = pair(n + 1), other = __shfl_xor_sync(0xFFFFFFFF, odd ? first : second, 1);
        const int column = column_of(n) - lane % 4 * 2 + (odd ? 8 : 0) + lane / 2 % 2 * 4;
        if (valid) store_pairs(to, column, work.cache.value_dim(), odd ? other : first, odd ? second : other);
      }
    } else {
#pragma unroll
      for (int n = 0; n < 2 * kPairs; ++n)
        if (const int column = column_of(n); valid && column < work.cache.value_dim()) *reinterpret_cast<uint32_t*>(to + column) = pair(n);
    }
  }
};

}  // namespace
}  // namespace sgmv::cuda
