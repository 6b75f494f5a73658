#include "ops/attention_cpu.h"

#include <algorithm>

namespace sgmv {
namespace {

constexpr int32_t kTokensMax = 8;             // of one item
constexpr int64_t kScoresMax = 64 * 1024;     // of one item where it can be helped: they should stay in cache

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

constexpr int64_t kBlocksAhead = 2;

void ask(const std::byte* data, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(data + at, 0, 3);
}

// Positions [first, last) a query at `position` sees.
int64_t first_visible(int64_t position, int64_t window, bool chunked) {
  if (window == 0) return 0;
  return chunked ? position - position % window : std::max<int64_t>(0, position + 1 - window);
}

}  // namespace

void AttentionWork::plan(const Batch& batch, int32_t block_size, int32_t heads_per_kv_max) {
  tiles_.clear();
  block_size_ = block_size;
  scratch_floats_ = 0;
  lone_tokens_ = std::all_of(batch.sequences.begin(), batch.sequences.end(), [](const SequenceSlice& s) { return s.token_count == 1; });
  const int64_t lanes = round_up(block_size, 16);
  for (const SequenceSlice& sequence : batch.sequences) {
    const int64_t end = sequence.position_begin + sequence.token_count;
    const int64_t row = (end + block_size - 1) / block_size * lanes;
    const auto most = static_cast<int32_t>(std::clamp<int64_t>(kScoresMax / (row * heads_per_kv_max), 1, kTokensMax));
    for (int32_t token = 0; token < sequence.token_count; token += most) {
      const int32_t count = std::min(most, sequence.token_count - token);
      tiles_.push_back({&sequence, token, count});
      scratch_floats_ = std::max(scratch_floats_, static_cast<size_t>(count * heads_per_kv_max * (row + 1)));
    }
  }
}

void AttentionWork::run(CpuDevice& device, const Layer& layer) const {
  const int64_t kv_heads = layer.cache->kv_heads(layer.layer);
  reserve(device);
  device.pool().parallel_for(static_cast<int64_t>(tiles_.size()) * kv_heads, [&](int64_t item, int worker) {
    // The longest sequences were planned first come, first served; heads of a tile stay neighbours for the cache.
    run_tile(device, layer, tiles_[static_cast<size_t>(item / kv_heads)], static_cast<int32_t>(item % kv_heads), device.scratch(worker));
  });
}

void AttentionWork::ask_ahead(const CpuKvCache& cache, int32_t layer, int32_t window, bool chunked, int64_t bytes_max, PrefetchList& list) const {
  if (!lone_tokens_ || tiles_.empty()) return;
  const int64_t block_bytes = cache.values(layer, 0, cache.kv_heads(layer)) - cache.values(layer, 0, 0);
  const int64_t blocks_max = bytes_max / (block_bytes * static_cast<int64_t>(tiles_.size()));
  for (const Tile& tile : tiles_) {
    const int64_t position = tile.sequence->position_begin, first = first_visible(position, window, chunked) / block_size_;
    for (int64_t block = first; block <= std::min(position / block_size_, first + blocks_max - 1); ++block)
      list.add(cache.keys(layer, tile.sequence->block_table[static_cast<size_t>(block)], 0), block_bytes);
  }
}

void AttentionWork::run_token(CpuDevice& device, const Layer& layer, int64_t token, int worker) const {
  // Slices cover the batch in order, so the tile of a lone token has its number.
  for (int32_t head = 0; head < layer.cache->kv_heads(layer.layer); ++head)
    run_tile(device, layer, tiles_[static_cast<size_t>(token)], head, device.scratch(worker));
}

// Scores of all the tile's queries, block by block, so that a block of keys is read once per tile. A query's scores
// lie in a row by position: block b begins at b · block_size when the block has no spare lanes to drop.
void AttentionWork::run_tile(CpuDevice& device, const Layer& layer, const Tile& tile, int32_t kv_head, float* scratch) const {
  const CpuKvCache& cache = *layer.cache;
  const Kernels& kernels = device.kernels();
  const int64_t dim = cache.head_dim(layer.layer), lanes = cache.lanes(), per_kv = layer.heads_per_kv();
  const int64_t position = tile.sequence->position_begin + tile.token;
  const int64_t end = position + tile.count;
  const int64_t stride = (end + block_size_ - 1) / block_size_ * lanes;
  const int64_t first_block = first_visible(position, layer.window, layer.chunked) / block_size_;
  const int64_t last_block = (end - 1) / block_size_;
  const size_t key_bytes = static_cast<size_t>(dim * lanes) * cache.number_bytes();
  const auto block_at = [&](int64_t block) { return tile.sequence->block_table[static_cast<size_t>(block)]; };
  for (int64_t block = first_block; block <= last_block; ++block) {
    if (block + kBlocksAhead <= last_block) ask(cache.keys(layer.layer, block_at(block + kBlocksAhead), kv_head), key_bytes);
    else if (block + kBlocksAhead - last_block + first_block - 1 <= last_block)
      ask(cache.values(layer.layer, block_at(block + kBlocksAhead - last_block + first_block - 1), kv_head), key_bytes);
    const std::byte* keys = cache.keys(layer.layer, tile.sequence->block_table[static_cast<size_t>(block)], kv_head);
    for (int32_t t = 0; t < tile.count; ++t) {
      if (block * block_size_ > position + t) continue;
      const float* q = layer.q + (tile.sequence->token_begin + tile.token + t) * layer.q_stride + kv_head * per_kv * dim;
      // Blocks are written in order: the spare lanes of one are overwritten by the next.
      kernels.attention_scores(q, dim, per_kv, keys, cache.type(), dim, lanes, scratch + t * per_kv * stride + block * block_size_, stride);
    }
  }
  weigh(device, layer, tile, kv_head, scratch, stride);
}

void AttentionWork::weigh(CpuDevice& device, const Layer& layer, const Tile& tile, int32_t kv_head, float* scratch, int64_t stride) const {
  const CpuKvCache& cache = *layer.cache;
  const Kernels& kernels = device.kernels();
  const int64_t dim = cache.head_dim(layer.layer);
  const int32_t per_kv = layer.heads_per_kv();
  const int64_t position = tile.sequence->position_begin + tile.token;
  float* sums = scratch + tile.count * per_kv * stride;
  for (int32_t t = 0; t < tile.count; ++t) {
    const int64_t first = first_visible(position + t, layer.window, layer.chunked), n = position + t + 1 - first;
    float* out = layer.out + (tile.sequence->token_begin + tile.token + t) * layer.out_stride + kv_head * per_kv * dim;
    std::fill_n(out, per_kv * dim, 0.0f);
    for (int32_t h = 0; h < per_kv; ++h) {
      float* scores = scratch + (t * per_kv + h) * stride + first;
      if (layer.softcap > 0) kernels.softcap(scores, layer.softcap, n);
      sums[t * per_kv + h] = kernels.softmax_numerators(scores, n, layer.sinks == nullptr ? kNoSink : layer.sinks[kv_head * per_kv + h]);
    }
  }
  for (int64_t block = first_visible(position, layer.window, layer.chunked) / block_size_; block * block_size_ < position + tile.count; ++block) {
    const int64_t next = block + kBlocksAhead;
    if (next * block_size_ < position + tile.count)
      ask(cache.values(layer.layer, tile.sequence->block_table[static_cast<size_t>(next)], kv_head), static_cast<size_t>(block_size_ * dim) * cache.number_bytes());
    const std::byte* values = cache.values(layer.layer, tile.sequence->block_table[static_cast<size_t>(block)], kv_head);
    for (int32_t t = 0; t < tile.count; ++t) {
      const int64_t begin = std::max(block * block_size_, first_visible(position + t, layer.window, layer.chunked));
      const int64_t end = std::min<int64_t>((block + 1) * block_size_, position + t + 1);
      if (begin >= end) continue;
      float* out = layer.out + (tile.sequence->token_begin + tile.token + t) * layer.out_stride + kv_head * per_kv * dim;
      kernels.attention_values(scratch + t * per_kv * stride + begin, stride, per_kv,
                               values + static_cast<size_t>((begin - block * block_size_) * dim) * cache.number_bytes(), cache.type(), end - begin, dim, out, dim);
    }
  }
  for (int32_t t = 0; t < tile.count; ++t)
    for (int32_t h = 0; h < per_kv; ++h) {
      float* out = layer.out + (tile.sequence->token_begin + tile.token + t) * layer.out_stride + (kv_head * per_kv + h) * dim;
      kernels.scale(out, 1.0f / sums[t * per_kv + h], dim);
    }
}

}  // namespace sgmv
