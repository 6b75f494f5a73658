// One block chooses the token of one row: the Sampler's rules on top of the searches in sampling_kernels.cuh.
#include "ops/sampling_cuda.h"

#include <string>

#include "cuda/launch.h"
#include "ops/sampling_kernels.cuh"
#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

using namespace sampling;

static_assert(kSampleVocabMax == 1 << (63 - kMassBits));

// At least the highest logit's.
__device__ __forceinline__ uint64_t mass_above(const Row& row, uint32_t rank, Shared& shared) {
  const auto mass = [&](float logit) -> uint64_t { return rank_of(logit) > rank ? mass_of(weight_of(row, logit)) : 0; };
  return max(add_parts(row, 0, row.vocab, mass, shared), kMassOfHighest);
}

// Every filter keeps a prefix of the tokens in descending order: the mass of the shortest is all that the draw needs.
// One loop finds the ends of top-k and top-p and then the token, so that the long code of find() is there once.
__device__ __forceinline__ int32_t draw_filtered(const Row& row, const SampleRow& options, double uniform, Shared& shared) {
  const uint32_t below = fill_bins(row, options.min_p, shared);
  const Sum all = through(shared.bins, kBins - 1);
  uint64_t kept = all.mass;
  for (int step = 0;; ++step) {
    uint64_t target = 0;
    if (step == 0) {
      if (options.top_k <= 0 || static_cast<uint32_t>(options.top_k) >= all.count) continue;
      target = static_cast<uint64_t>(options.top_k) - 1;
    } else if (step == 1) {
      if (options.top_p >= 1.0f) continue;
      const double enough = ceil(static_cast<double>(options.top_p) * static_cast<double>(kept));
      target = min(enough < 1.0 ? 0 : static_cast<uint64_t>(enough) - 1, kept - 1);
    } else {
      if (below != 0) kept = min(kept, mass_above(row, below, shared));
      target = draw_target(uniform, kept);
    }
    const Found found = find(row, step == 0, target, shared);
    if (step == 2) return found.id;
    kept = found.mass;
  }
}

__device__ __forceinline__ int32_t draw_from_all(const Row& row, double uniform, Shared& shared) {
  const auto mass = [&row](float logit) -> uint64_t { return distance(row, logit) < kBins ? mass_of(weight_of(row, logit)) : 0; };
  const uint64_t total = add_parts(row, 0, row.vocab, mass, shared);
  return find_by_id(row, mass, draw_target(uniform, total), shared);
}

__global__ void __launch_bounds__(kThreads) sample_kernel(const float* all_logits, const SampleRow* rows, int vocab, int32_t* tokens) {
  __shared__ Shared shared;
  const float* logits = all_logits + int64_t{blockIdx.x} * vocab;
  const SampleRow options = rows[blockIdx.x];
  const uint64_t highest = find_highest(logits, vocab, shared);
  const auto rank = static_cast<uint32_t>(highest >> 32);
  auto token = static_cast<int32_t>(~static_cast<uint32_t>(highest));
  if (rank >= kRankOfInfinity || rank <= kRankOfMinusInfinity) {
    token = kNoToken;
  } else if (options.temperature > 0.0f && options.top_k != 1) {
    // A denormal temperature's inverse is infinite, and zero times that is no distance.
    const float bins_per_logit = kBinsPerUnit / options.temperature;
    const Row row{logits, vocab, logits[token], options.temperature, bins_per_logit < 3e38f ? bins_per_logit : 3e38f};
    const double uniform = uniform_at(options.seed, options.position_low, options.position_high);
    const bool filtered = options.top_k > 0 || options.top_p < 1.0f || options.min_p > 0.0f;
    token = filtered ? draw_filtered(row, options, uniform, shared) : draw_from_all(row, uniform, shared);
  }
  if (threadIdx.x == 0) tokens[blockIdx.x] = token;
}

}  // namespace

void sample(cudaStream_t stream, const float* logits, const SampleRow* rows, int32_t row_count, int32_t vocab, int32_t* tokens) {
  if (row_count == 0) return;
  if (vocab > kSampleVocabMax) throw Error("bad_argument", "sample: found a vocabulary of " + std::to_string(vocab) + " tokens; expected at most " + std::to_string(kSampleVocabMax));
  launch(stream, {dim3(static_cast<unsigned>(row_count)), kThreads}, sample_kernel, logits, rows, vocab, tokens);
}

}  // namespace sgmv::cuda
