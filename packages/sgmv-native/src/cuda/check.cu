#include "cuda/check.h"

#include <string>

#include "sgmv/error.h"

namespace sgmv::cuda {

void check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // an error that does not stick is forgotten with this
  const std::string message = std::string(what) + ": " + cudaGetErrorString(code) + " (" + cudaGetErrorName(code) + ")";
  switch (code) {
    case cudaErrorMemoryAllocation: throw Error("out_of_memory", message);
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInvalidDevice: throw Error("device_unavailable", message);
    default: throw Error("device_failed", message);
  }
}

}  // namespace sgmv::cuda
