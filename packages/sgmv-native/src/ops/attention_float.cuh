// Attention of float32 numbers, for exactness: multiplications and additions one by one. A warp has the rows r with
// r % 4 = its number; a lane has one of a chunk's 32 positions for the scores, and groups of 4 columns for the sums.
#pragma once

#include "cuda/reduce.cuh"
#include "ops/attention_walk.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kFloatChunk = 32, kFloatWarps = 4;

// With a tail, more rows have no room in the 99 KiB that every device has.
template <int kDim, int kTail, int kRows = (kTail > 0 ? 8 : 16)>
struct FloatShared : WalkShared<float, kDim, kTail, kRows, kFloatChunk, 32 * kFloatWarps> {
  float weights[kRows][kFloatChunk];
};

template <int kDim_, int kTail = 0>
struct FloatWorker {
  static constexpr int kDim = kDim_;
  using Shared = FloatShared<kDim, kTail>;
  static constexpr int kBlocks = 2;
  static constexpr int kWarpRows = Shared::kRows / kFloatWarps;
  static constexpr int kLaneUnits = kDim / 4 / 32;  // unit u of a lane: columns (lane + 32u) · 4 and the next three
  static constexpr int kPartLaneUnits = kLaneUnits / Shared::kParts;

  const AttentionWork& work;
  const Plan& plan;
  const Task& task;
  const Rows& rows;
  Shared& shared;
  int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  float dots[kWarpRows][4] = {};  // of the position chunk_begin + lane
  float scores[kWarpRows] = {};  // of the same
  Extent extents[kWarpRows] = {};
  float sums[kWarpRows][kLaneUnits][4] = {};
  Extent all_extents[kWarpRows] = {};
  float all_sums[kWarpRows][kLaneUnits][4] = {};

  template <int kUnits = Shared::kUnits>
  __device__ __forceinline__ static float4 unit_at(const std::byte* rows_at, int row, int unit) {
    return load_float4(rows_at + swizzled<kUnits>(row, unit));
  }

  __device__ __forceinline__ void start() {
#pragma unroll
    for (int i = 0; i < kWarpRows; ++i)
      if (const int row = warp + kFloatWarps * i; row < rows.count) all_extents[i] = before_splits(work, task.kv_head * task.group + (rows.first + row) % task.group);
  }

  // `first`: of a chunk's parts.
  __device__ __forceinline__ void multiply_keys(const std::byte* keys, int part, bool first) {
#pragma unroll
    for (int i = 0; i < kWarpRows; ++i)
#pragma unroll
      for (int c = 0; c < 4; ++c)
        if (first) dots[i][c] = 0;
    if (part < Shared::kParts) multiply_columns<Shared::kUnits>(keys, shared.queries + part * Shared::kQueriesBytes, part * Shared::kPartDim);
    else if constexpr (kTail > 0) multiply_columns<Shared::kTailUnits>(keys, shared.queries + Shared::kParts * Shared::kQueriesBytes, kDim);
  }

  template <int kUnits>
  __device__ __forceinline__ void multiply_columns(const std::byte* keys, const std::byte* queries, int first_column) {
    for (int unit = 0; unit < kUnits && first_column + unit * 4 < plan.columns; ++unit) {
      const float4 key = unit_at<kUnits>(keys, lane, unit);
#pragma unroll
      for (int i = 0; i < kWarpRows; ++i) {
        if (warp + kFloatWarps * i >= rows.count) continue;
        const float4 q = unit_at<kUnits>(queries, warp + kFloatWarps * i, unit);
        dots[i][0] = fmaf(q.x, key.x, dots[i][0]);
        dots[i][1] = fmaf(q.y, key.y, dots[i][1]);
        dots[i][2] = fmaf(q.z, key.z, dots[i][2]);
        dots[i][3] = fmaf(q.w, key.w, dots[i][3]);
      }
    }
  }

  __device__ __forceinline__ void score(int chunk_begin) {
    const int position = chunk_begin + lane;
#pragma unroll
    for (int i = 0; i < kWarpRows; ++i) {
      const float score = (dots[i][0] + dots[i][1]) + (dots[i][2] + dots[i][3]);
      const int last = shared.position_of_row[warp + kFloatWarps * i];
      const bool visible = position <= last && position >= first_visible(last, work);
      scores[i] = !visible ? -INFINITY : work.softcap != 0 ? capped(score, work.softcap) : score;
    }
  }

  __device__ __forceinline__ void weigh() {
#pragma unroll
    for (int i = 0; i < kWarpRows; ++i) {
      if (warp + kFloatWarps * i >= rows.count) continue;
      Extent& extent = extents[i];
      const float top = warp_reduce(fmaxf(extent.top, scores[i]), [](float a, float b) { return fmaxf(a, b); });
      const float reference = reference_of(top), keep = weight_of(extent.top, reference), weight = weight_of(scores[i], reference);
      shared.weights[warp + kFloatWarps * i][lane] = weight;
      extent = {top, fmaf(extent.mass, keep, warp_sum(weight))};
#pragma unroll
      for (int u = 0; u < kLaneUnits; ++u)
#pragma unroll
        for (int c = 0; c < 4; ++c) sums[i][u][c] *= keep;
    }
  }

  __device__ __forceinline__ void add_values(const std::byte* values, int part) {
    for (int position = 0; position < kFloatChunk; ++position)
#pragma unroll
      for (int u = part * kPartLaneUnits; u < (part + 1) * kPartLaneUnits; ++u) {
        if (column_of(u) >= plan.value_columns) continue;
        const float4 value = unit_at(values, position, lane + 32 * (u - part * kPartLaneUnits));
#pragma unroll
        for (int i = 0; i < kWarpRows; ++i) {
          if (warp + kFloatWarps * i >= rows.count) continue;
          const float weight = shared.weights[warp + kFloatWarps * i][position];
          float(&sum)[4] = sums[i][u];
          sum[0] = fmaf(weight, value.x, sum[0]);
          sum[1] = fmaf(weight, value.y, sum[1]);
          sum[2] = fmaf(weight, value.z, sum[2]);
          sum[3] = fmaf(weight, value.w, sum[3]);
        }
      }
  }

  __device__ __forceinline__ int column_of(int u) const { return (lane + 32 * u) * 4; }

  __device__ __forceinline__ void end_split() {
#pragma unroll
    for (int i = 0; i < kWarpRows; ++i) {
      if (task.spread) {
        write_part(i);
        continue;
      }
      const FoldFactors factors = fold(all_extents[i], extents[i]);
      extents[i] = {};
#pragma unroll
      for (int u = 0; u < kLaneUnits; ++u)
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          all_sums[i][u][c] = folded(all_sums[i][u][c], sums[i][u][c], factors);
          sums[i][u][c] = 0;
        }
    }
  }

  __device__ __forceinline__ void write_part(int i) {
    const int row = warp + kFloatWarps * i, r = rows.first + row;
    if (row >= rows.count) return;
    const int64_t index = part_index(work, plan, task.tile.token + r / task.group, task.kv_head * task.group + r % task.group, task.place);
    if (lane == 0) *part_extent(work, plan, index) = make_float2(extents[i].top, extents[i].mass);
    float* to = part_sums(work, plan, index);
#pragma unroll
    for (int u = 0; u < kLaneUnits; ++u)
      if (column_of(u) < plan.value_columns) store_float4(to + column_of(u), make_float4(sums[i][u][0], sums[i][u][1], sums[i][u][2], sums[i][u][3]));
  }

  __device__ __forceinline__ void finish() {
    if (task.spread) return;
#pragma unroll
    for (int i = 0; i < kWarpRows; ++i) {
      const int row = warp + kFloatWarps * i, r = rows.first + row;
      if (row >= rows.count) continue;
      float* to = result_of<float>(work, task.tile.token + r / task.group, task.kv_head * task.group + r % task.group);
      const float scale = 1.0f / all_extents[i].mass;
#pragma unroll
      for (int u = 0; u < kLaneUnits; ++u)
        store_quad(to, column_of(u), work.cache.value_dim(), make_float4(all_sums[i][u][0] * scale, all_sums[i][u][1] * scale, all_sums[i][u][2] * scale, all_sums[i][u][3] * scale));
    }
  }
};

}  // namespace
}  // namespace sgmv::cuda
