#include "cuda/launch.h"
#include "cuda/numbers.cuh"
#include "cuda/reduce.cuh"
#include "ops/attention_cuda.h"

namespace sgmv::cuda {
namespace {

constexpr int kWarps = 4;

__host__ __device__ inline int32_t all_heads_of(const RotateAndStore& work) { return work.heads + (work.stores ? 2 * work.cache.kv_heads : 0); }

// A head's components as a lane has them: pairs (first, second) that a rotation mixes, and behind those the components
// that are not rotated, paired too.
template <int kPairs>
struct HeadPairs {
  static constexpr int kCount = kPairs;  // per lane
  float first[kPairs], second[kPairs];
};

// Where they are.
struct PairPlaces {
  int half, pairs;
  bool interleaved;
  // Neighbours are loaded and stored together.
  __device__ __forceinline__ float2 load(const float* from, int pair) const {
    if (interleaved) {
      const uint2 both = load8(from + 2 * pair);
      return make_float2(__uint_as_float(both.x), __uint_as_float(both.y));
    }
    return make_float2(from[first(pair)], from[second(pair)]);
  }
  template <typename T>
  __device__ __forceinline__ void store(T* to, int pair, float2 v) const {
    if (!interleaved) to[first(pair)] = from_float<T>(v.x), to[second(pair)] = from_float<T>(v.y);
    else if constexpr (sizeof(T) == 2) reinterpret_cast<uint32_t*>(to)[pair] = pack2<T>(v.x, v.y);
    else store8(to + 2 * pair, make_uint2(__float_as_uint(v.x), __float_as_uint(v.y)));
  }
  __device__ __forceinline__ int first(int pair) const { return interleaved ? 2 * pair : pair < half ? pair : half + pair; }
  __device__ __forceinline__ int second(int pair) const { return interleaved ? 2 * pair + 1 : pair < half ? half + pair : pairs + pair; }
};

template <typename Pairs>
__device__ __forceinline__ void center(Pairs& x, int pairs, int lane) {
  float sum = 0;
#pragma unroll
  for (int u = 0; u < Pairs::kCount; ++u) sum += x.first[u] + x.second[u];
  const float mean = warp_sum(sum) / static_cast<float>(2 * pairs);
#pragma unroll
  for (int u = 0; u < Pairs::kCount; ++u)
    if (lane + 32 * u < pairs) x.first[u] -= mean, x.second[u] -= mean;
}

// `weight` null: all are 1.
template <typename Pairs>
__device__ __forceinline__ void norm(Pairs& x, const float* weight, float eps, const PairPlaces& places, int lane) {
  const int pairs = places.pairs;
  float squares = 0;
#pragma unroll
  for (int u = 0; u < Pairs::kCount; ++u) squares = fmaf(x.first[u], x.first[u], fmaf(x.second[u], x.second[u], squares));
  const float factor = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(2 * pairs) + eps);
#pragma unroll
  for (int u = 0; u < Pairs::kCount; ++u) {
    const int pair = lane + 32 * u;
    if (pair >= pairs) continue;
    const float2 of_weight = weight == nullptr ? make_float2(1, 1) : places.load(weight, pair);
    x.first[u] = of_weight.x * (x.first[u] * factor);
    x.second[u] = of_weight.y * (x.second[u] * factor);
  }
}

template <typename Pairs>
__device__ __forceinline__ void rotate(Pairs& x, const float* cosines, int half, int lane) {
#pragma unroll
  for (int u = 0; u < Pairs::kCount; ++u) {
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
template <typename T, int kPairs>
__global__ void __launch_bounds__(32 * kWarps, kPairs > 4 ? 8 : 10) rotate_kernel(const RotateAndStore work, int columns) {
  const int token = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x) % 32;
  const int head = static_cast<int>(blockIdx.y) * kWarps + static_cast<int>(threadIdx.x) / 32;
  const int all_heads = all_heads_of(work);
  const int dim = work.cache.head_dim, pairs = dim / 2, half = work.half;
  const PairPlaces places = {half, pairs, work.interleaved};
  const int slot = work.slots[token];
  if (head >= all_heads || slot < 0) return;
  const bool is_query = head < work.heads, is_value = head >= work.heads + work.cache.kv_heads;
  const int gates = work.gated ? work.heads : 0, place = head + min(head, gates);
  const float* from = work.qkv + (static_cast<int64_t>(token) * (all_heads + gates) + place) * dim;
  const float* bias = work.bias == nullptr ? nullptr : work.bias + static_cast<int64_t>(place) * dim;
  HeadPairs<kPairs> x = {};
#pragma unroll
  for (int u = 0; u < kPairs; ++u) {
    const int pair = lane + 32 * u;
    if (pair >= pairs) continue;
    const float2 own = places.load(from, pair), of_bias = bias == nullptr ? make_float2(0, 0) : places.load(bias, pair);
    x.first[u] = own.x + of_bias.x;
    x.second[u] = own.y + of_bias.y;
  }
  if (!is_value) {
    const float* weight = is_query ? work.q_norm : work.k_norm;
    if (work.layer_norms) {
      weight += (is_query ? head : head - work.heads) * dim;
      center(x, pairs, lane);
    }
    if (weight != nullptr && !work.norm_last) norm(x, weight, work.eps, places, lane);
    const float* table = work.long_rope != nullptr && work.long_context[token] != 0 ? work.long_rope : work.rope;
    rotate(x, table + static_cast<int64_t>(work.positions[token]) * 2 * half, half, lane);
    if (weight != nullptr && work.norm_last) norm(x, weight, work.eps, places, lane);
  } else if (work.norms_values) {
    norm(x, nullptr, work.eps, places, lane);
  }
  float scale = is_query ? work.q_scale : is_value ? work.v_scale : 1.0f;
  if (is_query && work.q_growth != 0.0f) scale *= 1.0f + work.q_growth * log1pf(static_cast<float>((work.positions[token] + work.q_growth_begin) / work.q_growth_span));
  T* to = place_of<T>(work, token, head, slot, columns);
#pragma unroll
  for (int u = 0; u < kPairs; ++u) {
    const int pair = lane + 32 * u;
    if (pair >= pairs) continue;
    places.store(to, pair, make_float2(x.first[u] * scale, x.second[u] * scale));
  }
  if (lane < columns - dim) to[dim + lane] = from_float<T>(0.0f);
}

}  // namespace

void rotate_and_store(cudaStream_t stream, const RotateAndStore& work) {
  if (work.tokens == 0) return;
  const int32_t all_heads = all_heads_of(work);
  const dim3 grid(static_cast<unsigned>(work.tokens), static_cast<unsigned>((all_heads + kWarps - 1) / kWarps));
  dispatch(work.cache.type, [&](auto number) {
    using T = decltype(number);
    launch(stream, {grid, 32 * kWarps}, work.cache.head_dim <= 256 ? rotate_kernel<T, 4> : rotate_kernel<T, 8>, work, static_cast<int32_t>(padded(work.cache.head_dim)));
  });
}

}  // namespace sgmv::cuda
