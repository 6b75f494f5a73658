// Keys and values in blocks of positions. A block of one layer and one key/value head holds its keys as
// [head_dim, lanes], so that a register holds one component of neighbouring positions, then its values as
// [block_size, head_dim]. `lanes` is block_size rounded up to whole registers; the extra lanes are never used.
#pragma once

#include "cpu/aligned_buffer.h"
#include "sgmv/model.h"

namespace sgmv {

class CpuKvCache : public KvCache {
 public:
  CpuKvCache(int32_t layers, int32_t kv_heads, int32_t head_dim, int32_t block_count, int32_t block_size);

  int32_t block_size() const override { return block_size_; }
  int32_t block_count() const override { return block_count_; }
  size_t bytes_per_block() const override { return static_cast<size_t>(layers_ * kv_heads_ * unit_) * sizeof(float); }

  int64_t lanes() const { return lanes_; }
  int64_t head_dim() const { return head_dim_; }
  int64_t kv_heads() const { return kv_heads_; }
  int64_t layers() const { return layers_; }
  float* keys(int64_t layer, int64_t block, int64_t kv_head) {
    return data_.data() + ((layer * block_count_ + block) * kv_heads_ + kv_head) * unit_;
  }
  const float* keys(int64_t layer, int64_t block, int64_t kv_head) const {
    return data_.data() + ((layer * block_count_ + block) * kv_heads_ + kv_head) * unit_;
  }
  float* values(int64_t layer, int64_t block, int64_t kv_head) { return keys(layer, block, kv_head) + head_dim_ * lanes_; }
  const float* values(int64_t layer, int64_t block, int64_t kv_head) const { return keys(layer, block, kv_head) + head_dim_ * lanes_; }

  void store(int64_t layer, int64_t block, int64_t kv_head, int64_t position_in_block, const float* key, const float* value);

 private:
  int64_t layers_, kv_heads_, head_dim_, lanes_, unit_;
  int32_t block_count_, block_size_;
  AlignedBuffer<float> data_;
};

}  // namespace sgmv
