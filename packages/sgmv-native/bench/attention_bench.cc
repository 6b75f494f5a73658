#include "attention_bench.h"

#include <random>

#include "best_seconds.h"
#include "ops/attention_cpu.h"

namespace sgmv::bench {
namespace {

constexpr int32_t kHeads = 9, kKvHeads = 3, kHeadDim = 64, kBlockSize = 16;
constexpr int32_t kLayers = 30;  // used in turn, as a step does, so that no cache holds them between two calls

void fill(CpuKvCache& cache, std::mt19937& generator) {
  std::normal_distribution<float> normal;
  std::vector<float> key(kHeadDim), value(kHeadDim);
  std::generate(key.begin(), key.end(), [&] { return normal(generator); });
  std::generate(value.begin(), value.end(), [&] { return normal(generator); });
  for (int64_t layer = 0; layer < kLayers; ++layer)
    for (int64_t block = 0; block < cache.block_count(); ++block)
      for (int64_t head = 0; head < kKvHeads; ++head)
        for (int64_t at = 0; at < kBlockSize; ++at) cache.store(layer, block, head, at, key.data(), value.data());
}

}  // namespace

MicroResult bench_attention(CpuDevice& device, KvType type, int32_t sequences, int32_t tokens, int32_t context) {
  const int32_t blocks_each = (context + kBlockSize - 1) / kBlockSize, rows = sequences * tokens;
  std::mt19937 generator(1);
  CpuKvCache cache(device.kernels(), type, std::vector<KvShape>(kLayers, {kKvHeads, kHeadDim}), sequences * blocks_each, kBlockSize);
  fill(cache, generator);
  std::vector<int32_t> blocks(static_cast<size_t>(sequences * blocks_each));
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<int32_t>(i);
  std::vector<SequenceSlice> slices;
  for (int32_t i = 0; i < sequences; ++i)
    slices.push_back({i * tokens, tokens, context - tokens, std::span(blocks).subspan(static_cast<size_t>(i * blocks_each), static_cast<size_t>(blocks_each))});
  AttentionWork work;
  work.plan({{}, slices, {}, {}}, kBlockSize, kHeads / kKvHeads);
  std::vector<float> q(static_cast<size_t>(rows * kHeads * kHeadDim), 0.125f), out(q.size());
  int32_t layer = 0;
  const double seconds = best_seconds([&] {
    layer = (layer + 1) % kLayers;
    work.run(device, {q.data(), kHeads * kHeadDim, out.data(), kHeads * kHeadDim, &cache, layer, kHeads, 0});
  });
  // A query at position p meets p + 1 keys: two products of head_dim for each.
  const double seen = tokens * (context - (tokens - 1) / 2.0) * sequences;
  const double bytes = static_cast<double>(cache.bytes_per_block()) / kLayers / kBlockSize * sequences * context;
  return {std::string("attention ") + (type == KvType::f32 ? "f32 " : "f16 ") + std::to_string(sequences) + " sequences x " + std::to_string(tokens) + " tokens, context " + std::to_string(context),
          seconds * 1e6, 4e-9 * seen * kHeads * kHeadDim / seconds, bytes * 1e-9 / seconds};
}

}  // namespace sgmv::bench
