// Keys and values in blocks of positions, layer by layer as attention wants them (ops/attention_cuda.h). What was never
// written is whatever the memory holds.
#pragma once

#include <memory>

#include "cuda/context.h"
#include "cuda/memory.h"
#include "ops/attention_cuda.h"
#include "sgmv/model.h"

namespace sgmv::cuda {

class CudaKvCache : public KvCache {
 public:
  CudaKvCache(std::shared_ptr<Context> context, Number type, int32_t layers, int32_t kv_heads, int32_t head_dim, int32_t block_count,
              int32_t block_size);

  int32_t block_size() const override { return block_size_; }
  int32_t block_count() const override { return block_count_; }
  size_t bytes_per_block() const override { return static_cast<size_t>(layers_) * layer_block_bytes_; }
  void copy_block(int32_t from, int32_t to) override;  // in the order of the compute stream

  KvLayer layer(int32_t index) const;
  int64_t id() const { return id_; }  // no other cache of this process has it
  bool fits(const ModelConfig& config, Number type) const;

 private:
  std::shared_ptr<Context> context_;
  const int64_t id_;
  Number type_;
  int32_t layers_, kv_heads_, head_dim_, block_count_, block_size_;
  size_t layer_block_bytes_;  // of one block of one layer
  DeviceArray<std::byte> data_;
};

}  // namespace sgmv::cuda
