#include "cuda/context.h"

namespace sgmv::cuda {

Context::Context(int device) : device_(device), chosen_(device) {
  // What adapters free stays with the process for the next ones: giving it back would stop the device each time.
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, device), "finding the device's memory pool");
  unsigned long long keep = ~0ull;
  check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep), "setting up the device's memory pool");
}

void Context::release_unused() {
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, device_), "finding the device's memory pool");
  copies.synchronize();
  check(cudaMemPoolTrimTo(pool, 0), "giving memory back to the device");
}

std::string Context::name() const {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device_), "asking for the device's properties");
  return "cuda:" + std::to_string(device_) + " " + properties.name;
}

}  // namespace sgmv::cuda
