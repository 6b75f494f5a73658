// Owners of device memory and of page-locked host memory. Neither is initialized.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "cuda/check.h"

namespace sgmv::cuda {

template <typename T>
class DeviceArray {
 public:
  DeviceArray() = default;
  explicit DeviceArray(size_t size) : size_(size) {
    if (size > 0) check(cudaMalloc(&data_, size * sizeof(T)), "allocating device memory");
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(DeviceArray&& other) noexcept { *this = std::move(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  T* data() const { return data_; }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }
  // Keeps its place while it is large enough; otherwise what was in it is lost, after all work on the device is done.
  void reserve(size_t size) {
    if (size > size_) *this = DeviceArray(), *this = DeviceArray(size);
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

template <typename T>
class PinnedArray {
 public:
  PinnedArray() = default;
  explicit PinnedArray(size_t size) : size_(size) {
    if (size > 0) check(cudaMallocHost(&data_, size * sizeof(T)), "allocating page-locked memory");
  }
  ~PinnedArray() {
    if (data_ != nullptr) cudaFreeHost(data_);
  }
  PinnedArray(PinnedArray&& other) noexcept { *this = std::move(other); }
  PinnedArray& operator=(PinnedArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  T* data() const { return data_; }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }
  std::span<T> span() const { return {data_, size_}; }
  void reserve(size_t size) {
    if (size > size_) *this = PinnedArray(), *this = PinnedArray(size);
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sgmv::cuda
