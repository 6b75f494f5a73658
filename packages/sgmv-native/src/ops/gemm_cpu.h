// y [rows, out] = (or +=) x [rows, in] · W^T + bias, divided into items of one weight panel × up to kRowChunk rows.
#pragma once

#include <algorithm>

#include "cpu/cpu_device.h"
#include "ops/packed_matrix.h"

namespace sgmv {

struct GemmWork {
  static constexpr int64_t kRowChunk = 96;   // a multiple of every kernel's rows
  static constexpr int64_t kInputChunk = 768;  // a widened panel piece of 96 KiB stays in a second-level cache

  const float* x = nullptr;
  int64_t x_stride = 0;
  int64_t rows = 0;
  const PackedMatrix* weights = nullptr;
  const float* bias = nullptr;  // [out] or null
  float* y = nullptr;
  int64_t y_stride = 0;

  int64_t row_chunks() const { return (rows + kRowChunk - 1) / kRowChunk; }
  int64_t items() const { return weights->panels() * row_chunks(); }
  static size_t scratch_floats() { return static_cast<size_t>((kInputChunk + kRowChunk) * kPanelColumns); }
  void run(CpuDevice& device, int64_t item, int worker) const;
};

// Runs the work on the device's pool.
void gemm(CpuDevice& device, const GemmWork& work);

}  // namespace sgmv
