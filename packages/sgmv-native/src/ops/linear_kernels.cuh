// The batch-invariant kernel of linear_cuda.cu for 16-bit numbers. docs/kernels/linear.md has the design.
//
// A block computes kRows outputs of kTokens tokens. W and x come in stages of kDepth columns through shared memory, in
// planes of 32 columns. Two slices of warps share a plane's columns out among them, plane after plane: even ones to slice 0,
// odd ones to slice 1, whose sums are added at the end. So an output is the sum of two chains of mma whose order is the same
// in tiles of every size.
#pragma once

#include "cuda/e4m3.cuh"
#include "ops/linear_cuda.h"

namespace sgmv::cuda {

struct LinearOperands {
  const std::byte* w;   // [out, in], rows w_stride bytes apart
  const float* scales;  // [out], e4m3 only
  const std::byte* x;   // [tokens, in], rows x_stride bytes apart
  float* y;             // [tokens, out], rows y_stride numbers apart
  int64_t w_stride, x_stride, y_stride;
  int out, in, tokens;
};

inline constexpr int kPlaneColumns = 32;
inline constexpr int kSlices = 2;
inline constexpr int kStageBytesMax = 99 << 10;  // of all stages: what a block may have on compute capability 8.6 and 8.9
inline constexpr int kStagesMax = 8;

// kRowTiles × kTokenTiles products of 16 × 8 are one warp's; kRowWarps × kTokenWarps warps make a slice.
template <int kRowTiles_, int kTokenTiles_, int kRowWarps_, int kTokenWarps_, int kDepth_>
struct LinearTile {
  static constexpr int kRowTiles = kRowTiles_, kTokenTiles = kTokenTiles_;
  static constexpr int kRowWarps = kRowWarps_, kTokenWarps = kTokenWarps_;
  static constexpr int kDepth = kDepth_;
  static constexpr int kRows = 16 * kRowTiles * kRowWarps;
  static constexpr int kTokens = 8 * kTokenTiles * kTokenWarps;
  static constexpr int kSliceWarps = kRowWarps * kTokenWarps;
  static constexpr int kThreads = 32 * kSliceWarps * kSlices;
  static constexpr int kSums = kRowTiles * kTokenTiles * 4;  // of one thread
};

// Where rows of numbers lie in a stage: [planes, rows, 32], a row in pieces of 16 bytes. Rows of 64 bytes have their pieces
// exchanged by swizzle(row), so that a piece of eight rows, which ldmatrix takes at once, is in eight different banks.
template <int kRows, int kNumberBytes, int kDepth, int kThreads>
struct Planes {
  static constexpr int kRowBytes = kPlaneColumns * kNumberBytes;
  static constexpr int kRowPieces = kRowBytes / 16;
  static constexpr int kPieces = kDepth / kPlaneColumns * kRowPieces;  // of a row in all planes
  // Eight lanes that store together have pieces of as many planes, which the gap between planes puts in different banks.
  static constexpr int kPlanesAtOnce = kPieces < 8 ? kDepth / kPlaneColumns : 8 / kRowPieces;
  static constexpr int kPlaneBytes = kRows * kRowBytes + 128 / kPlanesAtOnce;
  static constexpr int kBytes = kDepth / kPlaneColumns * kPlaneBytes;
  static constexpr int kRowStep = kThreads / kPieces;
  static_assert(kRows % kRowStep == 0 && kRowStep % 8 == 0);

  static __device__ __forceinline__ int swizzle(int row) { return kRowPieces == 4 ? row / 2 % 4 : 0; }

  // A thread's part in the copies: the same piece of every kRowStep-th row.
  const std::byte* from;
  int64_t step_bytes;
  int rows_left, columns_left;
  int place;

  // Of [rows, columns], rows `stride` bytes apart.
  __device__ __forceinline__ Planes(const std::byte* matrix, int64_t stride, int rows, int columns) {
    const int row = static_cast<int>(threadIdx.x) / kPieces, piece = static_cast<int>(threadIdx.x) % kPieces;
    from = matrix + row * stride + piece * 16;
    step_bytes = kRowStep * stride;
    rows_left = rows - row;
    columns_left = columns - piece * (16 / kNumberBytes);
    place = piece / kRowPieces * kPlaneBytes + row * kRowBytes + (piece % kRowPieces ^ swizzle(row)) * 16;
  }
  // Begins to copy the next kDepth columns of kRows rows; zeros for rows and columns that do not exist.
  __device__ __forceinline__ void copy_next(std::byte* to) {
#pragma unroll
    for (int i = 0; i < kRows / kRowStep; ++i)
      copy_async_16(to + place + i * kRowStep * kRowBytes, from + i * step_bytes, columns_left > 0 && i * kRowStep < rows_left);
    from += kDepth * kNumberBytes;
    columns_left -= kDepth;
  }
};

template <typename Tile, bool kE4m3>
struct LinearStage {
  using W = Planes<Tile::kRows, kE4m3 ? 1 : 2, Tile::kDepth, Tile::kThreads>;
  using X = Planes<Tile::kTokens, 2, Tile::kDepth, Tile::kThreads>;
  static constexpr int kBytes = W::kBytes + X::kBytes;
  static constexpr int kCount = kStageBytesMax / kBytes < kStagesMax ? kStageBytesMax / kBytes : kStagesMax;
  static constexpr int kAllBytes = kCount * kBytes;
  static_assert(kCount >= 3 && Tile::kSliceWarps * Tile::kSums * 32 * int{sizeof(float)} <= kAllBytes);
};

// What a lane reads of a plane, for both formats of W. The columns that an mma takes as its k-th are free as long as both
// operands agree.
template <typename T, bool kE4m3, typename Tile>
struct LinearFragments;

// 16 bits: ldmatrix gives each lane columns 2t, 2t + 1, 2t + 8 and 2t + 9 of 16, in the registers' order of mma.
template <typename T, typename Tile>
struct LinearFragments<T, false, Tile> {
  using Stage = LinearStage<Tile, false>;
  int w, x;  // where the lane's addresses begin in a plane

  __device__ __forceinline__ LinearFragments(int row, int token, int lane) {
    const int w_row = row + lane % 16, x_row = token + lane % 8;
    w = w_row * Stage::W::kRowBytes + (lane / 16 ^ Stage::W::swizzle(w_row)) * 16;
    x = x_row * Stage::X::kRowBytes + (lane / 8 ^ Stage::X::swizzle(x_row)) * 16;
  }
  // Rows 16 · m to 16 · m + 15, for the first and the second 16 columns.
  __device__ __forceinline__ void load_w(uint32_t (&first)[4], uint32_t (&second)[4], const std::byte* plane, int m) const {
    ldmatrix_x4(first, plane + m * 16 * Stage::W::kRowBytes + w);
    ldmatrix_x4(second, plane + m * 16 * Stage::W::kRowBytes + (w ^ 32));
  }
  __device__ __forceinline__ void load_x(uint32_t (&first)[2], uint32_t (&second)[2], const std::byte* plane, int n) const {
    uint32_t pieces[4];
    ldmatrix_x4(pieces, plane + n * 8 * Stage::X::kRowBytes + x);
    first[0] = pieces[0], first[1] = pieces[1], second[0] = pieces[2], second[1] = pieces[3];
  }
};

// e4m3: a lane takes columns 8t to 8t + 7 of a row, 4 for the first mma and 4 for the second.
template <typename T, typename Tile>
struct LinearFragments<T, true, Tile> {
  using Stage = LinearStage<Tile, true>;
  int w, x;

  __device__ __forceinline__ LinearFragments(int row, int token, int lane) {
    const int w_row = row + lane / 4, x_row = token + lane / 4;
    w = w_row * Stage::W::kRowBytes + lane % 4 * 8;
    x = x_row * Stage::X::kRowBytes + (lane % 4 ^ Stage::X::swizzle(x_row)) * 16;
  }
  __device__ __forceinline__ void load_w(uint32_t (&first)[4], uint32_t (&second)[4], const std::byte* plane, int m) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint2 codes = load8(plane + (m * 16 + half * 8) * Stage::W::kRowBytes + w);
      first[half] = e4m3_pair<T>(permute_bytes(codes.x, 0x1404));
      first[half + 2] = e4m3_pair<T>(permute_bytes(codes.x, 0x3424));
      second[half] = e4m3_pair<T>(permute_bytes(codes.y, 0x1404));
      second[half + 2] = e4m3_pair<T>(permute_bytes(codes.y, 0x3424));
    }
  }
  __device__ __forceinline__ void load_x(uint32_t (&first)[2], uint32_t (&second)[2], const std::byte* plane, int n) const {
    const uint4 pieces = load16(plane + n * 8 * Stage::X::kRowBytes + x);
    first[0] = pieces.x, first[1] = pieces.y, second[0] = pieces.z, second[1] = pieces.w;
  }
};

// One plane's share of a warp's sums.
template <typename T, bool kE4m3, typename Tile>
__device__ __forceinline__ void multiply_plane(float (&sums)[Tile::kRowTiles][Tile::kTokenTiles][4], const LinearFragments<T, kE4m3, Tile>& fragments,
                                               const std::byte* w, const std::byte* x) {
  uint32_t of_w[Tile::kRowTiles][2][4], of_x[Tile::kTokenTiles][2][2];
#pragma unroll
  for (int m = 0; m < Tile::kRowTiles; ++m) fragments.load_w(of_w[m][0], of_w[m][1], w, m);
#pragma unroll
  for (int n = 0; n < Tile::kTokenTiles; ++n) fragments.load_x(of_x[n][0], of_x[n][1], x, n);
#pragma unroll
  for (int k = 0; k < 2; ++k)
#pragma unroll
    for (int n = 0; n < Tile::kTokenTiles; ++n)
#pragma unroll
      for (int m = 0; m < Tile::kRowTiles; ++m) mma_m16n8k16<T>(sums[m][n], of_w[m][k], of_x[n][k]);
}

// Which tile a block has: neighbours, which run at the same time, share rows of W and tokens.
__device__ __forceinline__ int2 linear_tile_of_block(int row_tiles, int token_tiles) {
  constexpr int kGroup = 8;  // row tiles
  const int block = static_cast<int>(blockIdx.x), first = block / (kGroup * token_tiles) * kGroup;
  const int rows = min(kGroup, row_tiles - first), within = block % (kGroup * token_tiles);
  return make_int2(first + within % rows, within / rows);
}

// Slice 0 takes over the sums of slice 1. All threads come here; only what slice 0 holds is of use afterwards.
template <typename Tile>
__device__ __forceinline__ void add_slices(float (&sums)[Tile::kRowTiles][Tile::kTokenTiles][4], float* shared, int slice) {
  __syncthreads();  // the stages are no longer read
  if (slice == 1)
#pragma unroll
    for (int i = 0; i < Tile::kSums; ++i) shared[i * 32] = sums[i / 4 / Tile::kTokenTiles][i / 4 % Tile::kTokenTiles][i % 4];
  __syncthreads();
  if (slice == 0)
#pragma unroll
    for (int i = 0; i < Tile::kSums; ++i) sums[i / 4 / Tile::kTokenTiles][i / 4 % Tile::kTokenTiles][i % 4] += shared[i * 32];
}

template <typename T, bool kE4m3, typename Tile>
__device__ __forceinline__ void store_outputs(const LinearOperands& o, const float (&sums)[Tile::kRowTiles][Tile::kTokenTiles][4], int row, int token) {
#pragma unroll
  for (int m = 0; m < Tile::kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int to_row = row + m * 16 + half * 8;
      if (to_row >= o.out) continue;
      const float scale = kE4m3 ? o.scales[to_row] : 1.0f;
#pragma unroll
      for (int n = 0; n < Tile::kTokenTiles; ++n)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int to_token = token + n * 8 + i;
          const float sum = sums[m][n][half * 2 + i];
          if (to_token < o.tokens) o.y[to_token * o.y_stride + to_row] = kE4m3 ? sum * scale : sum;
        }
    }
}

// One tile, by a whole block.
template <typename T, bool kE4m3, typename Tile>
__device__ __forceinline__ void multiply_tile(const LinearOperands& o, int row_begin, int token_begin) {
  using Stage = LinearStage<Tile, kE4m3>;
  std::byte* shared = dynamic_shared();
  typename Stage::W w(o.w + row_begin * o.w_stride, o.w_stride, o.out - row_begin, o.in);
  typename Stage::X x(o.x + token_begin * o.x_stride, o.x_stride, o.tokens - token_begin, o.in);

  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int slice = warp / Tile::kSliceWarps, warp_of_slice = warp % Tile::kSliceWarps;
  const int warp_row = warp_of_slice % Tile::kRowWarps * Tile::kRowTiles * 16, warp_token = warp_of_slice / Tile::kRowWarps * Tile::kTokenTiles * 8;
  const LinearFragments<T, kE4m3, Tile> fragments(warp_row, warp_token, lane);

  float sums[Tile::kRowTiles][Tile::kTokenTiles][4] = {};
  const int stages = (o.in + Tile::kDepth - 1) / Tile::kDepth;
  for (int stage = 0; stage < Stage::kCount - 1; ++stage) {
    if (stage < stages) {
      w.copy_next(shared + stage * Stage::kBytes);
      x.copy_next(shared + stage * Stage::kBytes + Stage::W::kBytes);
    }
    copy_async_commit();
  }
  int filled = (Stage::kCount - 1) * Stage::kBytes, read = 0;  // which places the stages have in this round
  for (int stage = 0; stage < stages; ++stage) {
    copy_async_wait<Stage::kCount - 2>();
    __syncthreads();  // this stage is there for all threads, and all have left the last one, which is filled again now
    if (stage + Stage::kCount - 1 < stages) {
      w.copy_next(shared + filled);
      x.copy_next(shared + filled + Stage::W::kBytes);
    }
    copy_async_commit();
#pragma unroll
    for (int i = 0; i < Tile::kDepth / kPlaneColumns / kSlices; ++i) {
      const int plane = i * kSlices + slice;
      if (stage * Tile::kDepth + plane * kPlaneColumns >= o.in) break;  // not even zeros are added: they could change a -0
      multiply_plane<T, kE4m3, Tile>(sums, fragments, shared + read + plane * Stage::W::kPlaneBytes,
                                     shared + read + Stage::W::kBytes + plane * Stage::X::kPlaneBytes);
    }
    filled = read;
    read = read + Stage::kBytes == Stage::kAllBytes ? 0 : read + Stage::kBytes;
  }
  add_slices<Tile>(sums, reinterpret_cast<float*>(shared) + warp_of_slice * Tile::kSums * 32 + lane, slice);
  if (slice == 0) store_outputs<T, kE4m3, Tile>(o, sums, row_begin + warp_row + lane / 4, token_begin + warp_token + lane % 4 * 2);
}

template <typename T, bool kE4m3, typename Tile>
__global__ void __launch_bounds__(Tile::kThreads, 1) linear_kernel(LinearOperands o, int row_tiles, int token_tiles) {
  const int2 tile = linear_tile_of_block(row_tiles, token_tiles);
  multiply_tile<T, kE4m3, Tile>(o, tile.x * Tile::kRows, tile.y * Tile::kTokens);
}

}  // namespace sgmv::cuda
