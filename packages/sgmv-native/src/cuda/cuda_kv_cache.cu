#include "cuda/cuda_kv_cache.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <string>

#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

constexpr size_t kExtentBytes = size_t{16} << 20;  // at least: mapping one costs tens of microseconds

std::atomic<int64_t> caches_made{0};

}  // namespace

CudaKvCache::CudaKvCache(std::shared_ptr<Context> context, Number type, std::vector<KvShape> layers, int32_t block_count, int32_t block_size,
                         KvMemory memory, StateShape states)
    : context_(std::move(context)), id_(++caches_made), type_(type), layers_(std::move(layers)), block_count_(block_count), block_size_(block_size), extent_blocks_(block_count), states_(states) {
  if (block_count < 1) throw Error("bad_argument", "block_count: found " + std::to_string(block_count) + ", expected at least 1");
  if (block_size < 1 || block_size > 1024) throw Error("bad_argument", "block_size: found " + std::to_string(block_size) + ", expected 1 to 1024");
  int32_t heads_max = 1;
  for (const KvShape& shape : layers_) {
    begins_.push_back(bytes_per_block_);
    bytes_per_block_ += layer_block_bytes(shape);
    heads_max = std::max(heads_max, shape.heads);
  }
  context_->use();
  const bool alike = std::all_of(layers_.begin(), layers_.end(), [&](const KvShape& shape) { return shape == layers_[0]; });
  const size_t granularity = memory == KvMemory::extents && alike ? DeviceRange::granularity(context_->device()) : 0;
  if (granularity > 0) extent_blocks_ = blocks_of_an_extent(granularity);
  // Kernels count rows of keys and values in 32 bits.
  const int64_t extents = (int64_t{block_count} + extent_blocks_ - 1) / extent_blocks_;
  const int64_t places = granularity > 0 ? extents * extent_blocks_ * static_cast<int64_t>(layers_.size()) : block_count;
  if (places * block_size > INT32_MAX || places * block_size > UINT32_MAX / (2 * int64_t{heads_max}))
    throw Error("bad_argument", "block_count: found " + std::to_string(block_count) + ", expected fewer, so that keys and values can be counted in 32 bits");
  if (granularity > 0) {
    range_ = DeviceRange(context_->device(), static_cast<size_t>(places) * layer_block_bytes(layers_[0]));
  } else {
    whole_ = DeviceArray<std::byte>(static_cast<size_t>(block_count) * bytes_per_block());
  }
  data_ = granularity > 0 ? range_.data() : whole_.data();
  if (bytes_per_state() > 0 && states.count > 0) state_data_ = DeviceArray<float>(static_cast<size_t>(states.count) * static_cast<size_t>(slot_floats()));
}

// The fewest that fill pieces of the device's memory without a rest.
int32_t CudaKvCache::blocks_of_an_extent(size_t granularity) const {
  const size_t blocks = granularity / std::gcd(granularity, bytes_per_block());
  const size_t bytes = blocks * bytes_per_block();
  return static_cast<int32_t>(blocks * ((kExtentBytes + bytes - 1) / bytes));
}

void CudaKvCache::commit(int32_t extent) {
  if (range_.data() == nullptr) return;
  const size_t offset = static_cast<size_t>(extent) * extent_bytes();
  context_->use();
  try {
    range_.map(offset, extent_bytes());
  } catch (const Error& error) {
    if (std::string(error.code()) != "out_of_memory") throw;
    // What dropped adapters had may still be their pool's.
    context_->release_unused();
    range_.map(offset, extent_bytes());
  }
}

void CudaKvCache::decommit(int32_t extent) noexcept {
  if (range_.data() == nullptr) return;
  wait();
  range_.unmap(static_cast<size_t>(extent) * extent_bytes());
}

// A step under way may still write rows that are nobody's any more.
void CudaKvCache::wait() noexcept {
  try {
    context_->use();
    context_->compute.synchronize();
  } catch (...) {  // a device that failed runs nothing; whoever asks it for more is told
  }
}

void CudaKvCache::copy_block(int32_t from, int32_t to) {
  context_->use();
  // Layer by layer: layers are further apart than a copy of two dimensions allows (2 GiB).
  for (size_t i = 0; i < layers_.size(); ++i) {
    const size_t bytes = layer_block_bytes(layers_[i]);
    auto* const blocks = static_cast<std::byte*>(layer(static_cast<int32_t>(i)).data);
    check(cudaMemcpyAsync(blocks + static_cast<size_t>(place(to)) * bytes, blocks + static_cast<size_t>(place(from)) * bytes, bytes, cudaMemcpyDeviceToDevice, context_->compute),
          "copying a block of the key-value cache");
  }
}

void CudaKvCache::copy_state(int32_t from, int32_t to) {
  context_->use();
  check(cudaMemcpyAsync(states(0) + to * slot_floats(), states(0) + from * slot_floats(), bytes_per_state(), cudaMemcpyDeviceToDevice, context_->compute), "copying a state");
}

KvLayer CudaKvCache::layer(int32_t index) const {
  const KvShape& shape = layers_[static_cast<size_t>(index)];
  std::byte* data = data_ + begins_[static_cast<size_t>(index)] * static_cast<size_t>(extent_blocks_);
  return {type_, data, shape.heads, block_size_, shape.dim, shape.values_in_keys};
}

bool CudaKvCache::fits(const ModelConfig& config, Number type) const {
  return type_ == type && layers_ == config.kv_shapes() && (states_.count == 0 || bytes_per_state() == config.state_bytes());
}

}  // namespace sgmv::cuda
