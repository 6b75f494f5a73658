// Starting kernels. Arguments are converted to the kernel's own types.
#pragma once

#include <utility>

#include "cuda/check.h"

namespace sgmv::cuda {

inline constexpr size_t kSharedBytesDefault = size_t{48} << 10;  // more must be asked for
// Asked for whatever a launch takes: it is the kernel's for good, and others may launch it meanwhile. All devices have it.
inline constexpr int kSharedBytesMax = 99 << 10;

struct Shape {
  dim3 grid;
  int threads = 0;  // per block
  size_t shared_bytes = 0;
};

template <typename... Parameters, typename... Arguments>
void launch(cudaStream_t stream, const Shape& shape, void (*kernel)(Parameters...), Arguments&&... arguments) {
  if (shape.shared_bytes > kSharedBytesDefault)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytesMax), "asking for shared memory");
  cudaLaunchConfig_t config = {};
  config.gridDim = shape.grid;
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(std::forward<Arguments>(arguments))...), "starting a kernel");
}

}  // namespace sgmv::cuda
