#include "ops/attention_cpu.h"

#include <algorithm>

namespace sgmv {
namespace {

constexpr int32_t kTokensMax = 8;             // of one item
constexpr int32_t kHeadsMax = 16, kHeadsLeast = 4;  // of one item where values are in keys: at most, and what it should have where heads are parted to keep threads busy
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

void AttentionWork::plan(const Batch& batch, int32_t block_size, int32_t heads_per_kv_max, bool values_in_keys) {
  tiles_.clear();
  block_size_ = block_size;
  scratch_floats_ = 0;
  lone_tokens_ = std::all_of(batch.sequences.begin(), batch.sequences.end(), [](const SequenceSlice& s) { return s.token_count == 1; });
  const int64_t lanes = round_up(block_size, 16);
  const int32_t heads = values_in_keys ? std::min(heads_per_kv_max, kHeadsMax) : heads_per_kv_max;
  for (const SequenceSlice& sequence : batch.sequences) {
    const int64_t end = sequence.position_begin + sequence.token_count;
    const int64_t row = (end + block_size - 1) / block_size * lanes;
    const auto most = static_cast<int32_t>(std::clamp<int64_t>(kScoresMax / (row * heads), 1, kTokensMax));
    for (int32_t token = 0; token < sequence.token_count; token += most) {
      const int32_t count = std::min(most, sequence.token_count - token);
      tiles_.push_back({&sequence, token, count});
      scratch_floats_ = std::max(scratch_floats_, static_cast<size_t>(count * heads * (row + 1)));
    }
  }
}

void AttentionWork::run(CpuDevice& device, const Layer& layer) const {
  const int64_t kv_heads = layer.cache->kv_heads(layer.layer), items = static_cast<int64_t>(tiles_.size()) * kv_heads;
  const int32_t parts = parts_of(layer, items, 2 * device.threads());
  reserve(device);
  device.pool().parallel_for(items * parts, [&](int64_t item, int worker) {
    // The longest sequences were planned first come, first served; heads of a tile stay neighbours for the cache.
    const int64_t head = item / parts;
    run_tile(device, layer, tiles_[static_cast<size_t>(head / kv_heads)], group_of(layer, static_cast<int32_t>(head % kv_heads), static_cast<int32_t>(item % parts), parts), device.scratch(worker));
  });
}

// Into how many parts the heads that share a head of keys are cut, if there are so many items without. attention_dots() gives a query
// the same bits beside any others; attention_scores() does not, as it sums in fewer parts the more they are.
int32_t AttentionWork::parts_of(const Layer& layer, int64_t items, int64_t items_wanted) {
  if (!layer.cache->values_in_keys(layer.layer)) return 1;
  const int32_t heads = layer.heads_per_kv(), least = (heads + kHeadsMax - 1) / kHeadsMax, most = std::max(least, heads / kHeadsLeast);
  return static_cast<int32_t>(std::clamp<int64_t>((items_wanted + items - 1) / std::max<int64_t>(items, 1), least, most));
}

AttentionWork::Group AttentionWork::group_of(const Layer& layer, int32_t kv_head, int32_t part, int32_t parts) {
  const int32_t heads = layer.heads_per_kv(), first = heads * part / parts;
  return {kv_head, kv_head * heads + first, heads * (part + 1) / parts - first};
}

void AttentionWork::ask_ahead(const CpuKvCache& cache, int32_t layer, int32_t window, bool chunked, int64_t bytes_max, PrefetchList& list) const {
  if (!lone_tokens_ || tiles_.empty()) return;
  const auto block_bytes = static_cast<int64_t>(cache.head_bytes(layer)) * cache.kv_heads(layer);
  const int64_t blocks_max = bytes_max / (block_bytes * static_cast<int64_t>(tiles_.size()));
  for (const Tile& tile : tiles_) {
    const int64_t position = tile.sequence->position_begin, first = first_visible(position, window, chunked) / block_size_;
    for (int64_t block = first; block <= std::min(position / block_size_, first + blocks_max - 1); ++block)
      list.add(cache.keys(layer, tile.sequence->block_table[static_cast<size_t>(block)], 0), block_bytes);
  }
}

void AttentionWork::run_token(CpuDevice& device, const Layer& layer, int64_t token, int worker) const {
  // Slices cover the batch in order, so the tile of a lone token has its number.
  const int32_t parts = parts_of(layer, 1, 1);
  for (int32_t head = 0; head < layer.cache->kv_heads(layer.layer); ++head)
    for (int32_t part = 0; part < parts; ++part) run_tile(device, layer, tiles_[static_cast<size_t>(token)], group_of(layer, head, part, parts), device.scratch(worker));
}

// Scores of all the tile's queries, block by block, so that a block of keys is read once per tile. A query's scores
// lie in a row by position: block b begins at b · block_size when the block has no spare lanes to drop.
void AttentionWork::run_tile(CpuDevice& device, const Layer& layer, const Tile& tile, const Group& group, float* scratch) const {
  const CpuKvCache& cache = *layer.cache;
  const Kernels& kernels = device.kernels();
  const int64_t dim = cache.head_dim(layer.layer), lanes = cache.lanes();
  const bool values_in_keys = cache.values_in_keys(layer.layer);
  const int64_t position = tile.sequence->position_begin + tile.token;
  const int64_t end = position + tile.count;
  const int64_t stride = (end + block_size_ - 1) / block_size_ * lanes;
  const int64_t first_block = first_visible(position, layer.window, layer.chunked) / block_size_;
  const int64_t last_block = (end - 1) / block_size_;
  const size_t key_bytes = cache.key_bytes(layer.layer);
  const auto block_at = [&](int64_t block) { return tile.sequence->block_table[static_cast<size_t>(block)]; };
  for (int64_t block = first_block; block <= last_block; ++block) {
    if (block + kBlocksAhead <= last_block) ask(cache.keys(layer.layer, block_at(block + kBlocksAhead), group.kv_head), key_bytes);
    else if (!values_in_keys && block + kBlocksAhead - last_block + first_block - 1 <= last_block)
      ask(cache.values(layer.layer, block_at(block + kBlocksAhead - last_block + first_block - 1), group.kv_head), key_bytes);
    const std::byte* keys = cache.keys(layer.layer, block_at(block), group.kv_head);
    for (int32_t t = 0; t < tile.count; ++t) {
      if (block * block_size_ > position + t) continue;
      const float* q = layer.q + (tile.sequence->token_begin + tile.token + t) * layer.q_stride + group.first * dim;
      float* scores = scratch + t * group.count * stride + block * block_size_;
      // Blocks are written in order: the spare lanes of one are overwritten by the next.
      if (!values_in_keys) kernels.attention_scores(q, dim, group.count, keys, cache.type(), dim, lanes, scores, stride);
      else kernels.attention_dots(q, dim, group.count, keys, cache.type(), dim, std::min<int64_t>(block_size_, position + t + 1 - block * block_size_), scores, stride);
    }
  }
  weigh(device, layer, tile, group, scratch, stride);
}

void AttentionWork::weigh(CpuDevice& device, const Layer& layer, const Tile& tile, const Group& group, float* scratch, int64_t stride) const {
  const CpuKvCache& cache = *layer.cache;
  const Kernels& kernels = device.kernels();
  const int64_t dim = cache.value_dim(layer.layer), values_stride = cache.head_dim(layer.layer);
  const int32_t heads = group.count;
  const auto out_of = [&](int32_t token, int32_t head) { return layer.out + (tile.sequence->token_begin + tile.token + token) * layer.out_stride + (group.first + head) * layer.head_stride; };
  const int64_t position = tile.sequence->position_begin + tile.token;
  float* sums = scratch + tile.count * heads * stride;
  for (int32_t t = 0; t < tile.count; ++t) {
    const int64_t first = first_visible(position + t, layer.window, layer.chunked), n = position + t + 1 - first;
    for (int32_t h = 0; h < heads; ++h) {
      std::fill_n(out_of(t, h), dim, 0.0f);
      float* scores = scratch + (t * heads + h) * stride + first;
      if (layer.softcap > 0) kernels.softcap(scores, layer.softcap, n);
      sums[t * heads + h] = kernels.softmax_numerators(scores, n, layer.sinks == nullptr ? kNoSink : layer.sinks[group.first + h]);
    }
  }
  for (int64_t block = first_visible(position, layer.window, layer.chunked) / block_size_; block * block_size_ < position + tile.count; ++block) {
    const int64_t next = block + kBlocksAhead;
    if (next * block_size_ < position + tile.count && !cache.values_in_keys(layer.layer))
      ask(cache.values(layer.layer, tile.sequence->block_table[static_cast<size_t>(next)], group.kv_head), static_cast<size_t>(block_size_ * dim) * cache.number_bytes());
    const std::byte* values = cache.values(layer.layer, tile.sequence->block_table[static_cast<size_t>(block)], group.kv_head);
    for (int32_t t = 0; t < tile.count; ++t) {
      const int64_t begin = std::max(block * block_size_, first_visible(position + t, layer.window, layer.chunked));
      const int64_t end = std::min<int64_t>((block + 1) * block_size_, position + t + 1);
      if (begin >= end) continue;
      kernels.attention_values(scratch + t * heads * stride + begin, stride, heads, values + static_cast<size_t>((begin - block * block_size_) * values_stride) * cache.number_bytes(),
                               cache.type(), values_stride, end - begin, dim, out_of(t, 0), layer.head_stride);
    }
  }
  for (int32_t t = 0; t < tile.count; ++t)
    for (int32_t h = 0; h < heads; ++h) kernels.scale(out_of(t, h), 1.0f / sums[t * heads + h], dim);
}

}  // namespace sgmv
