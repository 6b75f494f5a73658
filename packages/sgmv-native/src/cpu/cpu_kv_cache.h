// Keys and values in blocks of positions, a block's layers and heads one after another. A block of one layer and one
// key/value head holds its keys as [head_dim, lanes], so that a register holds one component of neighbouring positions,
// then its values as [block_size, head_dim]. `lanes` is block_size rounded up to whole registers; the extra lanes are
// never used. Where values are a part of keys, it holds keys only, as [block_size, head_dim]. Memory comes from the system when it is first written, and goes back to it by extents.
#pragma once

#include <algorithm>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "cpu/kernels.h"
#include "sgmv/model.h"

namespace sgmv {

class CpuKvCache : public KvCache {
 public:
  CpuKvCache(const Kernels& kernels, KvType type, std::vector<KvShape> layers, int32_t block_count, int32_t block_size, StateShape states = {});

  int32_t block_size() const override { return block_size_; }
  int32_t block_count() const override { return block_count_; }
  size_t bytes_per_block() const override { return static_cast<size_t>(block_numbers_) * number_bytes(); }

  int32_t extent_blocks() const override { return extent_blocks_; }
  void decommit(int32_t extent) noexcept override;
  void copy_block(int32_t from, int32_t to) override;
  int32_t state_count() const override { return states_.count; }
  size_t bytes_per_state() const override { return static_cast<size_t>(states_.layers * states_.floats) * sizeof(float); }
  void copy_state(int32_t from, int32_t to) override { std::copy_n(state(from, 0), states_.layers * states_.floats, state(to, 0)); }

  // Of a sequence in the layer that is number `layer` of those that have one.
  float* state(int32_t slot, int64_t layer) { return state_data_.data() + (slot * states_.layers + layer) * states_.floats; }
  const StateShape& states() const { return states_; }

  int64_t lanes() const { return lanes_; }
  const std::vector<KvShape>& layers() const { return layers_; }
  int64_t head_dim(int64_t layer) const { return layers_[static_cast<size_t>(layer)].dim; }
  int64_t kv_heads(int64_t layer) const { return layers_[static_cast<size_t>(layer)].heads; }
  bool values_in_keys(int64_t layer) const { return layers_[static_cast<size_t>(layer)].values_in_keys > 0; }
  int64_t value_dim(int64_t layer) const { return layers_[static_cast<size_t>(layer)].value_dim(); }
  KvType type() const { return type_; }
  const std::byte* keys(int64_t layer, int64_t block, int64_t kv_head) const {
    return data_.data() + static_cast<size_t>(block * block_numbers_ + begins_[static_cast<size_t>(layer)] + kv_head * unit(layer)) * number_bytes();
  }
  const std::byte* values(int64_t layer, int64_t block, int64_t kv_head) const {
    return keys(layer, block, kv_head) + (values_in_keys(layer) ? 0 : key_bytes(layer));
  }
  // Of a block's head.
  size_t key_bytes(int64_t layer) const { return static_cast<size_t>(head_dim(layer) * (values_in_keys(layer) ? block_size_ : lanes_)) * number_bytes(); }
  size_t head_bytes(int64_t layer) const { return static_cast<size_t>(unit(layer)) * number_bytes(); }
  size_t number_bytes() const { return type_ == KvType::f32 ? sizeof(float) : sizeof(uint16_t); }

  // `value`: not read where it is a part of the key.
  void store(int64_t layer, int64_t block, int64_t kv_head, int64_t position_in_block, const float* key, const float* value);

 private:
  int64_t unit(int64_t layer) const { return head_dim(layer) * (values_in_keys(layer) ? block_size_ : lanes_ + block_size_); }  // numbers of a block's head

  const Kernels& kernels_;
  KvType type_;
  std::vector<KvShape> layers_;
  std::vector<int64_t> begins_;  // where a layer begins in a block, in numbers
  int64_t lanes_, block_numbers_ = 0;
  int32_t block_count_, block_size_, extent_blocks_;
  StateShape states_;
  AlignedBuffer<std::byte> data_;
  AlignedBuffer<float> state_data_;
};

}  // namespace sgmv
