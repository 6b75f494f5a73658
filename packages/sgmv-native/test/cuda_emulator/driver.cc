// Device addresses are the process's own, without access until they are mapped and opened: what a kernel does outside ends
// the test. Memory is counted from its creation until it is neither held nor mapped.
#include <cuda.h>
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "cuda_runtime.h"

namespace {

constexpr size_t kGranularity = size_t{2} << 20;

struct Piece {
  size_t bytes;
  bool held;  // by whoever created it
  bool mapped;
};

std::mutex mutex;
std::map<CUmemGenericAllocationHandle, Piece> pieces;
std::map<CUdeviceptr, CUmemGenericAllocationHandle> mapped;
CUmemGenericAllocationHandle last = 0;

void* memory_at(CUdeviceptr address) { return reinterpret_cast<void*>(address); }
bool whole(size_t bytes) { return bytes > 0 && bytes % kGranularity == 0; }

void forget_unused(CUmemGenericAllocationHandle handle) {
  const Piece piece = pieces.at(handle);
  if (piece.held || piece.mapped) return;
  sgmv::emulator::count_device_bytes(-static_cast<int64_t>(piece.bytes));
  pieces.erase(handle);
}

}  // namespace

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute, CUdevice) {
  *value = 1;
  return CUDA_SUCCESS;
}
CUresult cuMemGetAllocationGranularity(size_t* bytes, const CUmemAllocationProp*, CUmemAllocationGranularity_flags) {
  *bytes = kGranularity;
  return CUDA_SUCCESS;
}

CUresult cuMemAddressReserve(CUdeviceptr* address, size_t bytes, size_t, CUdeviceptr, unsigned long long) {
  if (!whole(bytes)) return CUDA_ERROR_INVALID_VALUE;
  void* memory = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
  *address = reinterpret_cast<CUdeviceptr>(memory);
  return CUDA_SUCCESS;
}
CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes) { return ::munmap(memory_at(address), bytes) == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; }

CUresult cuMemCreate(CUmemGenericAllocationHandle* handle, size_t bytes, const CUmemAllocationProp*, unsigned long long) {
  if (!whole(bytes)) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(mutex);
  if (!sgmv::emulator::count_device_bytes(static_cast<int64_t>(bytes))) return CUDA_ERROR_OUT_OF_MEMORY;
  pieces[*handle = ++last] = {bytes, true, false};
  return CUDA_SUCCESS;
}
CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  const std::lock_guard lock(mutex);
  pieces.at(handle).held = false;
  forget_unused(handle);
  return CUDA_SUCCESS;
}

CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle, unsigned long long) {
  const std::lock_guard lock(mutex);
  Piece& piece = pieces.at(handle);
  if (offset != 0 || bytes != piece.bytes || mapped.contains(address)) return CUDA_ERROR_INVALID_VALUE;
  piece.mapped = true;
  mapped[address] = handle;
  sgmv::emulator::know_device_memory(memory_at(address), bytes);
  return CUDA_SUCCESS;
}
CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc*, size_t) {
  const std::lock_guard lock(mutex);
  if (!mapped.contains(address) || ::mprotect(memory_at(address), bytes, PROT_READ | PROT_WRITE) != 0) return CUDA_ERROR_INVALID_VALUE;
  std::memset(memory_at(address), 0xFF, bytes);
  return CUDA_SUCCESS;
}
CUresult cuMemUnmap(CUdeviceptr address, size_t bytes) {
  const std::lock_guard lock(mutex);
  const auto found = mapped.find(address);
  if (found == mapped.end() || pieces.at(found->second).bytes != bytes) return CUDA_ERROR_INVALID_VALUE;
  sgmv::emulator::know_device_memory(memory_at(address), 0);
  ::madvise(memory_at(address), bytes, MADV_DONTNEED);
  ::mprotect(memory_at(address), bytes, PROT_NONE);
  pieces.at(found->second).mapped = false;
  forget_unused(found->second);
  mapped.erase(found);
  return CUDA_SUCCESS;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned, unsigned long long, cudaDriverEntryPointQueryResult* found) {
  static const std::map<std::string, void*> functions{
      {"cuDeviceGetAttribute", reinterpret_cast<void*>(cuDeviceGetAttribute)},
      {"cuMemGetAllocationGranularity", reinterpret_cast<void*>(cuMemGetAllocationGranularity)},
      {"cuMemAddressReserve", reinterpret_cast<void*>(cuMemAddressReserve)},
      {"cuMemAddressFree", reinterpret_cast<void*>(cuMemAddressFree)},
      {"cuMemCreate", reinterpret_cast<void*>(cuMemCreate)},
      {"cuMemRelease", reinterpret_cast<void*>(cuMemRelease)},
      {"cuMemMap", reinterpret_cast<void*>(cuMemMap)},
      {"cuMemUnmap", reinterpret_cast<void*>(cuMemUnmap)},
      {"cuMemSetAccess", reinterpret_cast<void*>(cuMemSetAccess)}};
  const auto entry = functions.find(symbol);
  *found = entry == functions.end() ? cudaDriverEntryPointSymbolNotFound : cudaDriverEntryPointSuccess;
  *function = entry == functions.end() ? nullptr : entry->second;
  return cudaSuccess;
}
