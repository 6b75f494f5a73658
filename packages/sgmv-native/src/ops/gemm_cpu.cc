#include "ops/gemm_cpu.h"

namespace sgmv {
namespace {

// Rows per kernel call: the tiles of a chunk are made even, so that no small one is left over at the end.
int64_t tile_rows(int64_t rows, int64_t most) {
  const int64_t tiles = (rows + most - 1) / most;
  return (rows + tiles - 1) / tiles;
}

}  // namespace

void GemmWork::run(CpuDevice& device, int64_t item, int worker) const {
  const Kernels& kernels = device.kernels();
  const int64_t panel = item / row_chunks(), chunk = item % row_chunks();
  const int64_t row_begin = chunk * kRowChunk, row_count = std::min(kRowChunk, rows - row_begin);
  const int64_t step = tile_rows(row_count, kernels.gemm_rows);
  const int64_t in = weights->in();
  float* sums = device.scratch(worker);
  float* widened = sums + kRowChunk * kPanelColumns;

  // While this panel is multiplied, the stored bytes of the one this thread will likely take next are on their way.
  const int64_t next = chunk + 1 == row_chunks() ? panel + device.threads() : weights->panels();
  const int64_t parts = (in + kInputChunk - 1) / kInputChunk * ((row_count + step - 1) / step);
  int64_t part = 0;

  for (int64_t k = 0; k < in; k += kInputChunk) {
    const int64_t k_count = std::min(kInputChunk, in - k);
    const float* piece = weights->panel(kernels, panel, k, k_count, widened);
    for (int64_t row = 0; row < row_count; row += step) {
      weights->prefetch(next, part, parts);
      ++part;
      const auto count = static_cast<int>(std::min(step, row_count - row));
      kernels.gemm(x + (row_begin + row) * x_stride + k, x_stride, piece, k_count, sums + row * kPanelColumns, count, k > 0);
    }
  }

  const int64_t column = panel * kPanelColumns, columns = std::min<int64_t>(kPanelColumns, weights->out() - column);
  for (int64_t row = 0; row < row_count; ++row) {
    const float* from = sums + row * kPanelColumns;
    float* to = y + (row_begin + row) * y_stride + column;
    if (bias == nullptr) std::copy_n(from, columns, to);
    else for (int64_t i = 0; i < columns; ++i) to[i] = from[i] + bias[column + i];
  }
}

void gemm(CpuDevice& device, const GemmWork& work) {
  device.reserve_scratch(GemmWork::scratch_floats());
  device.pool().parallel_for(work.items(), [&](int64_t item, int worker) { work.run(device, item, worker); });
}

}  // namespace sgmv
