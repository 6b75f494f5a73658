// Device memory that is allocated and freed in the order of a stream, without stopping the device. Whoever used it on
// another stream has waited for that before it is freed.
#pragma once

#include <memory>
#include <utility>

#include "cuda/context.h"

namespace sgmv::cuda {

template <typename T>
class StreamArray {
 public:
  StreamArray() = default;
  StreamArray(std::shared_ptr<Context> context, size_t size) : context_(std::move(context)), size_(size) {
    void* data = nullptr;
    if (size > 0) check(cudaMallocAsync(&data, size * sizeof(T), context_->copies), "allocating device memory");
    data_ = static_cast<T*>(data);
  }
  ~StreamArray() {
    if (data_ != nullptr) cudaFreeAsync(data_, context_->copies);
  }
  StreamArray(StreamArray&& other) noexcept { *this = std::move(other); }
  StreamArray& operator=(StreamArray&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  T* data() const { return data_; }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }

 private:
  std::shared_ptr<Context> context_;
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sgmv::cuda
