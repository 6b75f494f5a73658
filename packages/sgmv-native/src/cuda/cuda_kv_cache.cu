#include "cuda/cuda_kv_cache.h"

#include <atomic>
#include <string>

#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

std::atomic<int64_t> caches_made{0};

}  // namespace

CudaKvCache::CudaKvCache(std::shared_ptr<Context> context, Number type, int32_t layers, int32_t kv_heads, int32_t head_dim, int32_t block_count,
                         int32_t block_size)
    : context_(std::move(context)), id_(++caches_made), type_(type), layers_(layers), kv_heads_(kv_heads), head_dim_(head_dim), block_count_(block_count), block_size_(block_size) {
  if (block_count < 1) throw Error("bad_argument", "block_count: found " + std::to_string(block_count) + ", expected at least 1");
  if (block_size < 1 || block_size > 1024) throw Error("bad_argument", "block_size: found " + std::to_string(block_size) + ", expected 1 to 1024");
  if (int64_t{block_count} * block_size > INT32_MAX)
    throw Error("bad_argument", "block_count: found " + std::to_string(block_count) + ", expected at most 2^31 positions in all");
  layer_block_bytes_ = static_cast<size_t>(kv_heads) * 2 * static_cast<size_t>(block_size * padded(head_dim)) * number_bytes(type);
  size_t bytes = bytes_per_block();
  if (__builtin_mul_overflow(bytes, static_cast<size_t>(block_count), &bytes)) throw Error("out_of_memory", "a key-value cache of more bytes than can be counted");
  context_->use();
  data_ = DeviceArray<std::byte>(bytes);
}

void CudaKvCache::copy_block(int32_t from, int32_t to) {
  context_->use();
  // Layer by layer: layers are further apart than a copy of two dimensions allows (2 GiB).
  for (int32_t i = 0; i < layers_; ++i) {
    auto* const blocks = static_cast<std::byte*>(layer(i).data);
    check(cudaMemcpyAsync(blocks + static_cast<size_t>(to) * layer_block_bytes_, blocks + static_cast<size_t>(from) * layer_block_bytes_, layer_block_bytes_,
                          cudaMemcpyDeviceToDevice, context_->compute),
          "copying a block of the key-value cache");
  }
}

KvLayer CudaKvCache::layer(int32_t index) const {
  std::byte* data = data_.data() + static_cast<size_t>(index) * layer_block_bytes_ * static_cast<size_t>(block_count_);
  return {type_, data, kv_heads_, block_size_, head_dim_};
}

bool CudaKvCache::fits(const ModelConfig& config, Number type) const {
  return type_ == type && layers_ == config.layers && kv_heads_ == config.kv_heads && head_dim_ == config.head_dim;
}

}  // namespace sgmv::cuda
