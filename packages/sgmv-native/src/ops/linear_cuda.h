// y = x · Wᵀ on CUDA. Two ways to the same numbers: kernels of ours, in which a row's sums are added in an order that does
// not depend on how many rows there are (batch-invariant), and cuBLASLt, which is faster for many rows and whose order
// depends on them.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <string>

#include "cuda/number.h"

namespace sgmv::cuda {

// W [out, in], rows `stride` numbers apart (padded(in), zeros beyond `in`). e4m3: 8-bit floating point, and W(o, i) is the
// number times scales[o].
struct LinearWeights {
  enum class Format : uint8_t { f32, f16, bf16, e4m3 };
  Format format = Format::bf16;
  const void* data = nullptr;
  const float* scales = nullptr;  // [out], e4m3 only
  int64_t out = 0;
  int64_t in = 0;
  int64_t stride = 0;
};

// x: [tokens, in] in `type`, rows x_stride apart (a multiple of 16, zeros beyond `in`); W has the same type or e4m3 (then `type` is f16
// or bf16). y: [tokens, out] float32, rows y_stride apart, overwritten.
struct LinearWork {
  Number type = Number::bf16;
  const void* x = nullptr;
  int64_t x_stride = 0;
  int64_t tokens = 0;
  const LinearWeights* weights = nullptr;
  float* y = nullptr;
  int64_t y_stride = 0;
};

// Only enqueues. Batch-invariant.
void linear(cudaStream_t stream, const LinearWork& work);

// cuBLASLt, loaded when the first one is made (`libcublasLt.so` in several versions; SGMV_CUBLASLT names another file).
class CublasLt {
 public:
  // Throws Error("device_unavailable") that names every file that was tried.
  CublasLt();
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  // Only enqueues; may be recorded into a graph once the same shape was enqueued outside of one. For e4m3 weights x is
  // rounded to e4m3 with a scale per row where the device can multiply so. Where the library has no way, linear() does the
  // work. One stream at a time: products share memory for intermediate results.
  void linear(cudaStream_t stream, const LinearWork& work);

  std::string version() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Nearest e4m3 of a finite number within ±448, ties to even; larger ones become ±448. Host. Back: e4m3_to_float (formats/dtype.h).
uint8_t float_to_e4m3(float value);

}  // namespace sgmv::cuda
