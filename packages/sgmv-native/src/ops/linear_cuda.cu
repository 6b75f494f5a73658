#include "ops/linear_cuda.h"

#include "cuda/launch.h"
#include "ops/linear_f32_kernel.cuh"
#include "ops/linear_kernels.cuh"

namespace sgmv::cuda {
namespace {

int tiles(int64_t count, int size) { return static_cast<int>((count + size - 1) / size); }

template <typename T, bool kE4m3, typename Tile>
void launch_tile(cudaStream_t stream, const LinearOperands& o) {
  const int row_tiles = tiles(o.out, Tile::kRows), token_tiles = tiles(o.tokens, Tile::kTokens);
  launch(stream, {dim3(static_cast<unsigned>(row_tiles * token_tiles)), Tile::kThreads, LinearStage<Tile, kE4m3>::kAllBytes},
         linear_kernel<T, kE4m3, Tile>, o, row_tiles, token_tiles);
}

__global__ void __launch_bounds__(kF32Threads) linear_f32_kernel(LinearOperands o, int row_tiles, int token_tiles) {
  const int2 tile = linear_tile_of_block(row_tiles, token_tiles);
  multiply_f32_tile(o, tile.x * kF32Rows, tile.y * kF32Tokens);
}

void launch_f32(cudaStream_t stream, const LinearOperands& o) {
  const int row_tiles = tiles(o.out, kF32Rows), token_tiles = tiles(o.tokens, kF32Tokens);
  launch(stream, {dim3(static_cast<unsigned>(row_tiles * token_tiles)), kF32Threads, kF32Stages * kF32StageBytes}, linear_f32_kernel, o, row_tiles, token_tiles);
}

// Of the first device that was asked for: only speed depends on it.
int multiprocessors() {
  static const int count = [] {
    int device = 0, value = 0;
    check(cudaGetDevice(&device), "finding the device");
    check(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, device), "counting the device's multiprocessors");
    return value;
  }();
  return count;
}

// The tile is chosen for speed alone: an output has the same bits in all of them. With 64 rows a block x is read half as
// often as with 32, but there must be work for everyone.
template <typename T, bool kE4m3, typename TileOf64, typename TileOf32>
void launch_either(cudaStream_t stream, const LinearOperands& o) {
  if (o.tokens > 64 || o.out >= 64 * multiprocessors()) launch_tile<T, kE4m3, TileOf64>(stream, o);
  else launch_tile<T, kE4m3, TileOf32>(stream, o);
}

template <typename T, bool kE4m3>
void launch_mma(cudaStream_t stream, const LinearOperands& o) {
  using Wide = LinearTile<4, 8, 2, 2, 64>;
  const int64_t wide_tiles = int64_t{tiles(o.out, Wide::kRows)} * tiles(o.tokens, Wide::kTokens);
  if (o.tokens > 64 && 4 * wide_tiles > multiprocessors()) return launch_tile<T, kE4m3, Wide>(stream, o);
  if (o.tokens <= 8) return launch_either<T, kE4m3, LinearTile<2, 1, 2, 1, 128>, LinearTile<1, 1, 2, 1, 128>>(stream, o);
  if (o.tokens <= 16) return launch_either<T, kE4m3, LinearTile<2, 2, 2, 1, 128>, LinearTile<1, 2, 2, 1, 128>>(stream, o);
  if (o.tokens <= 32) return launch_either<T, kE4m3, LinearTile<2, 4, 2, 1, 128>, LinearTile<1, 4, 2, 1, 128>>(stream, o);
  return launch_either<T, kE4m3, LinearTile<2, 4, 2, 2, 128>, LinearTile<2, 4, 1, 2, 128>>(stream, o);
}

}  // namespace

void linear(cudaStream_t stream, const LinearWork& work) {
  const LinearWeights& weights = *work.weights;
  const bool e4m3 = weights.format == LinearWeights::Format::e4m3;
  if (work.tokens == 0) return;
  const auto number = static_cast<int64_t>(number_bytes(work.type));
  const LinearOperands o{static_cast<const std::byte*>(weights.data), weights.scales, static_cast<const std::byte*>(work.x), work.y,
                         weights.stride * (e4m3 ? 1 : number), work.x_stride * number, work.y_stride,
                         static_cast<int>(weights.out), static_cast<int>(weights.in), static_cast<int>(work.tokens)};
  switch (work.type) {
    case Number::f32: return launch_f32(stream, o);
    case Number::f16: return e4m3 ? launch_mma<f16, true>(stream, o) : launch_mma<f16, false>(stream, o);
    case Number::bf16: return e4m3 ? launch_mma<bf16, true>(stream, o) : launch_mma<bf16, false>(stream, o);
  }
}

}  // namespace sgmv::cuda
