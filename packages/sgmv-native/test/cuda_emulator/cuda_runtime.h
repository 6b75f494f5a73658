// A device that is emulated on the processor, behind the names of CUDA's own header, as far as this project uses them.
// With this folder first on the include path, a C++ compiler builds the .cu files. What is checked so: indices,
// barriers, the order of work on streams, bounds (with AddressSanitizer), the numbers. What is not: speed, and whatever
// a real device does otherwise than its manual says.
//
// Device memory is the heap's, filled with NaN. Work on a stream is done when somebody waits for it, not before, so that
// code that forgets to wait finds nothing. Refused is what a real device refuses: launches that ask for more than a block
// may have, or for much shared memory without cudaFuncSetAttribute; while a thread records a graph, its calls that
// allocate, free or wait, and the end of a recording that has lost one of its streams.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>

#include "grid.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static

inline const dim3& threadIdx = sgmv::emulator::place.thread;
inline const dim3& blockIdx = sgmv::emulator::place.block;
inline const dim3& blockDim = sgmv::emulator::place.block_size;
inline const dim3& gridDim = sgmv::emulator::place.grid_size;


struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// Device code.

template <typename T> inline T min(T a, T b) { return b < a ? b : a; }
template <typename T> inline T max(T a, T b) { return a < b ? b : a; }
template <typename T> inline T __ldg(const T* p) { return *p; }
inline unsigned __float_as_uint(float v) { unsigned bits; std::memcpy(&bits, &v, 4); return bits; }
inline int __float_as_int(float v) { int bits; std::memcpy(&bits, &v, 4); return bits; }
inline float __uint_as_float(unsigned bits) { float v; std::memcpy(&v, &bits, 4); return v; }
inline float __int_as_float(int bits) { float v; std::memcpy(&v, &bits, 4); return v; }
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __clz(int v) { return v == 0 ? 32 : __builtin_clz(static_cast<unsigned>(v)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t{a} * b >> 32); }
inline void __threadfence() {}
inline void __threadfence_block() {}
template <typename T> inline T atomicAdd(T* at, T by) { const T old = *at; *at = old + by; return old; }
template <typename T> inline T atomicMax(T* at, T by) { const T old = *at; *at = max(old, by); return old; }
template <typename T> inline T atomicMin(T* at, T by) { const T old = *at; *at = min(old, by); return old; }
template <typename T> inline T atomicExch(T* at, T by) { const T old = *at; *at = by; return old; }
template <typename T> inline T atomicCAS(T* at, T expected, T by) { const T old = *at; if (old == expected) *at = by; return old; }

inline void __syncthreads() { sgmv::emulator::block_barrier(); }
inline void __syncwarp(unsigned mask = 0xFFFF'FFFF) { sgmv::emulator::meet_warp("syncwarp", mask, nullptr, 0); }

namespace sgmv::emulator {
template <typename T>
T shuffled(const char* operation, unsigned mask, T value, int source, int width) {
  static_assert(sizeof(T) <= kSlotBytes);
  const auto slots = meet_warp(operation, mask, &value, sizeof value);
  const int base = lane() / width * width;
  T result = value;
  if (source >= base && source < base + width) std::memcpy(&result, slots[source], sizeof result);
  return result;
}
}  // namespace sgmv::emulator

template <typename T> T __shfl_sync(unsigned mask, T v, int source, int width = 32) {
  const int lane = sgmv::emulator::lane();
  return sgmv::emulator::shuffled("shfl", mask, v, lane / width * width + source % width, width);
}
template <typename T> T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32) { return sgmv::emulator::shuffled("shfl_xor", mask, v, sgmv::emulator::lane() ^ bits, width); }
template <typename T> T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32) { return sgmv::emulator::shuffled("shfl_down", mask, v, sgmv::emulator::lane() + static_cast<int>(by), width); }
template <typename T> T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32) { return sgmv::emulator::shuffled("shfl_up", mask, v, sgmv::emulator::lane() - static_cast<int>(by), width); }
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const auto slots = sgmv::emulator::meet_warp("ballot", mask, &predicate, sizeof predicate);
  unsigned bits = 0;
  for (int i = 0; i < 32; ++i) {
    int of_lane;
    std::memcpy(&of_lane, slots[i], sizeof of_lane);
    if (of_lane != 0) bits |= 1u << i;
  }
  return bits;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == 0xFFFF'FFFF; }

// Host code.

#define CUDART_VERSION 13000

enum cudaError_t {
  cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorInsufficientDriver = 35, cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101, cudaErrorNotReady = 600, cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901, cudaErrorStreamCaptureUnjoined = 904
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16, cudaDevAttrComputeCapabilityMajor = 75, cudaDevAttrComputeCapabilityMinor = 76, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97, cudaDevAttrL2CacheSize = 38 };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
enum cudaDriverEntryPointQueryResult { cudaDriverEntryPointSuccess = 0, cudaDriverEntryPointSymbolNotFound = 1 };
inline constexpr unsigned cudaEnableDefault = 0;
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaEventDefault = 0;

typedef struct EmulatedStream* cudaStream_t;
typedef struct EmulatedEvent* cudaEvent_t;
typedef struct EmulatedGraph* cudaGraph_t;
typedef struct EmulatedGraph* cudaGraphExec_t;
typedef struct EmulatedPool* cudaMemPool_t;

struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount, l2CacheSize;
  size_t totalGlobalMem, sharedMemPerBlockOptin;
};
struct cudaLaunchAttribute {};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  cudaLaunchAttribute* attrs = nullptr;
  unsigned numAttrs = 0;
};

const char* cudaGetErrorString(cudaError_t);
const char* cudaGetErrorName(cudaError_t);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
cudaError_t cudaGetDeviceCount(int*);
cudaError_t cudaSetDevice(int);
cudaError_t cudaGetDevice(int*);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp*, int);
cudaError_t cudaDeviceGetAttribute(int*, cudaDeviceAttr, int);
cudaError_t cudaDriverGetVersion(int*);
cudaError_t cudaRuntimeGetVersion(int*);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);

cudaError_t cudaMalloc(void**, size_t);
template <typename T> cudaError_t cudaMalloc(T** p, size_t bytes) { return cudaMalloc(reinterpret_cast<void**>(p), bytes); }
cudaError_t cudaFree(void*);
cudaError_t cudaMallocHost(void**, size_t);
template <typename T> cudaError_t cudaMallocHost(T** p, size_t bytes) { return cudaMallocHost(reinterpret_cast<void**>(p), bytes); }
cudaError_t cudaFreeHost(void*);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t*, int);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t);
cudaError_t cudaGetDriverEntryPointByVersion(const char*, void**, unsigned, unsigned long long, cudaDriverEntryPointQueryResult*);
cudaError_t cudaMallocAsync(void**, size_t, cudaStream_t);
cudaError_t cudaFreeAsync(void*, cudaStream_t);
cudaError_t cudaMemcpy(void*, const void*, size_t, cudaMemcpyKind);
cudaError_t cudaMemcpyAsync(void*, const void*, size_t, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemset(void*, int, size_t);
cudaError_t cudaMemsetAsync(void*, int, size_t, cudaStream_t);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamQuery(cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned flags = 0);
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t*, unsigned);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventQuery(cudaEvent_t);
cudaError_t cudaEventElapsedTime(float*, cudaEvent_t, cudaEvent_t);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);
cudaError_t cudaGraphDestroy(cudaGraph_t);

namespace sgmv::emulator {
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);
cudaError_t allow_shared_bytes(const void* kernel, int bytes);
cudaError_t check_launch(const void* kernel, const cudaLaunchConfig_t& config);
bool count_device_bytes(int64_t more);  // false: there is no room for them
void know_device_memory(const void* p, size_t bytes);  // as a device's; 0: no longer
}

template <typename Function>
cudaError_t cudaFuncSetAttribute(Function* kernel, cudaFuncAttribute, int bytes) {
  return sgmv::emulator::allow_shared_bytes(reinterpret_cast<const void*>(kernel), bytes);
}

template <typename... Expected, typename... Given>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Expected...), Given&&... arguments) {
  const cudaLaunchConfig_t c = *config;
  if (const cudaError_t code = sgmv::emulator::check_launch(reinterpret_cast<const void*>(kernel), c); code != cudaSuccess) return code;
  return sgmv::emulator::enqueue(c.stream, [c, kernel, values = std::tuple<std::decay_t<Expected>...>(std::forward<Given>(arguments)...)] {
    sgmv::emulator::run_grid(reinterpret_cast<const void*>(kernel), c.gridDim, c.blockDim, c.dynamicSmemBytes, [&] { std::apply(kernel, values); });
  });
}
