// Addresses of the device that get memory piece by piece: the driver's virtual memory management, found at run time as the
// driver itself is.
#pragma once

#include <cstddef>
#include <map>

#include "cuda/check.h"

namespace sgmv::cuda {

class DeviceRange {
 public:
  // What pieces are multiples of; 0 where the device or its driver does not know how.
  static size_t granularity(int device);

  DeviceRange() = default;
  // `bytes`: a multiple of the granularity. Throws Error out_of_memory, device_failed.
  DeviceRange(int device, size_t bytes);
  ~DeviceRange();
  DeviceRange(DeviceRange&& other) noexcept { *this = std::move(other); }
  DeviceRange& operator=(DeviceRange&& other) noexcept;

  std::byte* data() const { return data_; }
  // Memory for [offset, offset + bytes), both multiples of the granularity, which has none. Throws Error out_of_memory.
  void map(size_t offset, size_t bytes);
  // Takes the memory of the piece that was mapped at `offset`. Nothing on the device may use it any more.
  void unmap(size_t offset) noexcept;

 private:
  int device_ = 0;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  std::map<size_t, size_t> pieces_;  // bytes by offset
};

}  // namespace sgmv::cuda
