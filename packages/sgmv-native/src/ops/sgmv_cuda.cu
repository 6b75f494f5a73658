#include "ops/sgmv_cuda.h"

#include <algorithm>

#include "cuda/launch.h"
#include "cuda/reduce.cuh"
#include "ops/sgmv_expand_kernels.cuh"
#include "ops/sgmv_shrink_kernels.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kPlanThreads = 1024;

// One block. A thread has every blockDim-th token: where its run begins is the largest begin up to it, its tile's place
// the number of tiles that begin before.
__global__ void __launch_bounds__(kPlanThreads) plan_kernel(const LoraFactor* const* factors_of_token, int tokens, LoraTile* tiles,
                                                            int32_t* tile_count) {
  auto* const run_totals = reinterpret_cast<int*>(dynamic_shared());  // [32]
  int* const tile_totals = run_totals + 32;                          // [32]
  int* const carried = tile_totals + 32;                             // [2]: last run's begin, tiles so far
  const int threads = static_cast<int>(blockDim.x), thread = static_cast<int>(threadIdx.x);
  int run_carried = 0, tiles_carried = 0;
  for (int base = 0; base < tokens; base += threads) {
    const int token = base + thread;
    const LoraFactor* const own = token < tokens ? factors_of_token[token] : nullptr;
    const bool begins_run = token < tokens && (token == 0 || factors_of_token[token - 1] != own);
    const int run_begin = max(run_carried, block_running(begins_run ? token : 0, run_totals, [](int a, int b) { return max(a, b); }));
    const bool begins_tile = own != nullptr && (token - run_begin) % kLoraTileTokens == 0;
    const int tiles_up_to = tiles_carried + block_running_sum(begins_tile ? 1 : 0, tile_totals);
    if (begins_tile) {
      int count = 1;
      while (count < kLoraTileTokens && token + count < tokens && factors_of_token[token + count] == own) ++count;
      tiles[tiles_up_to - 1] = {own, token, count};
    }
    if (thread == threads - 1) carried[0] = run_begin, carried[1] = tiles_up_to;
    __syncthreads();
    run_carried = carried[0], tiles_carried = carried[1];
  }
  if (thread == 0) *tile_count = tiles_carried;
}

// The inputs of one split, and how many there are: by `in` alone, so that sums do not depend on the batch.
int shrink_chunk(const LoraGroup& group) { return padded(group.in) <= 8192 ? kPassInputs : 2 * kPassInputs; }
int splits_of(const LoraGroup& group) { return std::max(1, static_cast<int>((padded(group.in) + shrink_chunk(group) - 1) / shrink_chunk(group))); }

// Blocks that find no work cost time too: beyond this many, blocks take several tiles or ranks, one after the other.
constexpr int kShrinkBlocksMax = 4096;
constexpr int kExpandBlocksMax = 8192;

// Calls visit(T{}, W{}) with the types of the inputs and of the factors.
template <typename Visit>
void dispatch_factors(const LoraStep& step, Visit visit) {
  dispatch(step.type, [&](auto number) {
    if constexpr (!std::is_same_v<decltype(number), float>)
      if (step.format == LoraFormat::q8) return visit(number, q8{});
    visit(number, number);
  });
}

int at_most(int wanted, int blocks_max, int blocks_each) { return std::clamp(blocks_max / blocks_each, 1, wanted); }

}  // namespace

void plan_lora_tiles(cudaStream_t stream, const LoraFactor* const* factors_of_token, int32_t tokens, LoraTile* tiles, int32_t* tile_count) {
  const int threads = std::clamp((tokens + 31) / 32 * 32, 32, kPlanThreads);
  launch(stream, {dim3(1), threads, 66 * sizeof(int)}, plan_kernel, factors_of_token, tokens, tiles, tile_count);
}

int64_t lora_v_floats(const LoraGroup& group, int32_t tokens, int32_t rank_max) {
  return int64_t{splits_of(group)} * group.part_count * tokens * rank_max;
}

void sgmv_shrink(cudaStream_t stream, const LoraStep& step, const LoraGroup& group, const void* x, int64_t x_stride, float* v) {
  if (step.tokens == 0 || step.tiles_max == 0) return;
  const int splits = splits_of(group), parts = group.part_count;
  const int tiles = at_most(std::min(step.tiles_max, step.tokens), kShrinkBlocksMax, splits * parts);
  const int rank_blocks = at_most((step.rank_max + kRankTile - 1) / kRankTile, kShrinkBlocksMax, splits * parts * tiles);
  const ShrinkWork work{step, group, x, x_stride, v, static_cast<int32_t>(padded(group.in)), shrink_chunk(group)};
  const dim3 grid(static_cast<unsigned>(splits), static_cast<unsigned>(rank_blocks * parts), static_cast<unsigned>(tiles));
  dispatch_factors(step, [&](auto input, auto number) {
    launch(stream, {grid, kSgmvThreads, kShrinkSharedFloats * sizeof(float)}, shrink_kernel<decltype(input), decltype(number)>, work);
  });
}

void sgmv_expand(cudaStream_t stream, const LoraStep& step, const LoraGroup& group, const float* v, float* y, int64_t y_stride) {
  int chunks = 0;
  for (int part = 0; part < group.part_count; ++part) chunks += output_chunks(group.parts[part]);
  if (step.tokens == 0 || step.tiles_max == 0 || chunks == 0) return;
  const int tiles = at_most(std::min(step.tiles_max, step.tokens), kExpandBlocksMax, chunks);
  const ExpandWork work{step, group, v, splits_of(group), y, y_stride};
  const dim3 grid(static_cast<unsigned>(chunks), static_cast<unsigned>(tiles));
  dispatch_factors(step, [&](auto input, auto number) {
    using W = decltype(number);
    launch(stream, {grid, kSgmvThreads, expand_shared_bytes<W>(step.tokens, step.rank_max)}, expand_kernel<decltype(input), W>, work);
  });
}

}  // namespace sgmv::cuda
