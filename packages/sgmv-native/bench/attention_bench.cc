#include "attention_bench.h"

#include <random>

#include "best_seconds.h"
#include "ops/attention_cpu.h"

namespace sgmv::bench {
namespace {

constexpr int32_t kBlockSize = 16;
constexpr int32_t kLayers = 30;  // used in turn, as a step does, so that no cache holds them between two calls

void fill(CpuKvCache& cache, const KvShape& shape, std::mt19937& generator) {
  std::normal_distribution<float> normal;
  std::vector<float> key(static_cast<size_t>(shape.dim)), value(key.size());
  std::generate(key.begin(), key.end(), [&] { return normal(generator); });
  std::generate(value.begin(), value.end(), [&] { return normal(generator); });
  for (int64_t layer = 0; layer < kLayers; ++layer)
    for (int64_t block = 0; block < cache.block_count(); ++block)
      for (int64_t head = 0; head < shape.heads; ++head)
        for (int64_t at = 0; at < kBlockSize; ++at) cache.store(layer, block, head, at, key.data(), value.data());
}

}  // namespace

MicroResult bench_attention(CpuDevice& device, const AttentionShape& shape, KvType type, int32_t sequences, int32_t tokens, int32_t context) {
  const int32_t blocks_each = (context + kBlockSize - 1) / kBlockSize, rows = sequences * tokens;
  std::mt19937 generator(1);
  CpuKvCache cache(device.kernels(), type, std::vector<KvShape>(kLayers, shape.kv), sequences * blocks_each, kBlockSize);
  fill(cache, shape.kv, generator);
  std::vector<int32_t> blocks(static_cast<size_t>(sequences * blocks_each));
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<int32_t>(i);
  std::vector<SequenceSlice> slices;
  for (int32_t i = 0; i < sequences; ++i)
    slices.push_back({i * tokens, tokens, context - tokens, std::span(blocks).subspan(static_cast<size_t>(i * blocks_each), static_cast<size_t>(blocks_each))});
  AttentionWork work;
  work.plan({{}, slices, {}, {}}, kBlockSize, shape.heads / shape.kv.heads, shape.kv.values_in_keys > 0);
  const int32_t q_width = shape.heads * shape.kv.dim, out_width = shape.heads * shape.kv.value_dim();
  std::vector<float> q(static_cast<size_t>(rows * q_width), 0.125f), out(static_cast<size_t>(rows * out_width));
  int32_t layer = 0;
  const double seconds = best_seconds([&] {
    layer = (layer + 1) % kLayers;
    work.run(device, {q.data(), q_width, out.data(), out_width, shape.kv.value_dim(), &cache, layer, shape.heads, 0});
  });
  // A query at position p meets p + 1 keys: a product of head_dim and one of value_dim for each.
  const double seen = tokens * (context - (tokens - 1) / 2.0) * sequences;
  const double bytes = static_cast<double>(cache.bytes_per_block()) / kLayers / kBlockSize * sequences * context;
  return {std::string("attention ") + shape.name + (type == KvType::f32 ? "f32 " : "f16 ") + std::to_string(sequences) + " sequences x " + std::to_string(tokens) + " tokens, context " + std::to_string(context),
          seconds * 1e6, 2e-9 * seen * (q_width + out_width) / seconds, bytes * 1e-9 / seconds};
}

}  // namespace sgmv::bench
