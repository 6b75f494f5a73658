// Which experts a token passes and where its rows lie: little work, whose latency counts. docs/kernels/mixture.md has the
// counts.
#include "ops/mixture_cuda.h"

#include <algorithm>
#include <string>

#include "cuda/launch.h"
#include "cuda/reduce.cuh"
#include "sgmv/error.h"
#include "sgmv/ops.h"

namespace sgmv::cuda {
namespace {

constexpr unsigned kAllLanes = 0xFFFF'FFFF;
constexpr int kRateThreads = 128, kRateTokens = 8;  // a warp has one expert and so many tokens
constexpr int kAdaptThreads = 256, kAdaptRanks = 2;  // a warp has so many rows of A, a thread a row of B
constexpr int kChooseThreads = 128;                 // a warp has one token
constexpr int kSortThreads = 256;                   // a warp has one expert
constexpr int kSortAhead = 8;                       // choices that a lane has under way
constexpr int kRowThreads = 256;

int ceil_div(int a, int b) { return (a + b - 1) / b; }

__device__ __forceinline__ int lane_of_thread() { return static_cast<int>(threadIdx.x % kWarpThreads); }
__device__ __forceinline__ int warp_of_grid() { return static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / kWarpThreads); }

// sum + a · b, by their four floats in order.
__device__ __forceinline__ float add_products(float sum, uint4 a, uint4 b) {
  sum = fmaf(__uint_as_float(a.x), __uint_as_float(b.x), sum);
  sum = fmaf(__uint_as_float(a.y), __uint_as_float(b.y), sum);
  sum = fmaf(__uint_as_float(a.z), __uint_as_float(b.z), sum);
  return fmaf(__uint_as_float(a.w), __uint_as_float(b.w), sum);
}

// A lane has four columns in 128; its sums are one chain of products each, which the lanes' are added to in one order.
__global__ void __launch_bounds__(kRateThreads) rate_kernel(const __grid_constant__ Routing routing, const float* x, const float* router, int width, int64_t stride) {
  const int expert = warp_of_grid(), lane = lane_of_thread(), first = static_cast<int>(blockIdx.y) * kRateTokens;
  if (expert >= routing.rated()) return;
  const float* const row = router + expert * stride;
  float sums[kRateTokens] = {};
  for (int column = 4 * lane; column < width; column += 4 * kWarpThreads) {
    const uint4 w = load16(row + column);
#pragma unroll
    for (int i = 0; i < kRateTokens; ++i) sums[i] = add_products(sums[i], w, load16(x + min(first + i, routing.tokens - 1) * stride + column));
  }
#pragma unroll
  for (int i = 0; i < kRateTokens; ++i) {
    const float sum = warp_sum(sums[i]);
    if (lane == 0 && first + i < routing.tokens) routing.scores[(first + i) * routing.rated() + expert] = sum;
  }
}

// Block (token, router or the shared expert's gate). v = A · x, each as a score above, then B · v by rank: nobody else's rows are in a sum.
__global__ void __launch_bounds__(kAdaptThreads) adapt_kernel(const __grid_constant__ Routing routing, const float* x, int width, int64_t stride,
                                                              const LoraFactor* const* factors_of_token, int first_factor) {
  alignas(16) __shared__ float v[kRankMax];
  const int token = static_cast<int>(blockIdx.x), lane = lane_of_thread(), warp = static_cast<int>(threadIdx.x) / kWarpThreads;
  const bool of_shared = blockIdx.y == 1;
  if (factors_of_token[token] == nullptr) return;
  const LoraFactor factor = factors_of_token[token][first_factor + (of_shared ? 1 : 0)];
  if (factor.a == nullptr) return;
  const int ranks = static_cast<int>(lora_b_stride(factor.rank));
  for (int first = warp * kAdaptRanks; first < ranks; first += kAdaptThreads / kWarpThreads * kAdaptRanks) {
    float sums[kAdaptRanks] = {};
    for (int column = 4 * lane; column < width; column += 4 * kWarpThreads) {
      const uint4 own = load16(x + token * stride + column);
#pragma unroll
      for (int i = 0; i < kAdaptRanks; ++i)
        sums[i] = add_products(sums[i], load16(static_cast<const float*>(factor.a) + min(first + i, factor.rank - 1) * stride + column), own);
    }
#pragma unroll
    for (int i = 0; i < kAdaptRanks; ++i) {
      const float sum = warp_sum(sums[i]);
      if (lane == 0) v[first + i] = first + i < factor.rank ? sum : 0.0f;
    }
  }
  __syncthreads();
  float* const scores = routing.scores + int64_t{token} * routing.rated() + (of_shared ? routing.experts : 0);
  for (int out = static_cast<int>(threadIdx.x); out < (of_shared ? 1 : routing.experts); out += kAdaptThreads) {
    const float* const b = static_cast<const float*>(factor.b) + int64_t{out} * ranks;
    float sum = 0;
    for (int rank = 0; rank < ranks; rank += 4) sum = add_products(sum, load16(b + rank), *reinterpret_cast<const uint4*>(v + rank));
    const float score = fmaf(factor.scale, sum, scores[out]);
    scores[out] = factor.dora == nullptr ? score : score * factor.dora[out];
  }
}

// Of two experts the one to be chosen first has the larger one, which is above 0.
__device__ __forceinline__ uint64_t preference(float score, int expert) {
  const uint32_t bits = __float_as_uint(score == score ? score + 0.0f : -INFINITY);  // -0 is 0
  const uint32_t ordered = bits >> 31 != 0 ? ~bits : bits | 0x8000'0000u;
  return static_cast<uint64_t>(ordered) << 32 | static_cast<uint32_t>(kExpertsMax - expert);
}

struct Larger {
  __device__ __forceinline__ uint64_t operator()(uint64_t a, uint64_t b) const { return a > b ? a : b; }
};

// Lane i ends with bit j set for every chosen expert 32 · i + j. Returns the first one's number. value(expert): what it is chosen by.
template <typename Value>
__device__ __forceinline__ int choose(Value value, int experts, int count, uint32_t& chosen) {
  const int lane = lane_of_thread();
  uint64_t last = ~uint64_t{0};
  int first = 0;
  chosen = 0;
  for (int i = 0; i < count; ++i) {
    uint64_t best = 0;
    for (int expert = lane; expert < experts; expert += kWarpThreads) {
      const uint64_t own = preference(value(expert), expert);
      if (own < last) best = Larger{}(best, own);
    }
    last = warp_reduce(best, Larger{});
    const int expert = kExpertsMax - static_cast<int>(static_cast<uint32_t>(last));
    if (i == 0) first = expert;
    if (lane == expert / kWarpThreads) chosen |= 1u << expert % kWarpThreads;
  }
  return first;
}

// A warp's scores become what they are worth: a lane's are those of experts that it asks for later too.
__device__ __forceinline__ void weigh_scores(const Routing& routing, float* scores) {
  const int lane = lane_of_thread();
  float highest = -INFINITY, sum = 0;
  if (!routing.sigmoid) {
    for (int expert = lane; expert < routing.experts; expert += kWarpThreads) highest = fmaxf(highest, scores[expert]);
    highest = warp_reduce(highest, [](float a, float b) { return fmaxf(a, b); });
    for (int expert = lane; expert < routing.experts; expert += kWarpThreads) sum += expf(scores[expert] - highest);
    sum = warp_sum(sum);
  }
  for (int expert = lane; expert < routing.experts; expert += kWarpThreads)
    scores[expert] = routing.sigmoid ? 1.0f / (1.0f + expf(-scores[expert])) : expf(scores[expert] - highest) / sum;
  __syncwarp();
}

// Bit i: group i is one of those that experts are chosen of. Lane i has what group i is worth.
template <typename Value>
__device__ __forceinline__ uint32_t choose_groups(const Routing& routing, Value value) {
  if (routing.groups == 1) return 1;
  const int lane = lane_of_thread(), size = routing.experts / routing.groups;
  float worth = -INFINITY;
  for (int group = 0; group < routing.groups; ++group) {
    uint64_t first = 0, second = 0;
    for (int expert = group * size + lane; expert < (group + 1) * size; expert += kWarpThreads) {
      const uint64_t own = preference(value(expert), expert);
      if (own > first) second = first, first = own;
      else second = Larger{}(second, own);
    }
    const uint64_t best = warp_reduce(first, Larger{});
    second = warp_reduce(first == best ? second : first, Larger{});
    const auto of = [&](uint64_t one) { return value(kExpertsMax - static_cast<int>(static_cast<uint32_t>(one))); };
    if (lane == group) worth = of(best) + (size > 1 && !routing.groups_by_best ? of(second) : 0.0f);
  }
  uint32_t chosen = 0;
  for (int i = 0; i < routing.groups_per_token; ++i) {
    const bool left = lane < routing.groups && (chosen >> lane & 1) == 0;
    const uint64_t best = warp_reduce(left ? preference(worth, lane) : uint64_t{0}, Larger{});
    chosen |= 1u << (kExpertsMax - static_cast<int>(static_cast<uint32_t>(best)));
  }
  return chosen;
}

__global__ void __launch_bounds__(kChooseThreads) choose_kernel(const __grid_constant__ Routing routing, const int32_t* slots) {
  const int token = warp_of_grid(), lane = lane_of_thread();
  if (token >= routing.tokens) return;
  int32_t* const chosen = routing.chosen + token * routing.per_token;
  if (slots[token] < 0) {
    for (int i = lane; i < routing.per_token; i += kWarpThreads) chosen[i] = -1;
    if (routing.shared_gate && lane == 0) routing.shared_weights[token] = 0;
    return;
  }
  float* const scores = routing.scores + token * routing.rated();
  if (routing.biases != nullptr) {
    for (int i = lane; i < routing.rated(); i += kWarpThreads) scores[i] += routing.biases[i];
    __syncwarp();
  }
  if (routing.by_worth) weigh_scores(routing, scores);
  const auto preferred = [&](int expert) { return routing.choice_bias == nullptr ? scores[expert] : scores[expert] + routing.choice_bias[expert]; };
  const uint32_t groups = choose_groups(routing, preferred);
  const int group_size = routing.experts / routing.groups;
  uint32_t words;
  const int first = choose([&](int expert) { return routing.groups == 1 || (groups >> expert / group_size & 1) != 0 ? preferred(expert) : -INFINITY; }, routing.experts, routing.per_token, words);
  const float highest = scores[first];
  const auto worth = [&](int expert) {
    if (routing.sigmoid_weights) return 1.0f / (1.0f + expf(-scores[expert]));
    return routing.by_worth ? scores[expert] : expf(scores[expert] - highest);
  };
  float sum = 0;
  for (int i = 0; i * kWarpThreads < routing.experts; ++i) {
    const int expert = i * kWarpThreads + lane;
    const bool counts = !routing.normalized || (__shfl_sync(kAllLanes, words, i) >> lane & 1) != 0;
    if (counts && expert < routing.experts) sum += worth(expert);
  }
  sum = (routing.by_worth || routing.sigmoid_weights) && !routing.normalized ? 1.0f : warp_sum(sum);
  if (routing.normalized) sum = fmaxf(sum + routing.sum_added, routing.sum_min);
  float* const weights = routing.weights + token * routing.per_token;
  for (int i = 0, before = 0; i * kWarpThreads < routing.experts; ++i) {
    const int expert = i * kWarpThreads + lane;
    const uint32_t word = __shfl_sync(kAllLanes, words, i);
    if ((word >> lane & 1) != 0) {
      const int at = before + __popc(word & ((1u << lane) - 1));
      chosen[at] = expert;
      weights[at] = worth(expert) / sum * routing.scale * (routing.weight_scales == nullptr ? 1.0f : routing.weight_scales[expert]);
    }
    before += __popc(word);
  }
  if (routing.shared_gate && lane == 0) routing.shared_weights[token] = 1.0f / (1.0f + expf(-scores[routing.experts]));
}

// Calls visit(choice, own) for all choices in their order, 32 at a time, every lane with its own one; own: it is for `expert`. Reads
// ahead, because each round would wait for its choices otherwise.
template <typename Visit>
__device__ __forceinline__ void for_each_choice(const Routing& routing, int expert, Visit visit) {
  const int lane = lane_of_thread(), rows = routing.rows();
  for (int begin = 0; begin < rows; begin += kSortAhead * kWarpThreads) {
    bool own[kSortAhead];
#pragma unroll
    for (int i = 0; i < kSortAhead; ++i) {
      const int choice = begin + i * kWarpThreads + lane;
      own[i] = (choice < rows) & (routing.chosen[min(choice, rows - 1)] == expert);
    }
#pragma unroll
    for (int i = 0; i < kSortAhead; ++i) visit(begin + i * kWarpThreads + lane, own[i]);
  }
}

__global__ void __launch_bounds__(kSortThreads) count_kernel(const __grid_constant__ Routing routing) {
  const int expert = warp_of_grid();
  if (expert >= routing.experts) return;
  int count = 0;
  for_each_choice(routing, expert, [&](int, bool own) { count += own ? 1 : 0; });
  count = warp_sum(count);
  if (lane_of_thread() == 0) routing.counts[expert] = count;
}

__device__ __forceinline__ int tiles_of(int rows, int tile_rows) { return (rows + tile_rows - 1) / tile_rows; }

// An expert's rows begin where those of the lower numbers end, and so do its tiles.
__global__ void __launch_bounds__(kSortThreads) place_kernel(const __grid_constant__ Routing routing) {
  const int expert = warp_of_grid(), lane = lane_of_thread();
  if (expert >= routing.experts) return;
  int row = 0, tile = 0;
  for (int lower = lane; lower < expert; lower += kWarpThreads) {
    row += routing.counts[lower];
    tile += tiles_of(routing.counts[lower], routing.tile_rows);
  }
  row = warp_sum(row), tile = warp_sum(tile);
  const int count = routing.counts[expert], tiles = tiles_of(count, routing.tile_rows);
  for (int i = lane; i < tiles; i += kWarpThreads)
    routing.tiles[tile + i] = {expert, row + i * routing.tile_rows, min(routing.tile_rows, count - i * routing.tile_rows)};
  if (expert == routing.experts - 1 && lane == 0) routing.totals[0] = row + count, routing.totals[1] = tile + tiles;
  if (count == 0) return;
  for_each_choice(routing, expert, [&](int choice, bool own) {
    const uint32_t all = __ballot_sync(kAllLanes, own);
    if (own) {
      const int at = row + __popc(all & ((1u << lane) - 1));
      routing.row_of_choice[choice] = at;
      routing.choice_of_row[at] = choice;
    }
    row += __popc(all);
  });
}

// Block (row, piece): 16 bytes a thread.
__global__ void __launch_bounds__(kRowThreads) gather_rows_kernel(const __grid_constant__ Routing routing, const uint4* x, int vectors, uint4* out,
                                                                  const LoraFactor* const* factors_of_token, const LoraFactor** factors_of_row) {
  const int row = static_cast<int>(blockIdx.x), at = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
  const bool adapts = factors_of_token != nullptr && at == 0, names = routing.expert_of_row != nullptr && at == 0, weighs = routing.weight_of_row != nullptr && at == 0;
  if (row >= routing.totals[0]) {
    if (adapts) factors_of_row[row] = nullptr;
    if (names) routing.expert_of_row[row] = 0;
    if (weighs) routing.weight_of_row[row] = 0;
    return;
  }
  const int choice = routing.choice_of_row[row], token = choice / routing.per_token;
  if (names) routing.expert_of_row[row] = routing.chosen[choice];
  if (weighs) routing.weight_of_row[row] = routing.weights[choice];
  if (adapts) {
    const LoraFactor* const factors = factors_of_token[token];
    factors_of_row[row] = factors == nullptr ? nullptr : factors + routing.chosen[choice] * kFactorsPerExpert;
  }
  if (at < vectors) out[int64_t{row} * vectors + at] = x[int64_t{token} * vectors + at];
}

// Block (token, piece): a column a thread.
__global__ void __launch_bounds__(kRowThreads) add_kernel(const __grid_constant__ Routing routing, const float* rows, int width, const float* expert_biases, const float* bias, float* y) {
  const int token = static_cast<int>(blockIdx.x), column = static_cast<int>(blockIdx.y * kRowThreads + threadIdx.x);
  if (column >= width) return;
  float* const to = y + int64_t{token} * width + column;
  float sum = 0;
  if (routing.shared) sum = (bias == nullptr ? *to : *to + bias[column]) * (routing.shared_gate ? routing.shared_weights[token] : 1.0f);
#pragma unroll 4
  for (int choice = token * routing.per_token; choice < (token + 1) * routing.per_token; ++choice)
    if (const int expert = routing.chosen[choice]; expert >= 0) {
      const float row = rows[int64_t{routing.row_of_choice[choice]} * width + column];
      sum = fmaf(routing.weighs_inputs ? 1.0f : routing.weights[choice], expert_biases == nullptr ? row : row + expert_biases[int64_t{expert} * width + column], sum);
    }
  *to = sum;
}

dim3 grid_of(int rows, int pieces) { return dim3(static_cast<unsigned>(rows), static_cast<unsigned>(pieces)); }

}  // namespace

int32_t Routing::tiles_max() const { return std::min(rows(), rows() / tile_rows + std::min(experts, rows())); }

void rate_experts(cudaStream_t stream, const Routing& routing, const float* x, const LinearWeights& router) {
  if (routing.tokens == 0) return;
  const Shape shape{grid_of(ceil_div(routing.rated(), kRateThreads / kWarpThreads), ceil_div(routing.tokens, kRateTokens)), kRateThreads};
  launch(stream, shape, rate_kernel, routing, x, static_cast<const float*>(router.data), static_cast<int>(router.in), router.stride);
}

void adapt_scores(cudaStream_t stream, const Routing& routing, const float* x, int32_t width, const LoraFactor* const* factors_of_token, int32_t layer) {
  if (routing.tokens == 0) return;
  launch(stream, {grid_of(routing.tokens, routing.shared_gate ? 2 : 1), kAdaptThreads}, adapt_kernel, routing, x, width, padded(width), factors_of_token, layer * kFactorsPerRouter);
}

void choose_experts(cudaStream_t stream, const Routing& routing, const int32_t* slots) {
  if (routing.tokens == 0) return;
  if (routing.experts > kExpertsMax || routing.per_token > routing.experts)
    throw Error("bad_argument", "choose_experts: found " + std::to_string(routing.per_token) + " of " + std::to_string(routing.experts) + " experts; expected at most " +
                                    std::to_string(kExpertsMax) + " and no more of them than there are");
  if (routing.groups < 1 || routing.groups > kExpertGroupsMax || routing.experts % routing.groups != 0 || routing.groups_per_token < 1 || routing.groups_per_token > routing.groups)
    throw Error("bad_argument", "choose_experts: found " + std::to_string(routing.groups_per_token) + " of " + std::to_string(routing.groups) + " groups; expected at most " +
                                    std::to_string(kExpertGroupsMax) + " of one size");
  launch(stream, {grid_of(ceil_div(routing.tokens, kChooseThreads / kWarpThreads), 1), kChooseThreads}, choose_kernel, routing, slots);
}

void sort_expert_rows(cudaStream_t stream, const Routing& routing) {
  if (routing.tokens == 0) return;
  const Shape shape{grid_of(ceil_div(routing.experts, kSortThreads / kWarpThreads), 1), kSortThreads};
  launch(stream, shape, count_kernel, routing);
  launch(stream, shape, place_kernel, routing);
}

void gather_expert_rows(cudaStream_t stream, const Routing& routing, Number type, const void* x, int32_t width, void* out,
                        const LoraFactor* const* factors_of_token, const LoraFactor** factors_of_row) {
  if (routing.tokens == 0) return;
  const auto vectors = static_cast<int>(padded(width) * static_cast<int64_t>(number_bytes(type)) / 16);
  launch(stream, {grid_of(routing.rows(), ceil_div(vectors, kRowThreads)), kRowThreads}, gather_rows_kernel, routing, static_cast<const uint4*>(x), vectors,
         static_cast<uint4*>(out), factors_of_token, factors_of_row);
}

void add_experts(cudaStream_t stream, const Routing& routing, const float* rows, int32_t width, const float* expert_biases, const float* bias, float* y) {
  if (routing.tokens == 0) return;
  launch(stream, {grid_of(routing.tokens, ceil_div(width, kRowThreads)), kRowThreads}, add_kernel, routing, rows, width, expert_biases, bias, y);
}

}  // namespace sgmv::cuda
