// sgmv_cuda_access: one prompt and one decode step of a decoder in each of its number types, without adapters and with 32
// different ones, on the emulated device, and what each kernel's loads and stores come to (access.h).
#include <cstdio>
#include <exception>
#include <memory>
#include <numeric>
#include <vector>

#include "access.h"
#include "bench/cuda/random_model.h"

namespace {

using namespace sgmv;
using namespace sgmv::bench;

constexpr int32_t kBatch = 32, kBlockSize = 16, kContext = 288;  // long enough that attention is split

// Llama-2-7B's heads, and half as wide an MLP for its width; small enough to be emulated.
ModelConfig shape() {
  ModelConfig config = llama2_7b();
  config.vocab_size = 1024;
  config.hidden_size = 512;
  config.intermediate_size = 1408;
  config.layers = 1;
  config.heads = 4;
  config.kv_heads = 2;
  return config;
}

// A prompt of one sequence, and a step of 32 that all continue it.
void run(RandomModel::Kind kind) {
  Measure measure(true);
  RandomModel model(measure, shape(), kind);
  const auto cache = model.make_kv_cache((kContext + kBlockSize - 1) / kBlockSize + 1, kBlockSize);
  std::vector<int32_t> table(static_cast<size_t>(cache->block_count())), tokens(kContext), drawn(kBatch);
  std::iota(table.begin(), table.end(), 0);
  std::iota(tokens.begin(), tokens.end(), 1);
  std::vector<std::shared_ptr<const Adapter>> adapters;
  std::vector<Segment> segments;
  std::vector<SequenceSlice> slices;
  std::vector<Draw> draws;
  for (int32_t i = 0; i < kBatch; ++i) {
    adapters.push_back(model.load_adapter(""));
    segments.push_back({i, i + 1, adapters.back().get()});
    slices.push_back({i, 1, kContext - 1, table, kContext});
    draws.push_back({i, 0.7f, 40, 0.9f, 0.0f, 1, kContext});
  }
  const Segment prompt{0, kContext, adapters[0].get()}, base{0, kBatch, nullptr};
  const SequenceSlice slice{0, kContext, 0, table, kContext};
  model.forward({tokens, {&slice, 1}, {&prompt, 1}, {}}, *cache, {});
  for (const std::span<const Segment> of : {std::span(&base, 1), std::span<const Segment>(segments)}) {
    model.start({std::span(tokens).first(kBatch), slices, of, {}, draws}, *cache);
    model.finish({}, drawn);
  }
}

}  // namespace

int main() {
  try {
    run({.batch_invariant = true});
    run({.batch_invariant = true, .fp8 = true, .adapters = cuda::LoraFormat::q8});
    emulator::report_accesses();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sgmv_cuda_access: %s\n", error.what());
    return 1;
  }
}
