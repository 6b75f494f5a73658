// The products of all experts in one launch: linear()'s tiles, one for every tile of rows that sort_expert_rows() has made.
#include <algorithm>

#include "cuda/launch.h"
#include "ops/linear_f32_kernel.cuh"
#include "ops/linear_kernels.cuh"
#include "ops/mixture_cuda.h"

namespace sgmv::cuda {
namespace {

using Few = LinearTile<2, 1, 2, 1, 128>;   // of 8 rows
using Some = LinearTile<2, 4, 2, 1, 128>;  // 32
using Many = LinearTile<4, 8, 2, 2, 64>;   // 128

struct ExpertsWork {
  LinearOperands all;  // w and scales are the first expert's, x and y all rows', tokens 0
  const ExpertTile* tiles;
  const int32_t* tile_count;
  int row_tiles;  // of W
};

// Calls multiply(operands, row of W) with this block's, if there is a tile for it. Neighbours have the same rows of x.
template <typename Multiply>
__device__ __forceinline__ void multiply_expert_tile(const ExpertsWork& work, int w_rows, Multiply multiply) {
  const int block = static_cast<int>(blockIdx.x), at = block / work.row_tiles;
  if (at >= *work.tile_count) return;
  const ExpertTile tile = work.tiles[at];
  LinearOperands o = work.all;
  o.w += tile.expert * int64_t{o.out} * o.w_stride;
  if (o.scales != nullptr) o.scales += tile.expert * int64_t{o.out};
  o.x += tile.row_begin * o.x_stride;
  o.y += tile.row_begin * o.y_stride;
  o.tokens = tile.row_count;
  multiply(o, block % work.row_tiles * w_rows);
}

template <typename T, bool kE4m3, typename Tile>
__global__ void __launch_bounds__(Tile::kThreads, 1) experts_kernel(const __grid_constant__ ExpertsWork work) {
  multiply_expert_tile(work, Tile::kRows, [](const LinearOperands& o, int row) { multiply_tile<T, kE4m3, Tile>(o, row, 0); });
}

__global__ void __launch_bounds__(kF32Threads) experts_f32_kernel(const __grid_constant__ ExpertsWork work) {
  multiply_expert_tile(work, kF32Rows, [](const LinearOperands& o, int row) { multiply_f32_tile(o, row, 0); });
}

template <typename Kernel>
void launch_experts(cudaStream_t stream, const Routing& routing, ExpertsWork work, int w_rows, int threads, size_t shared_bytes, Kernel kernel) {
  work.row_tiles = (work.all.out + w_rows - 1) / w_rows;
  launch(stream, {dim3(static_cast<unsigned>(work.row_tiles) * static_cast<unsigned>(routing.tiles_max())), threads, shared_bytes}, kernel, work);
}

template <typename T, bool kE4m3, typename Tile>
void launch_tile(cudaStream_t stream, const Routing& routing, const ExpertsWork& work) {
  launch_experts(stream, routing, work, Tile::kRows, Tile::kThreads, LinearStage<Tile, kE4m3>::kAllBytes, experts_kernel<T, kE4m3, Tile>);
}

template <typename T, bool kE4m3>
void launch_mma(cudaStream_t stream, const Routing& routing, const ExpertsWork& work) {
  if (routing.tile_rows == Few::kTokens) launch_tile<T, kE4m3, Few>(stream, routing, work);
  else if (routing.tile_rows == Some::kTokens) launch_tile<T, kE4m3, Some>(stream, routing, work);
  else launch_tile<T, kE4m3, Many>(stream, routing, work);
}

}  // namespace

int32_t expert_tile_rows(Number type, int64_t rows, int32_t experts) {
  if (type == Number::f32) return kF32Tokens;
  const int64_t each = rows / experts;
  return each <= Few::kTokens ? Few::kTokens : each <= 2 * Some::kTokens ? Some::kTokens : Many::kTokens;
}

void linear_of_experts(cudaStream_t stream, const Routing& routing, const LinearWork& work) {
  if (routing.tokens == 0) return;
  const LinearWeights& weights = *work.weights;
  const bool e4m3 = weights.format == LinearWeights::Format::e4m3;
  const auto number = static_cast<int64_t>(number_bytes(work.type));
  const LinearOperands all{static_cast<const std::byte*>(weights.data), weights.scales, static_cast<const std::byte*>(work.x), work.y,
                           weights.stride * (e4m3 ? 1 : number), work.x_stride * number, work.y_stride,
                           static_cast<int>(weights.out), static_cast<int>(weights.in), 0};
  const ExpertsWork of_all{all, routing.tiles, routing.totals + 1, 0};
  switch (work.type) {
    case Number::f32: return launch_experts(stream, routing, of_all, kF32Rows, kF32Threads, kF32Stages * kF32StageBytes, experts_f32_kernel);
    case Number::f16: return e4m3 ? launch_mma<f16, true>(stream, routing, of_all) : launch_mma<f16, false>(stream, routing, of_all);
    case Number::bf16: return e4m3 ? launch_mma<bf16, true>(stream, routing, of_all) : launch_mma<bf16, false>(stream, routing, of_all);
  }
}

}  // namespace sgmv::cuda
