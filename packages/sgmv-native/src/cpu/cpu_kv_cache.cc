#include "cpu/cpu_kv_cache.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "sgmv/error.h"

namespace sgmv {
namespace {

constexpr int64_t kLaneGroup = 16;  // the widest register in floats
constexpr int64_t kHeadDimMax = 1024;  // check_model_config
constexpr size_t kExtentBytes = size_t{2} << 20;  // at least: a huge page, which smaller ones would break up

}  // namespace

CpuKvCache::CpuKvCache(const Kernels& kernels, KvType type, std::vector<KvShape> layers, int32_t block_count, int32_t block_size, StateShape states)
    : kernels_(kernels), type_(type), layers_(std::move(layers)), block_count_(block_count), block_size_(block_size), states_(states) {
  if (block_count < 1) throw Error("bad_argument", "block_count: found " + std::to_string(block_count) + ", expected at least 1");
  if (block_size < 1 || block_size > 1024)
    throw Error("bad_argument", "block_size: found " + std::to_string(block_size) + ", expected 1 to 1024");
  lanes_ = (block_size + kLaneGroup - 1) / kLaneGroup * kLaneGroup;
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    begins_.push_back(block_numbers_);
    block_numbers_ += layers_[layer].heads * unit(static_cast<int64_t>(layer));
  }
  size_t count = static_cast<size_t>(block_numbers_);
  if (__builtin_mul_overflow(count, static_cast<size_t>(block_count), &count) || count > SIZE_MAX / sizeof(float)) throw std::bad_alloc();
  data_ = AlignedBuffer<std::byte>(count * number_bytes());
  size_t floats = static_cast<size_t>(states.layers * states.floats);
  if (__builtin_mul_overflow(floats, static_cast<size_t>(states.count), &floats) || floats > SIZE_MAX / sizeof(float)) throw std::bad_alloc();
  if (floats > 0) state_data_ = AlignedBuffer<float>(floats);
  const size_t blocks = (kExtentBytes + bytes_per_block() - 1) / bytes_per_block();
  extent_blocks_ = static_cast<int32_t>(std::min(blocks, static_cast<size_t>(block_count)));
}

namespace {

template <typename Number>
void place(const Number* key, const Number* value, int64_t dim, int64_t lanes, Number* keys, Number* values) {
  for (int64_t d = 0; d < dim; ++d) keys[d * lanes] = key[d];
  std::copy_n(value, dim, values);
}

}  // namespace

void CpuKvCache::copy_block(int32_t from, int32_t to) {
  std::copy_n(keys(0, from, 0), bytes_per_block(), data_.data() + (keys(0, to, 0) - data_.data()));
}

// The pages that hold nothing else.
void CpuKvCache::decommit(int32_t extent) noexcept {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto data = reinterpret_cast<uintptr_t>(data_.data());
  const size_t first = static_cast<size_t>(extent) * static_cast<size_t>(extent_blocks_);
  const size_t last = std::min(first + static_cast<size_t>(extent_blocks_), static_cast<size_t>(block_count_));
  const uintptr_t begin = (data + first * bytes_per_block() + page - 1) / page * page;
  const uintptr_t end = (data + last * bytes_per_block()) / page * page;
  // A hint: where it fails, the memory stays until the cache goes.
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void CpuKvCache::store(int64_t layer, int64_t block, int64_t kv_head, int64_t position_in_block, const float* key, const float* value) {
  std::byte* k = data_.data() + (keys(layer, block, kv_head) - data_.data());
  std::byte* v = data_.data() + (values(layer, block, kv_head) - data_.data());
  const int64_t dim = head_dim(layer);
  if (values_in_keys(layer)) {
    if (type_ == KvType::f32) std::copy_n(key, dim, reinterpret_cast<float*>(k) + position_in_block * dim);
    else kernels_.narrow_f16(key, dim, reinterpret_cast<uint16_t*>(k) + position_in_block * dim);
    return;
  }
  if (type_ == KvType::f32) {
    place(key, value, dim, lanes_, reinterpret_cast<float*>(k) + position_in_block, reinterpret_cast<float*>(v) + position_in_block * dim);
    return;
  }
  std::array<uint16_t, 2 * kHeadDimMax> narrow;
  kernels_.narrow_f16(key, dim, narrow.data());
  kernels_.narrow_f16(value, dim, narrow.data() + kHeadDimMax);
  place(narrow.data(), narrow.data() + kHeadDimMax, dim, lanes_, reinterpret_cast<uint16_t*>(k) + position_in_block, reinterpret_cast<uint16_t*>(v) + position_in_block * dim);
}

}  // namespace sgmv
