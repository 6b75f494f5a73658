// y := (y + scale · v · Bᵀ) · dora. A block takes 512 outputs of one part and one tile of tokens; B comes through shared
// memory in stages, each a contiguous piece of B whatever the rank is.
#pragma once

#include "ops/sgmv_kernels.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kExpandOutputs = 512;
constexpr int kStageNumbers = 4096;  // of B
constexpr int kStageRowsMax = 256;
constexpr int kStageScaleBytes = 2 * kStageRowsMax;  // of 8-bit rows: of fewer rows with more scales each as many at most
template <typename W>
constexpr int kStageBytes = std::is_same_v<W, float> ? 0 : kStageNumbers * static_cast<int>(sizeof(W));  // float32 rows stay where they are
template <typename W>
constexpr int kStageAllBytes = kStageBytes<W> + (kIsQ8<W> ? kStageScaleBytes : 0);
constexpr int kStages = 2;       // under way at a time
constexpr int kSumsPadding = 4;  // floats behind the sums of a token: no bank conflicts
constexpr int kSumsFloats = kLoraTileTokens * (64 + kSumsPadding);  // the largest that expand_stage() has room for

// Rows of B in a stage: the largest power of two that fits.
__device__ __forceinline__ int stage_rows_log2(int b_stride) {
  return min(31 - __clz(kStageNumbers / b_stride), 31 - __clz(kStageRowsMax));
}

// v in shared memory: a token has quads of 4 ranks, 16 bytes each: 4 rounded sums and 4 remainders of 16 bits, or 4 of
// float32. Rows of 64 · odd bytes: no bank conflicts.
__host__ __device__ inline int rank_groups_of(int rank) { return (rank + kRankTile - 1) / kRankTile; }
__host__ __device__ inline int row_quads(int rank_groups) { return 4 * (rank_groups | 1); }

struct ExpandShared {
  std::byte* b;    // [kStages, kStageAllBytes]: rows, then their scales if they have any
  float* sums;     // [kSumsFloats]: products of a stage, token by token
  float* factors;  // [kLoraTileTokens]: what the products of a token must be multiplied by
  std::byte* v;    // [tokens of the tile, quads]
};
template <typename W>
__device__ __forceinline__ ExpandShared expand_shared() {
  std::byte* const all = dynamic_shared();
  auto* const sums = reinterpret_cast<float*>(all + kStages * kStageAllBytes<W>);
  float* const factors = sums + kSumsFloats;
  return {all, sums, factors, reinterpret_cast<std::byte*>(factors + kLoraTileTokens)};
}
template <typename W>
size_t expand_shared_bytes(int tokens, int rank_max) {
  const int rows = ((tokens < kLoraTileTokens ? tokens : kLoraTileTokens) + kTokenTile - 1) / kTokenTile * kTokenTile;
  const size_t v_bytes = static_cast<size_t>(rows) * static_cast<size_t>(row_quads(rank_groups_of(rank_max))) * 16;
  return kStages * kStageAllBytes<W> + (kSumsFloats + kLoraTileTokens) * sizeof(float) + v_bytes;
}

// One adapter's product for one tile of tokens and up to 512 outputs, all pointers at the first of them.
struct ExpandTile {
  LanePlace place;
  const float* v;  // of the first split
  const void* b;
  const float* dora;
  float* y;
  float scale;
  int tokens;
  int outputs;
  int rank;
  int rank_groups;
  int b_stride;
  int b_scales_from;  // bytes from b to the scales of 8-bit rows: [outputs, scale groups] of half precision
  int quads;  // of a token's row of v
};

template <typename W>
__device__ __forceinline__ ExpandTile expand_tile_of(const ExpandWork& work, const LoraTile& tile, const LoraFactor& factor, int part, int output) {
  const LoraGroup::Part& to = work.group.parts[part];
  const int b_stride = static_cast<int>(lora_b_stride(factor.rank)), rank_groups = rank_groups_of(factor.rank);
  const auto scales_from = lora_b_scales_at(factor.rank, to.out) + output * (lora_scale_groups(factor.rank) * 2 - b_stride);
  return {lane_place(),
          work.v + v_index(work.step, work.group.part_count, 0, part, tile.token_begin),
          static_cast<const W*>(factor.b) + static_cast<int64_t>(output) * b_stride,
          factor.dora != nullptr ? factor.dora + output : nullptr,
          work.y + tile.token_begin * work.y_stride + to.y_column + output,
          factor.scale, tile.token_count, min(kExpandOutputs, to.out - output), factor.rank, rank_groups, b_stride, static_cast<int>(scales_from), row_quads(rank_groups)};
}

__device__ __forceinline__ int scale_groups_of(const ExpandTile& own) { return (own.rank_groups * kRankTile + kScaleRanks - 1) / kScaleRanks; }

// The power of two, as an exponent, that brings a row whose largest magnitude is `largest` below float16's 65504 and far
// above its subnormal numbers.
__device__ __forceinline__ int exponent_for(float largest) {
  const int exponent = static_cast<int>(__float_as_uint(largest) >> 23) - 127;
  return largest == 0 || exponent == 128 ? 0 : min(14 - exponent, 126);  // nothing to scale, or infinite, or no number
}
__device__ __forceinline__ float power_of_two(int exponent) { return __uint_as_float(static_cast<unsigned>(exponent + 127) << 23); }

// Four sums, scaled: the number of type T nearest to each, then what it lacks.
template <typename T>
__device__ __forceinline__ uint4 rounded_and_remainders(const float4& sums, float scale) {
  const auto pair = [&](float low, float high, uint32_t& rounded, uint32_t& remainders) {
    rounded = pack2<T>(low, high);
    const float2 kept = unpack2<T>(rounded);
    remainders = pack2<T>(low - kept.x, high - kept.y);
  };
  uint4 quad;
  pair(sums.x * scale, sums.y * scale, quad.x, quad.z);
  pair(sums.z * scale, sums.w * scale, quad.y, quad.w);
  return quad;
}

// v's splits added in order, several loads under way at once; `from` is at the first split.
__device__ __forceinline__ float sum_over_splits(const float* from, int64_t split_stride, int splits, bool valid) {
  constexpr int kBatch = 8;
  float sum = 0;
#pragma unroll 1
  for (int first = 0; first < splits; first += kBatch) {
    float batch[kBatch];
#pragma unroll
    for (int i = 0; i < kBatch; ++i, from += split_stride) batch[i] = valid && first + i < splits ? *from : 0.0f;
#pragma unroll
    for (int i = 0; i < kBatch; ++i) sum += batch[i];
  }
  return sum;
}

// Puts the sums of all the tile's tokens into shared memory, zeros for ranks and tokens that only fill a fragment. 16 or 32
// lanes share a token. Where T has 16 bits, they then replace each quad of sums by rounded numbers and remainders; a row
// of float16 is scaled by a power of two first.
template <typename T>
__device__ __forceinline__ void sum_splits(const ExpandWork& work, const ExpandTile& own, const ExpandShared& shared) {
  const auto [index, warp, lane, group, thread] = own.place;
  const int lanes = own.rank_groups == 1 ? 16 : 32, own_rank = lane & (lanes - 1), tokens_per_warp = 32 / lanes;
  const int64_t split_stride = v_index(work.step, work.group.part_count, 1, 0, 0);
  const int ranks = own.rank_groups * kRankTile, tokens = (own.tokens + kTokenTile - 1) / kTokenTile * kTokenTile;
#pragma unroll 1
  for (int first = warp * tokens_per_warp; first < tokens; first += kSgmvWarps * tokens_per_warp) {
    const int token = first + (lane >= lanes ? 1 : 0);
    const float* const v = own.v + static_cast<int64_t>(token) * work.step.rank_max;
    std::byte* const row = shared.v + token * own.quads * 16;
    float largest = 0;
#pragma unroll 1
    for (int rank = own_rank; rank < ranks; rank += lanes) {
      const float sum = sum_over_splits(v + rank, split_stride, work.splits, token < own.tokens && rank < own.rank);
      reinterpret_cast<float*>(row)[rank] = sum;
      largest = fmaxf(largest, fabsf(sum));
    }
    int exponent = 0;
    if constexpr (std::is_same_v<T, f16>) {
      for (int bits = lanes / 2; bits > 0; bits /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xFFFF'FFFF, largest, bits));
      exponent = exponent_for(largest);
    }
    if constexpr (!std::is_same_v<T, float>) {
      __syncwarp();
#pragma unroll 1
      for (int quad = own_rank; quad < ranks / 4; quad += lanes) {
        auto* const at = reinterpret_cast<float4*>(row) + quad;
        store16(at, rounded_and_remainders<T>(load_float4(at), power_of_two(exponent)));
      }
    }
    if (own_rank == 0) shared.factors[token] = own.scale * power_of_two(-exponent);
  }
}

// Where byte `at` of a stage lies: what four lanes read of a row, 32 bytes or of 8-bit numbers 16, changes places within 128
// bytes, so that rows of 2ⁿ ranks are read without bank conflicts.
template <typename W>
__device__ __forceinline__ int swizzled(int at) {
  if constexpr (kIsQ8<W>) return at ^ (at >> 3 & 0x70) ^ (at >> 6 & 0x10);
  else return at ^ (((at >> 2) ^ (at >> 4)) & 0x60);
}

// Starts copying stage number `stage`: rows of B that lie one behind the other in memory. 8-bit rows end with what fills them
// up to 16 bytes; the end of 16-bit ones is a multiple of 8.
template <typename W>
__device__ __forceinline__ void copy_stage(const ExpandTile& own, const ExpandShared& shared, int stage, int rows_log2) {
  constexpr int kStep = kSgmvThreads * 16, kSize = static_cast<int>(sizeof(W));
  const int first = stage << rows_log2, rows = min(1 << rows_log2, own.outputs - first), thread_begin = own.place.index * 16;
  const int left = rows * own.b_stride * kSize - thread_begin;  // bytes from the thread's first on
  const auto* const from = static_cast<const std::byte*>(own.b) + first * own.b_stride * kSize + thread_begin;
  std::byte* const to_stage = shared.b + stage % kStages * kStageAllBytes<W>;
  std::byte* const to = to_stage + swizzled<W>(thread_begin);  // steps do not change what is swizzled
#pragma unroll
  for (int i = 0; i < kStageBytes<W> / kStep; ++i) {
    if (left >= i * kStep + (kIsQ8<W> ? 1 : 16)) copy_async_16(to + i * kStep, from + i * kStep, true);
    else if (!kIsQ8<W> && left > i * kStep) store8(to + i * kStep, load8_once(from + i * kStep));
  }
  if constexpr (kIsQ8<W>) {
    const int row_bytes = scale_groups_of(own) * 2;
    if (thread_begin < rows * row_bytes)
      copy_async_16(to_stage + kStageBytes<W> + thread_begin, static_cast<const std::byte*>(own.b) + own.b_scales_from + first * row_bytes + thread_begin, true);
  }
  copy_async_commit();
}

// Products [16 outputs, 8 tokens] of 16 rows in a stage with 8 tokens in v: those of rounded sums and of remainders apart,
// added at the end.
template <typename T>
__device__ __forceinline__ void multiply_rows(const ExpandTile& own, const std::byte* b, int first_row, const std::byte* of_tokens,
                                              float (&sums)[4], T) {
  const auto [index, warp, lane, group, thread] = own.place;
  const int row = (first_row + group) * own.b_stride * 2 + 8 * thread, row_8 = row + 8 * own.b_stride * 2;
  const std::byte* const quads = of_tokens + (group * own.quads + thread) * 16;
  float remainders[4] = {};
#pragma unroll 1
  for (int rank_group = 0; rank_group < own.rank_groups; ++rank_group) {
    uint2 of_row = make_uint2(0, 0), of_row_8 = make_uint2(0, 0);
    if (rank_group * kRankTile + 4 * thread < own.b_stride) {
      of_row = load8(b + swizzled<T>(row + rank_group * 32));
      of_row_8 = load8(b + swizzled<T>(row_8 + rank_group * 32));
    }
    const uint4 of_v = load16(quads + rank_group * 64);
    const uint32_t of_b[4] = {of_row.x, of_row_8.x, of_row.y, of_row_8.y};
    mma_m16n8k16<T>(sums, of_b, {of_v.x, of_v.y});
    mma_m16n8k16<T>(remainders, of_b, {of_v.z, of_v.w});
  }
  for (int i = 0; i < 4; ++i) sums[i] += remainders[i];
}

// The same with 8-bit rows: a word of them has a lane's four ranks. 32 ranks share a scale. What is read behind a row's
// ranks, the next row or at the end the scales, are numbers too, and v has zeros there.
template <typename T>
__device__ __forceinline__ void multiply_rows(const ExpandTile& own, const std::byte* b, int first_row, const std::byte* of_tokens,
                                              float (&sums)[4], q8) {
  const auto [index, warp, lane, group, thread] = own.place;
  const int row = (first_row + group) * own.b_stride + 4 * thread, row_8 = row + 8 * own.b_stride;
  const std::byte* const quads = of_tokens + (group * own.quads + thread) * 16;
  const auto* const scales = reinterpret_cast<const f16*>(b + kStageBytes<q8>) + (first_row + group) * scale_groups_of(own);
#pragma unroll 1
  for (int scale_group = 0; scale_group < scale_groups_of(own); ++scale_group) {
    float products[4] = {};
    const int begin = scale_group * (kScaleRanks / kRankTile), end = min(begin + kScaleRanks / kRankTile, own.rank_groups);
#pragma unroll 1
    for (int rank_group = begin; rank_group < end; ++rank_group) {
      const auto pairs_at = [&](int at) { return q8_pairs<T>(*reinterpret_cast<const uint32_t*>(b + swizzled<q8>(at))); };
      const uint2 pairs = pairs_at(row + rank_group * 16), pairs_8 = pairs_at(row_8 + rank_group * 16);
      const uint4 of_v = load16(quads + rank_group * 64);
      const uint32_t of_b[4] = {pairs.x, pairs_8.x, pairs.y, pairs_8.y};
      mma_m16n8k16<T>(products, of_b, {of_v.z, of_v.w});
      mma_m16n8k16<T>(products, of_b, {of_v.x, of_v.y});
    }
    const float scale = q8_unit<T>() * to_float(scales[scale_group]), scale_8 = q8_unit<T>() * to_float(scales[scale_group + 8 * scale_groups_of(own)]);
    for (int i = 0; i < 4; ++i) sums[i] = fmaf(i < 2 ? scale : scale_8, products[i], sums[i]);
  }
}

// One token's numbers of y for the rows of a stage, every 32nd from the lane's on; `y`, `sums` and `dora` are at that one.
struct YRow {
  float values[kStageRowsMax / 32];
  __device__ __forceinline__ void load(const float* y, int rows_left) {
#pragma unroll
    for (int i = 0; i < kStageRowsMax / 32; ++i) values[i] = 32 * i < rows_left ? y[32 * i] : 0.0f;
  }
  __device__ __forceinline__ void add_and_store(float* y, int rows_left, const float* sums, float factor, const float* dora) {
#pragma unroll
    for (int i = 0; i < kStageRowsMax / 32; ++i)
      if (32 * i < rows_left) values[i] = fmaf(factor, sums[32 * i], values[i]);
    if (dora != nullptr) {
#pragma unroll
      for (int i = 0; i < kStageRowsMax / 32; ++i)
        if (32 * i < rows_left) values[i] *= dora[32 * i];
    }
#pragma unroll
    for (int i = 0; i < kStageRowsMax / 32; ++i)
      if (32 * i < rows_left) y[32 * i] = values[i];
  }
};

// Multiplies one stage of B with all tokens, as many at a time as there is room for sums. What B is added to is under way
// while B and v are waited for. `free_stage` is called as soon as B is no longer needed.
template <typename T, typename W, typename WaitForStage, typename FreeStage>
__device__ __forceinline__ void expand_stage(const ExpandWork& work, const ExpandTile& own, const ExpandShared& shared, int stage, int rows_log2,
                                             WaitForStage wait_for_stage, FreeStage free_stage) {
  const auto [index, warp, lane, group, thread] = own.place;
  const int first_row = stage << rows_log2, rows_left = min(1 << rows_log2, own.outputs - first_row) - lane, row_tiles_log2 = rows_log2 - 4;
  const int tokens_at_once = min(kLoraTileTokens, kTokenTile * kStageRowsMax >> rows_log2), sums_stride = (1 << rows_log2) + kSumsPadding;
  const std::byte* const b = shared.b + stage % kStages * kStageAllBytes<W>;
  const float* const dora = own.dora != nullptr ? own.dora + first_row + lane : nullptr;
#pragma unroll 1
  for (int first = 0; first < own.tokens; first += tokens_at_once) {
    const int tokens = min(tokens_at_once, own.tokens - first);
    float* y = own.y + (first + warp) * work.y_stride + first_row + lane;
    YRow y_row;
    if (warp < tokens) y_row.load(y, rows_left);
    if (first == 0) wait_for_stage();
    __syncthreads();
    const int products = (tokens + kTokenTile - 1) / kTokenTile << row_tiles_log2;
#pragma unroll 1
    for (int product = warp; product < products; product += kSgmvWarps) {
      const int row = (product & ((1 << row_tiles_log2) - 1)) * 16, token = (product >> row_tiles_log2) * kTokenTile;
      float sums[4] = {};
      multiply_rows<T>(own, b, row, shared.v + (first + token) * own.quads * 16, sums, W{});
      float* const to = shared.sums + (token + 2 * thread) * sums_stride + row + group;
      for (int i = 0; i < 4; ++i) to[i % 2 * sums_stride + i / 2 * 8] = sums[i];
    }
    __syncthreads();
    if (first + tokens_at_once >= own.tokens) free_stage();
#pragma unroll 1
    for (int token = warp; token < tokens; token += kSgmvWarps, y += kSgmvWarps * work.y_stride) {
      if (token > warp) y_row.load(y, rows_left);
      y_row.add_and_store(y, rows_left, shared.sums + token * sums_stride + lane, shared.factors[first + token], dora);
    }
  }
}

template <typename T, typename W>
__device__ __forceinline__ void expand_tile(const ExpandWork& work, const ExpandTile& own) {
  const ExpandShared shared = expand_shared<W>();
  const int rows_log2 = stage_rows_log2(own.b_stride);
  for (int stage = 0; stage < kStages; ++stage) copy_stage<W>(own, shared, stage, rows_log2);
  sum_splits<T>(work, own, shared);
#pragma unroll 1
  for (int stage = 0; stage << rows_log2 < own.outputs; ++stage)
    expand_stage<T, W>(
        work, own, shared, stage, rows_log2, [] { copy_async_wait<kStages - 1>(); },
        [&] { copy_stage<W>(own, shared, stage + kStages, rows_log2); });
}

// float32, for exactness rather than speed: a thread has a row of B, its sums for 8 tokens in registers.
template <>
__device__ __forceinline__ void expand_tile<float, float>(const ExpandWork& work, const ExpandTile& own) {
  const ExpandShared shared = expand_shared<float>();
  sum_splits<float>(work, own, shared);
  __syncthreads();
#pragma unroll 1
  for (int row = own.place.index; row < own.outputs; row += kSgmvThreads) {
    const float* const b = static_cast<const float*>(own.b) + static_cast<int64_t>(row) * own.b_stride;
#pragma unroll 1
    for (int first = 0; first < own.tokens; first += kTokenTile) {
      float sums[kTokenTile] = {};
#pragma unroll 1
      for (int rank = 0; rank < own.b_stride; rank += 4) {
        const uint4 words = load16(b + rank);
        for (int i = 0; i < kTokenTile; ++i) {
          const float4 of_v = load_float4(shared.v + ((first + i) * own.quads + rank / 4) * 16);
          sums[i] = fmaf(__uint_as_float(words.x), of_v.x, sums[i]);
          sums[i] = fmaf(__uint_as_float(words.y), of_v.y, sums[i]);
          sums[i] = fmaf(__uint_as_float(words.z), of_v.z, sums[i]);
          sums[i] = fmaf(__uint_as_float(words.w), of_v.w, sums[i]);
        }
      }
      for (int i = 0; i < kTokenTile; ++i) {
        if (first + i >= own.tokens) break;
        float* const at = own.y + (first + i) * work.y_stride + row;
        const float sum = fmaf(shared.factors[first + i], sums[i], *at);
        *at = own.dora != nullptr ? sum * own.dora[row] : sum;
      }
    }
  }
}

__host__ __device__ inline int output_chunks(const LoraGroup::Part& part) { return (part.out + kExpandOutputs - 1) / kExpandOutputs; }

// Grid: pieces of 512 outputs of one part after the other, tiles.
template <typename T, typename W>
__global__ void __launch_bounds__(kSgmvThreads, kIsQ8<W> ? 6 : sizeof(T) == 2 ? 7 : 4) expand_kernel(const __grid_constant__ ExpandWork work) {
  int part = 0, chunk = static_cast<int>(blockIdx.x);
  while (chunk >= output_chunks(work.group.parts[part])) chunk -= output_chunks(work.group.parts[part++]);
  for_each_tile(work.step, static_cast<int>(blockIdx.y), static_cast<int>(gridDim.y), [&](const LoraTile& tile) {
    const LoraFactor factor = tile.factors[work.group.parts[part].factor];
    if (factor.a == nullptr) return;
    expand_tile<T, W>(work, expand_tile_of<W>(work, tile, factor, part, chunk * kExpandOutputs));
    __syncthreads();  // before the next tile's copies and sums
  });
}

}  // namespace
}  // namespace sgmv::cuda
