// Causal attention over a paged cache. Each query walks the positions it may see from the first to its own, in the
// cache's blocks; which other queries share its item changes nothing in that walk.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/cpu_device.h"
#include "cpu/cpu_kv_cache.h"
#include "sgmv/model.h"

namespace sgmv {

class AttentionWork {
 public:
  // Cuts the batch into items; the same for all layers of a forward pass, of which none has more heads per head of keys. Where values are
  // in keys, an item has a part of those heads.
  void plan(const Batch& batch, int32_t block_size, int32_t heads_per_kv_max, bool values_in_keys = false);

  struct Layer {
    const float* q = nullptr;  // [tokens, heads · head_dim]: rotated and scaled
    int64_t q_stride = 0;
    float* out = nullptr;      // [tokens, heads, value_dim], rows of heads `head_stride` apart
    int64_t out_stride = 0, head_stride = 0;
    const CpuKvCache* cache = nullptr;
    int32_t layer = 0;
    int32_t heads = 0;
    int32_t window = 0;        // positions a query sees, its own included; 0: all
    float softcap = 0.0f;      // of scores; 0: none
    const float* sinks = nullptr;  // [heads]: a score that the softmax counts and that has no value; null: none
    bool chunked = false;          // a query sees the positions of its own chunk of `window`
    int32_t heads_per_kv() const { return heads / static_cast<int32_t>(cache->kv_heads(layer)); }
  };
  void run(CpuDevice& device, const Layer& layer) const;

  // Whether every sequence has one new token. Then all heads of one can be computed as part of another loop over
  // tokens, after reserve() and its own key and value are stored.
  bool lone_tokens() const { return lone_tokens_; }
  void reserve(CpuDevice& device) const { device.reserve_scratch(scratch_floats_); }
  // Keys and values that a loop over lone tokens will read, as far as they fit into `bytes_max`; none if there are others.
  void ask_ahead(const CpuKvCache& cache, int32_t layer, int32_t window, bool chunked, int64_t bytes_max, PrefetchList& list) const;
  void run_token(CpuDevice& device, const Layer& layer, int64_t token, int worker) const;

 private:
  struct Tile {
    const SequenceSlice* sequence;
    int32_t token;  // first, within the slice
    int32_t count;
  };
  // Query heads that share a head of keys, all of them or some.
  struct Group {
    int32_t kv_head;
    int32_t first, count;  // among all heads
  };
  static int32_t parts_of(const Layer& layer, int64_t items, int64_t items_wanted);
  static Group group_of(const Layer& layer, int32_t kv_head, int32_t part, int32_t parts);
  void run_tile(CpuDevice& device, const Layer& layer, const Tile& tile, const Group& group, float* scratch) const;
  void weigh(CpuDevice& device, const Layer& layer, const Tile& tile, const Group& group, float* scratch, int64_t stride) const;

  std::vector<Tile> tiles_;
  int32_t block_size_ = 1;
  size_t scratch_floats_ = 0;
  bool lone_tokens_ = false;
};

}  // namespace sgmv
