#include "cuda/launch.h"
#include "cuda/reduce.cuh"
#include "ops/attention_cuda.h"

namespace sgmv::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kPairsMax = 128 / 32;  // per lane, of a head of 256

// A head's components as a lane has them: pairs (first, second) that a rotation mixes, and behind those the components
// that are not rotated, paired too.
struct HeadPairs {
  float first[kPairsMax], second[kPairsMax];
};

// Where they are.
struct PairPlaces {
  int half, pairs;
  bool interleaved;
  __device__ __forceinline__ int first(int pair) const { return interleaved ? 2 * pair : pair < half ? pair : half + pair; }
  __device__ __forceinline__ int second(int pair) const { return interleaved ? 2 * pair + 1 : pair < half ? half + pair : pairs + pair; }
};

__device__ __forceinline__ void norm(HeadPairs& x, const float* weight, float eps, const PairPlaces& places, int lane) {
  const int pairs = places.pairs;
  float squares = 0;
#pragma unroll
  for (int u = 0; u < kPairsMax; ++u) squares = fmaf(x.first[u], x.first[u], fmaf(x.second[u], x.second[u], squares));
  const float factor = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(2 * pairs) + eps);
#pragma unroll
  for (int u = 0; u < kPairsMax; ++u) {
    const int pair = lane + 32 * u;
    if (pair >= pairs) continue;
    x.first[u] = weight[places.first(pair)] * (x.first[u] * factor);
    x.second[u] = weight[places.second(pair)] * (x.second[u] * factor);
  }
}

__device__ __forceinline__ void rotate(HeadPairs& x, const float* cosines, int half, int lane) {
#pragma unroll
  for (int u = 0; u < kPairsMax; ++u) {
    const int pair = lane + 32 * u;
    if (pair >= half) continue;
    const float cosine = cosines[pair], sine = cosines[half + pair], first = x.first[u], second = x.second[u];
    x.first[u] = first * cosine - second * sine;
    x.second[u] = second * cosine + first * sine;
  }
}

// Where a head of the token goes: heads of queries first, then of keys, then of values.
template <typename T>
__device__ __forceinline__ T* place_of(const RotateAndStore& work, int token, int head, int slot, int columns) {
  if (head < work.heads) return static_cast<T*>(work.q) + (static_cast<int64_t>(token) * work.heads + head) * columns;
  const KvLayer& cache = work.cache;
  const int kv_head = (head - work.heads) % cache.kv_heads, values = (head - work.heads) / cache.kv_heads;
  const int64_t block = slot / cache.block_size, row = ((block * cache.kv_heads + kv_head) * 2 + values) * cache.block_size + slot % cache.block_size;
  return static_cast<T*>(cache.data) + row * columns;
}

// Grid: x: tokens, y: heads in fours; a warp has one head.
template <typename T>
__global__ void __launch_bounds__(32 * kWarps) rotate_kernel(const RotateAndStore work, int columns) {
  const int token = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x) % 32;
  const int head = static_cast<int>(blockIdx.y) * kWarps + static_cast<int>(threadIdx.x) / 32;
  const int all_heads = work.heads + 2 * work.cache.kv_heads;
  const int dim = work.cache.head_dim, pairs = dim / 2, half = work.half;
  const PairPlaces places = {half, pairs, work.interleaved};
  const int slot = work.slots[token];
  if (head >= all_heads || slot < 0) return;
  const bool is_query = head < work.heads, is_value = head >= work.heads + work.cache.kv_heads;
  const float* from = work.qkv + (static_cast<int64_t>(token) * all_heads + head) * dim;
  const float* bias = work.bias == nullptr ? nullptr : work.bias + static_cast<int64_t>(head) * dim;
  HeadPairs x = {};
#pragma unroll
  for (int u = 0; u < kPairsMax; ++u) {
    const int pair = lane + 32 * u, first = places.first(pair), second = places.second(pair);
    if (pair >= pairs) continue;
    x.first[u] = from[first] + (bias == nullptr ? 0.0f : bias[first]);
    x.second[u] = from[second] + (bias == nullptr ? 0.0f : bias[second]);
  }
  if (!is_value) {
    const float* weight = is_query ? work.q_norm : work.k_norm;
    if (weight != nullptr && !work.norm_last) norm(x, weight, work.eps, places, lane);
    const float* table = work.long_rope != nullptr && work.long_context[token] != 0 ? work.long_rope : work.rope;
    rotate(x, table + static_cast<int64_t>(work.positions[token]) * 2 * half, half, lane);
    if (weight != nullptr && work.norm_last) norm(x, weight, work.eps, places, lane);
  }
  float scale = is_query ? work.q_scale : 1.0f;
  if (is_query && work.q_growth != 0.0f) scale *= 1.0f + work.q_growth * log1pf(static_cast<float>(work.positions[token] / work.q_growth_span));
  T* to = place_of<T>(work, token, head, slot, columns);
#pragma unroll
  for (int u = 0; u < kPairsMax; ++u) {
    const int pair = lane + 32 * u;
    if (pair >= pairs) continue;
    to[places.first(pair)] = from_float<T>(x.first[u] * scale);
    to[places.second(pair)] = from_float<T>(x.second[u] * scale);
  }
  if (lane < columns - dim) to[dim + lane] = from_float<T>(0.0f);
}

}  // namespace

void rotate_and_store(cudaStream_t stream, const RotateAndStore& work) {
  if (work.tokens == 0) return;
  const int32_t all_heads = work.heads + 2 * work.cache.kv_heads;
  const dim3 grid(static_cast<unsigned>(work.tokens), static_cast<unsigned>((all_heads + kWarps - 1) / kWarps));
  dispatch(work.cache.type, [&](auto number) {
    launch(stream, {grid, 32 * kWarps}, rotate_kernel<decltype(number)>, work, static_cast<int32_t>(padded(work.cache.head_dim)));
  });
}

}  // namespace sgmv::cuda
