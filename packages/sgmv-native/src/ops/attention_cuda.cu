#include "ops/attention_cuda.h"

#include <algorithm>

#include "cuda/launch.h"
#include "ops/attention_float.cuh"
#include "ops/attention_tensor.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kFoldThreads = 128;

// Grid: x: tiles, the last ones times their splits; y: heads of keys; z: a tile's rows, as many of them as a block computes at once.
template <typename Worker>
__global__ void __launch_bounds__(Worker::Shared::kThreads, Worker::kBlocks) attention_kernel(const AttentionWork work, const Plan plan) {
  using Shared = typename Worker::Shared;
  Task task;
  if (!find_task(work, plan, task)) return;
  auto& shared = *reinterpret_cast<Shared*>(dynamic_shared());
  const int row_count = task.tile.count * task.group;
  for (int first = static_cast<int>(blockIdx.z) * Shared::kRows; first < row_count; first += static_cast<int>(gridDim.z) * Shared::kRows) {
    __syncthreads();
    if (threadIdx.x == 0) {
      shared.task = task;
      shared.rows = rows_from(work, plan, task, first, Shared::kRows);
    }
    __syncthreads();
    if (shared.rows.begin >= shared.rows.end) continue;
    Worker worker{work, plan, shared.task, shared.rows, shared};
    walk(worker, shared, work, plan, shared.task, shared.rows);
  }
}

// Folds the splits of spread tiles. Grid: x: the tiles that may be spread, y: heads of keys; a warp has a query at a time.
template <typename T, int kDim>
__global__ void __launch_bounds__(kFoldThreads) fold_kernel(const AttentionWork work, const Plan plan) {
  constexpr int kLaneUnits = kDim / 4 / 32;
  Task task;
  describe(work, plan, work.tile_count - 1 - static_cast<int>(blockIdx.x), true, task);
  if (!task.spread) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int row = static_cast<int>(threadIdx.x) / 32; row < task.tile.count * task.group; row += kFoldThreads / 32) {
    const int token = task.tile.token + row / task.group, head = task.kv_head * task.group + row % task.group;
    const int position = task.tile.position + row / task.group;
    const int first = split_of(first_visible(position, work), plan.even) - task.first_split;
    const int last = split_of(position, plan.even) - task.first_split;
    const int64_t begin = part_index(work, plan, token, head, 0);
    Extent extent = before_splits(work, head);
    float sums[kLaneUnits][4] = {};
#pragma unroll 4
    for (int place = first; place <= last; ++place) {
      const float2 part = *part_extent(work, plan, begin + place);
      const FoldFactors factors = fold(extent, {part.x, part.y});
#pragma unroll
      for (int u = 0; u < kLaneUnits; ++u) {
        if ((lane + 32 * u) * 4 >= plan.value_columns) continue;
        const float4 of_part = load_float4(part_sums(work, plan, begin + place) + (lane + 32 * u) * 4);
        sums[u][0] = folded(sums[u][0], of_part.x, factors);
        sums[u][1] = folded(sums[u][1], of_part.y, factors);
        sums[u][2] = folded(sums[u][2], of_part.z, factors);
        sums[u][3] = folded(sums[u][3], of_part.w, factors);
      }
    }
    T* to = result_of<T>(work, token, head);
    const float scale = 1.0f / extent.mass;
#pragma unroll
    for (int u = 0; u < kLaneUnits; ++u)
      store_quad(to, (lane + 32 * u) * 4, work.cache.value_dim(), make_float4(sums[u][0] * scale, sums[u][1] * scale, sums[u][2] * scale, sums[u][3] * scale));
  }
}

// With a window or chunks, a tile's queries see at most this many positions together, which may begin anywhere in a split.
int32_t splits_of_tile(const AttentionWork& work, bool even) {
  const int32_t all = split_of(work.positions_max - 1, even) + 1;
  if (!even) return all;
  const int32_t seen = work.window + attention_tile_tokens(work.heads / work.cache.kv_heads) - 1;
  return std::min(all, (seen + kSplitPositions - 2) / kSplitPositions + 1);
}

Plan plan_for(const AttentionWork& work) {
  Plan plan;
  plan.columns = static_cast<int32_t>(padded(work.cache.head_dim));
  plan.value_columns = static_cast<int32_t>(padded(work.cache.value_dim()));
  plan.even = work.window > 0 && work.window <= kEvenWindowMax;
  plan.splits = splits_of_tile(work, plan.even);
  if (plan.splits > 1) plan.spread_tiles = std::min(work.tile_count, kSpreadTokens);
  return plan;
}

template <typename Worker>
void launch_attention(cudaStream_t stream, const AttentionWork& work, const Plan& plan, int32_t rows) {
  static_assert(sizeof(typename Worker::Shared) <= size_t{99} << 10);  // of a block on compute capability 8.6 and 8.9
  const int32_t blocks = work.tile_count - plan.spread_tiles + plan.spread_tiles * plan.splits;
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(work.cache.kv_heads), static_cast<unsigned>((rows + Worker::Shared::kRows - 1) / Worker::Shared::kRows));
  launch(stream, {grid, Worker::Shared::kThreads, sizeof(typename Worker::Shared)}, attention_kernel<Worker>, work, plan);
}

template <typename T, int kDim, int kTail = 0>
void launch_rows(cudaStream_t stream, const AttentionWork& work, const Plan& plan) {
  // Where every tile has one token, few rows; fewer registers and less shared memory leave room for more blocks.
  const int32_t group = work.heads / work.cache.kv_heads, rows = (work.tile_count >= work.tokens ? 1 : attention_tile_tokens(group)) * group;
  if constexpr (sizeof(T) == 4) launch_attention<FloatWorker<kDim, kTail>>(stream, work, plan, rows);
  else if constexpr (kDim == 512) launch_attention<TensorWorker<T, kDim, 1, 1, kTail>>(stream, work, plan, rows);  // more rows have no room
  else if (rows <= 16) launch_attention<TensorWorker<T, kDim, 1, 1>>(stream, work, plan, rows);
  else launch_attention<TensorWorker<T, kDim, kDim == 256 ? 1 : 2, 2>>(stream, work, plan, rows);
}

template <typename T>
void launch_dim(cudaStream_t stream, const AttentionWork& work, const Plan& plan) {
  if (plan.columns <= 64 && sizeof(T) == 2) launch_rows<T, sizeof(T) == 2 ? 64 : 128>(stream, work, plan);
  else if (plan.columns <= 128) launch_rows<T, 128>(stream, work, plan);
  else if (plan.columns <= 256) launch_rows<T, 256>(stream, work, plan);
  else if (plan.columns <= kHeadDimMax) launch_rows<T, 512>(stream, work, plan);
  else launch_rows<T, 512, kKeyTailMax>(stream, work, plan);
  if (plan.splits == 1) return;
  const dim3 grid(static_cast<unsigned>(plan.spread_tiles), static_cast<unsigned>(work.cache.kv_heads));
  launch(stream, {grid, kFoldThreads}, plan.value_columns <= 256 ? fold_kernel<T, 256> : fold_kernel<T, 512>, work, plan);
}

}  // namespace

int32_t attention_tile_tokens(int32_t heads_per_kv) { return std::max(1, kTileRows / heads_per_kv); }

int64_t attention_scratch_floats(int32_t tokens, int32_t heads, int32_t value_dim, int32_t positions_max) {
  const int32_t splits = split_of(positions_max - 1, false) + 1;  // a short window never gives more
  if (splits == 1) return 0;
  return int64_t{std::min(tokens, kSpreadTokens)} * heads * splits * (padded(value_dim) + 2);
}

void attention(cudaStream_t stream, const AttentionWork& work) {
  if (work.tile_count == 0) return;
  const Plan plan = plan_for(work);
  dispatch(work.cache.type, [&](auto number) { launch_dim<decltype(number)>(stream, work, plan); });
}

}  // namespace sgmv::cuda
