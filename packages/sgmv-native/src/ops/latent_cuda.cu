#include "ops/latent_cuda.h"

#include "cuda/launch.h"
#include "cuda/numbers.cuh"
#include "cuda/reduce.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kThreads = 256, kHeadThreads = 128;

__device__ __forceinline__ int64_t row_of(const LatentRows& from, int64_t token) { return token * (from.q_width + from.shape.kv_a_width()); }

__device__ __forceinline__ float number_at(const LatentRows& from, int64_t row, int column) {
  return from.rows[row + column] + (from.bias == nullptr ? 0.0f : from.bias[column]);
}

// Block (token, part): 0 is the latent of keys and values, 1 that of queries.
template <typename T>
__global__ void __launch_bounds__(kThreads) norm_latents_kernel(LatentNorms work) {
  __shared__ float of_warp[kBlockWarpsMax];
  const bool queries = blockIdx.y == 1;
  const int width = queries ? work.from.shape.q_rank : work.from.shape.kv_rank, begin = queries ? 0 : work.from.q_width, first = static_cast<int>(threadIdx.x);
  const float* norm = queries ? work.q_norm : work.kv_norm;
  const int64_t row = row_of(work.from, blockIdx.x);
  T* to = static_cast<T*>(queries ? work.q : work.kv) + blockIdx.x * padded(width);
  float sum = 0;
  for (int i = first; i < width; i += kThreads) {
    const float x = number_at(work.from, row, begin + i);
    sum = fmaf(x, x, sum);
  }
  const float factor = 1.0f / sqrtf(block_sum(sum, of_warp) / static_cast<float>(width) + kLatentNormEps);
  for (int i = first; i < width; i += kThreads) to[i] = from_float<T>(norm[i] * (number_at(work.from, row, begin + i) * factor));
}

// Block (token, head).
__global__ void __launch_bounds__(kHeadThreads) assemble_kernel(LatentHeads work) {
  const LatentConfig& shape = work.from.shape;
  const int head = static_cast<int>(blockIdx.y), nope = shape.nope_dim, rope = shape.rope_dim, dim = nope + rope;
  const int64_t token = blockIdx.x, row = row_of(work.from, token), width = int64_t{work.heads} * dim;
  float* const query = work.qkv + token * 3 * width + int64_t{head} * dim;
  const float* kv = work.kv + (token * work.heads + head) * shape.kv_b_head();
  for (int i = static_cast<int>(threadIdx.x); i < dim; i += kHeadThreads) {
    const int from = i < rope ? nope + i : i - rope;
    query[i] = work.q != nullptr ? work.q[token * width + int64_t{head} * dim + from] : number_at(work.from, row, head * dim + from);
    query[width + i] = i < rope ? number_at(work.from, row, work.from.q_width + shape.kv_rank + i) : kv[i - rope];
    query[2 * width + i] = i < shape.value_dim ? kv[nope + i] : 0.0f;
  }
}

// Block (token, head).
template <typename T>
__global__ void __launch_bounds__(kHeadThreads) close_kernel(const T* in, int heads, int dim, int width, T* out) {
  const int64_t token = blockIdx.x, head = blockIdx.y;
  const T* from = in + token * padded(int64_t{heads} * dim) + head * dim;
  T* to = out + token * padded(int64_t{heads} * width) + head * width;
  for (int i = static_cast<int>(threadIdx.x); i < width; i += kHeadThreads) to[i] = from[i];
}

dim3 by_heads(int32_t tokens, int32_t heads) { return dim3(static_cast<unsigned>(tokens), static_cast<unsigned>(heads)); }

}  // namespace

void norm_latents(cudaStream_t stream, const LatentNorms& work) {
  if (work.from.tokens == 0) return;
  dispatch(work.type, [&](auto number) { launch(stream, {by_heads(work.from.tokens, work.from.shape.q_rank > 0 ? 2 : 1), kThreads}, norm_latents_kernel<decltype(number)>, work); });
}

void assemble_heads(cudaStream_t stream, const LatentHeads& work) {
  if (work.from.tokens == 0) return;
  launch(stream, {by_heads(work.from.tokens, work.heads), kHeadThreads}, assemble_kernel, work);
}

void close_heads(cudaStream_t stream, Number type, const void* in, int32_t tokens, int32_t heads, int32_t dim, int32_t width, void* out) {
  if (tokens == 0) return;
  dispatch(type, [&](auto number) {
    using T = decltype(number);
    launch(stream, {by_heads(tokens, heads), kHeadThreads}, close_kernel<T>, static_cast<const T*>(in), heads, dim, width, static_cast<T*>(out));
  });
}

}  // namespace sgmv::cuda
