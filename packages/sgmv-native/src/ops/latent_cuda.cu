#include "ops/latent_cuda.h"

#include "cuda/launch.h"
#include "cuda/numbers.cuh"
#include "cuda/reduce.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kThreads = 256, kHeadThreads = 128;

__device__ __forceinline__ float number_at(const LatentRows& from, int64_t token, int column) {
  const int64_t row = token * (from.q_width + from.shape.kv_a_width());
  return from.rows[row + column] + (from.bias == nullptr ? 0.0f : from.bias[column]);
}

__device__ __forceinline__ float query_at(const LatentQueries& work, int64_t token, int head, int i) {
  const int column = head * (work.from.shape.nope_dim + work.from.shape.rope_dim) + i;
  const int64_t width = int64_t{work.heads} * (work.from.shape.nope_dim + work.from.shape.rope_dim);
  return work.q != nullptr ? work.q[token * width + column] : number_at(work.from, token, column);
}

// Component i of `dim` once they are rotated; of(i): before.
template <typename Of>
__device__ __forceinline__ float rotated(const LatentRope& rope, int64_t token, int dim, int i, Of of) {
  const int half = dim / 2, pair = rope.interleaved ? i / 2 : i % half;
  const bool second = rope.interleaved ? i % 2 != 0 : i >= half;
  const float* table = rope.long_rope != nullptr && rope.long_context[token] != 0 ? rope.long_rope : rope.rope;
  const float* angles = table + int64_t{rope.positions[token]} * dim;
  const float x = of(rope.interleaved ? 2 * pair : pair), y = of(rope.interleaved ? 2 * pair + 1 : pair + half), cosine = angles[pair], sine = angles[half + pair];
  return second ? y * cosine + x * sine : x * cosine - y * sine;
}

// A thread has a row.
__global__ void __launch_bounds__(kThreads) plan_kernel(const __grid_constant__ Routing routing, const LoraFactor* const* factors_of_token, const LoraFactor** factors_of_row) {
  const int row = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x), tokens = routing.tokens;
  const int tiles = (tokens + routing.tile_rows - 1) / routing.tile_rows;
  if (row == 0) routing.totals[0] = tokens * routing.experts, routing.totals[1] = tiles * routing.experts;
  if (row >= tokens * routing.experts) return;
  const int head = row / tokens, token = row % tokens;
  if (token % routing.tile_rows == 0) routing.tiles[head * tiles + token / routing.tile_rows] = {head, row, min(routing.tile_rows, tokens - token)};
  if (factors_of_token == nullptr) return;
  const LoraFactor* factors = factors_of_token[token];
  factors_of_row[row] = factors == nullptr ? nullptr : factors + head * kFactorsPerHead;
}

// Block (token, part): 0 is the latent of keys and values, 1 that of queries.
template <typename T>
__global__ void __launch_bounds__(kThreads) norm_latents_kernel(const __grid_constant__ LatentNorms work) {
  __shared__ float of_warp[kBlockWarpsMax];
  const LatentConfig& shape = work.from.shape;
  const int64_t token = blockIdx.x;
  const bool queries = blockIdx.y == 1;
  const int64_t slot = queries ? 0 : work.slots[token];
  if (slot < 0) return;
  const int width = queries ? shape.q_rank : shape.kv_rank, begin = queries ? 0 : work.from.q_width, first = static_cast<int>(threadIdx.x);
  const float* norm = queries ? work.q_norm : work.kv_norm;
  const int columns = static_cast<int>(padded(work.cache.head_dim));
  T* to = queries ? static_cast<T*>(work.q) + token * padded(width) : static_cast<T*>(work.cache.data) + slot * columns;
  float sum = 0;
  for (int i = first; i < width; i += kThreads) {
    const float x = number_at(work.from, token, begin + i);
    sum = fmaf(x, x, sum);
  }
  const float factor = 1.0f / sqrtf(block_sum(sum, of_warp) / static_cast<float>(width) + kLatentNormEps);
  for (int i = first; i < width; i += kThreads) to[i] = from_float<T>(norm[i] * (number_at(work.from, token, begin + i) * factor));
  if (queries) return;
  for (int i = first; i < columns - width; i += kThreads) {
    const auto of = [&](int component) { return number_at(work.from, token, begin + width + component); };
    to[width + i] = from_float<T>(i < shape.rope_dim ? rotated(work.rope, token, shape.rope_dim, i, of) : 0.0f);
  }
}

// Block (token, head).
template <typename T>
__global__ void __launch_bounds__(kHeadThreads) part_kernel(const __grid_constant__ LatentQueries work, const LoraFactor* const* factors_of_token, int first_factor, T* x) {
  const int head = static_cast<int>(blockIdx.y), nope = work.from.shape.nope_dim;
  const int64_t token = blockIdx.x;
  const LoraFactor* factors = factors_of_token == nullptr ? nullptr : factors_of_token[token];
  const float* scales = factors == nullptr ? nullptr : factors[first_factor + head * kFactorsPerHead].input_factors;
  T* to = x + (int64_t{head} * work.from.tokens + token) * padded(nope);
  for (int i = static_cast<int>(threadIdx.x); i < nope; i += kHeadThreads) to[i] = from_float<T>(query_at(work, token, head, i) * (scales == nullptr ? 1.0f : scales[i]));
}

// Block (token, head).
template <typename T>
__global__ void __launch_bounds__(kHeadThreads) place_kernel(const __grid_constant__ LatentQueries work, const float* absorbed, QueryScale scale, T* out) {
  const LatentConfig& shape = work.from.shape;
  const int head = static_cast<int>(blockIdx.y), rank = shape.kv_rank, columns = static_cast<int>(padded(shape.kv_a_width()));
  const int64_t token = blockIdx.x;
  float factor = scale.scale;
  if (scale.growth != 0.0f) factor *= 1.0f + scale.growth * log1pf(static_cast<float>(work.rope.positions[token] / scale.growth_span));
  const float* from = absorbed + (int64_t{head} * work.from.tokens + token) * rank;
  T* to = out + (token * work.heads + head) * columns;
  for (int i = static_cast<int>(threadIdx.x); i < columns; i += kHeadThreads) {
    const auto of = [&](int component) { return query_at(work, token, head, shape.nope_dim + component); };
    const float number = i < rank ? from[i] : i < shape.kv_a_width() ? rotated(work.rope, token, shape.rope_dim, i - rank, of) : 0.0f;
    to[i] = from_float<T>(number * factor);
  }
}

// Block (token, head).
template <typename T>
__global__ void __launch_bounds__(kHeadThreads) join_kernel(const float* values, int tokens, int heads, int width, T* out) {
  const int64_t token = blockIdx.x, head = blockIdx.y;
  const float* from = values + (head * tokens + token) * width;
  T* to = out + token * padded(int64_t{heads} * width) + head * width;
  for (int i = static_cast<int>(threadIdx.x); i < width; i += kHeadThreads) to[i] = from_float<T>(from[i]);
}

dim3 by_heads(int32_t tokens, int32_t heads) { return dim3(static_cast<unsigned>(tokens), static_cast<unsigned>(heads)); }

}  // namespace

void plan_heads(cudaStream_t stream, const Routing& routing, const LoraFactor* const* factors_of_token, const LoraFactor** factors_of_row) {
  if (routing.tokens == 0) return;
  const int rows = routing.tokens * routing.experts;
  launch(stream, {dim3(static_cast<unsigned>((rows + kThreads - 1) / kThreads)), kThreads}, plan_kernel, routing, factors_of_token, factors_of_row);
}

void norm_latents(cudaStream_t stream, const LatentNorms& work) {
  if (work.from.tokens == 0) return;
  dispatch(work.cache.type, [&](auto number) { launch(stream, {by_heads(work.from.tokens, work.from.shape.q_rank > 0 ? 2 : 1), kThreads}, norm_latents_kernel<decltype(number)>, work); });
}

void part_queries(cudaStream_t stream, const LatentQueries& work, const LoraFactor* const* factors_of_token, int32_t first_factor, void* x) {
  if (work.from.tokens == 0) return;
  dispatch(work.type, [&](auto number) {
    using T = decltype(number);
    launch(stream, {by_heads(work.from.tokens, work.heads), kHeadThreads}, part_kernel<T>, work, factors_of_token, first_factor, static_cast<T*>(x));
  });
}

void place_queries(cudaStream_t stream, const LatentQueries& work, const float* absorbed, const QueryScale& scale, void* out) {
  if (work.from.tokens == 0) return;
  dispatch(work.type, [&](auto number) {
    using T = decltype(number);
    launch(stream, {by_heads(work.from.tokens, work.heads), kHeadThreads}, place_kernel<T>, work, absorbed, scale, static_cast<T*>(out));
  });
}

void join_heads(cudaStream_t stream, Number type, const float* values, int32_t tokens, int32_t heads, int32_t width, void* out) {
  if (tokens == 0) return;
  dispatch(type, [&](auto number) {
    using T = decltype(number);
    launch(stream, {by_heads(tokens, heads), kHeadThreads}, join_kernel<T>, values, tokens, heads, width, static_cast<T*>(out));
  });
}

}  // namespace sgmv::cuda
