// Device memory that is allocated and freed in the order of the stream of copies, without stopping the device. Whoever
// used it on another stream has waited for that before it is freed.
#pragma once

#include <memory>

#include "cuda/context.h"
#include "cuda/memory.h"

namespace sgmv::cuda {

struct StreamMemory {
  std::shared_ptr<Context> context;

  void* allocate(size_t bytes) const {
    void* data = nullptr;
    check(cudaMallocAsync(&data, bytes, context->copies), "allocating device memory");
    return data;
  }
  void free(void* data) const {
    if (cudaSetDevice(context->device()) == cudaSuccess) cudaFreeAsync(data, context->copies);
  }
};

template <typename T>
using StreamArray = OwnedArray<T, StreamMemory>;

}  // namespace sgmv::cuda
