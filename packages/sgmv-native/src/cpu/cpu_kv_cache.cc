#include "cpu/cpu_kv_cache.h"

#include <algorithm>
#include <string>

#include "sgmv/error.h"

namespace sgmv {
namespace {

constexpr int64_t kLaneGroup = 16;  // the widest register in floats

}  // namespace

CpuKvCache::CpuKvCache(int32_t layers, int32_t kv_heads, int32_t head_dim, int32_t block_count, int32_t block_size)
    : layers_(layers), kv_heads_(kv_heads), head_dim_(head_dim), block_count_(block_count), block_size_(block_size) {
  if (block_count < 1) throw Error("bad_argument", "block_count: found " + std::to_string(block_count) + ", expected at least 1");
  if (block_size < 1 || block_size > 1024)
    throw Error("bad_argument", "block_size: found " + std::to_string(block_size) + ", expected 1 to 1024");
  lanes_ = (block_size + kLaneGroup - 1) / kLaneGroup * kLaneGroup;
  unit_ = head_dim_ * (lanes_ + block_size_);
  size_t count = static_cast<size_t>(layers_ * kv_heads_ * unit_);
  if (__builtin_mul_overflow(count, static_cast<size_t>(block_count), &count) || count > SIZE_MAX / sizeof(float)) throw std::bad_alloc();
  data_ = AlignedBuffer<float>(count);
}

void CpuKvCache::store(int64_t layer, int64_t block, int64_t kv_head, int64_t position_in_block, const float* key, const float* value) {
  float* k = keys(layer, block, kv_head) + position_in_block;
  for (int64_t d = 0; d < head_dim_; ++d) k[d * lanes_] = key[d];
  std::copy_n(value, head_dim_, values(layer, block, kv_head) + position_in_block * head_dim_);
}

}  // namespace sgmv
