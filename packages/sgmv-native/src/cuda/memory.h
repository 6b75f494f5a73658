// Owners of device memory and of page-locked host memory. None is initialized.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "cuda/check.h"

namespace sgmv::cuda {

// An array in memory that `Memory` allocates and frees.
template <typename T, typename Memory>
class OwnedArray {
 public:
  OwnedArray() = default;
  explicit OwnedArray(size_t size, Memory memory = {}) : memory_(std::move(memory)), size_(size) {
    if (size > 0) data_ = static_cast<T*>(memory_.allocate(size * sizeof(T)));
  }
  ~OwnedArray() {
    if (data_ != nullptr) memory_.free(data_);
  }
  OwnedArray(OwnedArray&& other) noexcept { *this = std::move(other); }
  OwnedArray& operator=(OwnedArray&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  T* data() const { return data_; }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }
  // Keeps its place while it is large enough. True: it has moved, and what was in it is lost, once all work on the device
  // was done.
  bool reserve(size_t size) {
    if (size <= size_) return false;
    Memory memory = memory_;
    *this = OwnedArray();  // the old array goes first: there may not be room for both
    *this = OwnedArray(size, std::move(memory));
    return true;
  }

 private:
  Memory memory_;
  T* data_ = nullptr;
  size_t size_ = 0;
};

struct DeviceMemory {
  void* allocate(size_t bytes) const {
    void* data = nullptr;
    check(cudaMalloc(&data, bytes), "allocating device memory");
    return data;
  }
  void free(void* data) const { cudaFree(data); }
};

struct PinnedMemory {
  void* allocate(size_t bytes) const {
    void* data = nullptr;
    check(cudaMallocHost(&data, bytes), "allocating page-locked memory");
    return data;
  }
  void free(void* data) const { cudaFreeHost(data); }
};

template <typename T>
using DeviceArray = OwnedArray<T, DeviceMemory>;
template <typename T>
using PinnedArray = OwnedArray<T, PinnedMemory>;

template <typename T>
DeviceArray<T> uploaded(const std::vector<T>& values) {
  DeviceArray<T> array(values.size());
  if (values.empty()) return array;
  check(cudaMemcpy(array.data(), values.data(), array.bytes(), cudaMemcpyHostToDevice), "copying to the device");
  check(cudaStreamSynchronize(nullptr), "copying to the device");  // other streams do not wait for what the copy leaves behind
  return array;
}

template <typename T>
std::vector<T> downloaded(const DeviceArray<T>& array) {
  std::vector<T> values(array.size());
  if (!values.empty()) check(cudaMemcpy(values.data(), array.data(), array.bytes(), cudaMemcpyDeviceToHost), "copying from the device");
  return values;
}

}  // namespace sgmv::cuda
