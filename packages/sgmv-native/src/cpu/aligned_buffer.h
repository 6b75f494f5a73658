// Memory for tensors: aligned to a cache line, and to huge pages when it is large, because weights are streamed once
// per step and small pages would cost a TLB miss every 4 KiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace sgmv {

void* allocate_aligned(size_t bytes);  // throws std::bad_alloc

template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t count) : data_(static_cast<T*>(allocate_aligned(count * sizeof(T)))), size_(count) {}
  ~AlignedBuffer() { std::free(data_); }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  // Room for `count` elements; the contents are lost when it grows.
  void reserve(size_t count) {
    if (count > size_) *this = AlignedBuffer(count);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sgmv
