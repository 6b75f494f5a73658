#include "cuda/device_range.h"

#include <cuda.h>

#include <string>
#include <utility>

#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

// The first driver whose functions have these signatures is older than any that can run what this is compiled for.
constexpr unsigned kDriverVersion = 12000;

template <typename Function>
bool find(const char* name, Function*& function) {
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  void* address = nullptr;
#if CUDART_VERSION >= 12050
  const cudaError_t code = cudaGetDriverEntryPointByVersion(name, &address, kDriverVersion, cudaEnableDefault, &found);
#else
  const cudaError_t code = cudaGetDriverEntryPoint(name, &address, cudaEnableDefault, &found);
#endif
  if (code != cudaSuccess) cudaGetLastError();
  function = reinterpret_cast<Function*>(address);
  return code == cudaSuccess && found == cudaDriverEntryPointSuccess && function != nullptr;
}

struct Driver {
  decltype(cuDeviceGetAttribute)* attribute = nullptr;
  decltype(cuMemGetAllocationGranularity)* granularity = nullptr;
  decltype(cuMemAddressReserve)* reserve = nullptr;
  decltype(cuMemAddressFree)* free = nullptr;
  decltype(cuMemCreate)* create = nullptr;
  decltype(cuMemRelease)* release = nullptr;
  decltype(cuMemMap)* map = nullptr;
  decltype(cuMemUnmap)* unmap = nullptr;
  decltype(cuMemSetAccess)* set_access = nullptr;
  bool complete = find("cuDeviceGetAttribute", attribute) && find("cuMemGetAllocationGranularity", granularity) &&
                  find("cuMemAddressReserve", reserve) && find("cuMemAddressFree", free) && find("cuMemCreate", create) &&
                  find("cuMemRelease", release) && find("cuMemMap", map) && find("cuMemUnmap", unmap) && find("cuMemSetAccess", set_access);
};

const Driver& driver() {
  static const Driver found;
  return found;
}

void check_driver(CUresult code, const char* what) {
  if (code == CUDA_SUCCESS) return;
  const std::string message = std::string(what) + ": the driver's error " + std::to_string(static_cast<int>(code));
  throw Error(code == CUDA_ERROR_OUT_OF_MEMORY ? "out_of_memory" : "device_failed", message);
}

CUmemAllocationProp properties(int device) {
  CUmemAllocationProp prop{};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  prop.location.id = device;
  return prop;
}

CUdeviceptr address_of(const std::byte* data) { return reinterpret_cast<CUdeviceptr>(data); }

}  // namespace

size_t DeviceRange::granularity(int device) {
  int supported = 0;
  if (!driver().complete) return 0;
  if (driver().attribute(&supported, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, device) != CUDA_SUCCESS || supported == 0) return 0;
  const CUmemAllocationProp prop = properties(device);
  size_t bytes = 0;
  if (driver().granularity(&bytes, &prop, CU_MEM_ALLOC_GRANULARITY_MINIMUM) != CUDA_SUCCESS) return 0;
  return bytes;
}

DeviceRange::DeviceRange(int device, size_t bytes) : device_(device), bytes_(bytes) {
  CUdeviceptr address = 0;
  check_driver(driver().reserve(&address, bytes, 0, 0, 0), "reserving addresses of the device");
  data_ = reinterpret_cast<std::byte*>(address);
}

DeviceRange::~DeviceRange() {
  while (!pieces_.empty()) unmap(pieces_.begin()->first);
  if (data_ != nullptr) driver().free(address_of(data_), bytes_);
}

DeviceRange& DeviceRange::operator=(DeviceRange&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  pieces_.swap(other.pieces_);
  return *this;
}

void DeviceRange::map(size_t offset, size_t bytes) {
  const auto piece = pieces_.emplace(offset, bytes).first;  // first, because it may throw
  const CUmemAllocationProp prop = properties(device_);
  const CUdeviceptr address = address_of(data_ + offset);
  CUmemGenericAllocationHandle memory{};
  try {
    check_driver(driver().create(&memory, bytes, &prop, 0), "allocating device memory");
    const CUresult mapped = driver().map(address, bytes, 0, memory, 0);
    driver().release(memory);  // the mapping keeps it
    check_driver(mapped, "giving addresses device memory");
    CUmemAccessDesc access{};
    access.location = prop.location;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    const CUresult allowed = driver().set_access(address, bytes, &access, 1);
    if (allowed != CUDA_SUCCESS) driver().unmap(address, bytes);
    check_driver(allowed, "opening device memory to the device");
  } catch (...) {
    pieces_.erase(piece);
    throw;
  }
}

void DeviceRange::unmap(size_t offset) noexcept {
  const auto piece = pieces_.find(offset);
  driver().unmap(address_of(data_ + offset), piece->second);
  pieces_.erase(piece);
}

}  // namespace sgmv::cuda
