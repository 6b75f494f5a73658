// Keys and values in blocks of positions. Within an extent they lie layer by layer, as attention wants them
// (ops/attention_cuda.h): [extents, layers, extent_blocks, kv_heads, 2, block_size, head_dim], or without the 2. So a block has one place,
// counted in blocks of one layer, that finds it behind the beginning of every layer. What was never written is whatever
// the memory holds.
#pragma once

#include <memory>
#include <vector>

#include "cuda/context.h"
#include "cuda/device_range.h"
#include "cuda/memory.h"
#include "ops/attention_cuda.h"
#include "sgmv/model.h"

namespace sgmv::cuda {

class CudaKvCache : public KvCache {
 public:
  // Layers of several shapes are not parted into extents: KvMemory::extents is as KvMemory::whole.
  CudaKvCache(std::shared_ptr<Context> context, Number type, std::vector<KvShape> layers, int32_t block_count, int32_t block_size,
              KvMemory memory = KvMemory::whole, StateShape states = {});

  ~CudaKvCache() override { wait(); }

  int32_t block_size() const override { return block_size_; }
  int32_t block_count() const override { return block_count_; }
  size_t bytes_per_block() const override { return bytes_per_block_; }
  int32_t extent_blocks() const override { return extent_blocks_; }
  void commit(int32_t extent) override;
  void decommit(int32_t extent) noexcept override;
  void copy_block(int32_t from, int32_t to) override;  // in the order of the compute stream

  int32_t state_count() const override { return states_.count; }
  size_t bytes_per_state() const override { return static_cast<size_t>(slot_floats()) * sizeof(float); }
  void copy_state(int32_t from, int32_t to) override;  // in the order of the compute stream
  // Slots of all layers lie one after the other; where layer number `index` of those with states is in the first.
  float* states(int32_t index) const { return state_data_.data() + index * states_.floats; }
  int64_t slot_floats() const { return states_.layers * states_.floats; }

  KvLayer layer(int32_t index) const;
  // Where block `block` lies in layer().
  int32_t place(int32_t block) const { return block / extent_blocks_ * static_cast<int32_t>(layers_.size()) * extent_blocks_ + block % extent_blocks_; }
  int64_t id() const { return id_; }  // no other cache of this process has it
  bool fits(const ModelConfig& config, Number type) const;

 private:
  size_t layer_block_bytes(const KvShape& shape) const { return static_cast<size_t>(shape.heads * (shape.values_in_keys > 0 ? 1 : 2)) * static_cast<size_t>(block_size_ * padded(shape.dim)) * number_bytes(type_); }
  int32_t blocks_of_an_extent(size_t granularity) const;
  void wait() noexcept;

  std::shared_ptr<Context> context_;
  const int64_t id_;
  Number type_;
  std::vector<KvShape> layers_;
  std::vector<size_t> begins_;  // of a block's bytes, where a layer's begin
  int32_t block_count_, block_size_, extent_blocks_;
  size_t bytes_per_block_ = 0;
  DeviceArray<std::byte> whole_;  // all of it in one extent, or
  DeviceRange range_;             // extents that come and go
  std::byte* data_;               // of either
  StateShape states_;
  DeviceArray<float> state_data_;
};

}  // namespace sgmv::cuda
