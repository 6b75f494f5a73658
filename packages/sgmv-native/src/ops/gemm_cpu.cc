#include "ops/gemm_cpu.h"

namespace sgmv {
namespace {

// Rows per kernel call: the tiles of a chunk are made even, so that no small one is left over at the end.
int64_t tile_rows(int64_t rows, int64_t most) {
  const int64_t tiles = (rows + most - 1) / most;
  return (rows + tiles - 1) / tiles;
}

int64_t calls(int64_t in, int64_t chunk, int64_t rows, int64_t step) {
  return (in + chunk - 1) / chunk * ((rows + step - 1) / step);
}

}  // namespace

PanelTile GemmWork::tile(CpuDevice& device, int64_t item, int worker) const {
  const int64_t panel = item / row_chunks(), row_begin = item % row_chunks() * kRowChunk;
  return {panel, row_begin, std::min(kRowChunk, rows - row_begin), device.scratch(worker)};
}

void GemmWork::product(CpuDevice& device, const PanelTile& tile, int worker, Prefetch& ahead) const {
  const Kernels& kernels = device.kernels();
  float* scratch = device.scratch(worker) + kRowChunk * kPanelColumns;
  switch (weights->compute()) {
    case WeightType::f32: return product_f32(kernels, tile, scratch, ahead);
    case WeightType::i8: return product_i8(kernels, tile, scratch, ahead);
    case WeightType::bf16: return product_bf16(kernels, tile, ahead);
  }
}

void GemmWork::product_f32(const Kernels& kernels, const PanelTile& tile, float* scratch, Prefetch& ahead) const {
  const int64_t in = weights->in(), step = tile_rows(tile.row_count, kernels.gemm_rows);
  ahead.spread(calls(in, kInputChunk, tile.row_count, step));
  for (int64_t k = 0; k < in; k += kInputChunk) {
    const int64_t k_count = std::min(kInputChunk, in - k);
    const float* piece = weights->widened(kernels, tile.panel, k, k_count, scratch);
    for (int64_t row = 0; row < tile.row_count; row += step) {
      ahead.advance();
      const auto count = static_cast<int>(std::min(step, tile.row_count - row));
      kernels.gemm(x->row(tile.row_begin + row) + k, x->stride(), piece, k_count, tile.sums + row * kPanelColumns, count, k > 0);
    }
  }
}

void GemmWork::product_i8(const Kernels& kernels, const PanelTile& tile, float* scratch, Prefetch& ahead) const {
  const int64_t in = weights->in(), step = tile_rows(tile.row_count, kernels.i8_rows);
  const bool minimums = weights->storage() == PackedMatrix::Storage::q4;
  const int64_t block_bytes = minimums ? kQ4BlockBytes : kQ8BlockBytes;
  ahead.spread(calls(in, kI8Chunk, tile.row_count, step));
  for (int64_t k = 0; k < in; k += kI8Chunk) {
    const int64_t k_count = std::min(kI8Chunk, in - k);
    const std::byte* piece = weights->panel(tile.panel) + k / kQuantBlock * block_bytes;
    if (minimums) {
      kernels.open_q4(piece, k_count / kQuantBlock, reinterpret_cast<std::byte*>(scratch));
      piece = reinterpret_cast<const std::byte*>(scratch);
    }
    for (int64_t row = 0; row < tile.row_count; row += step) {
      ahead.advance();
      Int8Rows from = x->i8(tile.row_begin + row);
      from.values += k;
      from.scales += k / kQuantBlock;
      from.sums += k / kQuantBlock;
      kernels.gemm_i8(from, std::min(step, tile.row_count - row), piece, k_count, minimums, tile.sums + row * kPanelColumns, {k > 0, 1.0f});
    }
  }
}

void GemmWork::product_bf16(const Kernels& kernels, const PanelTile& tile, Prefetch& ahead) const {
  const int64_t in = weights->in(), step = tile_rows(tile.row_count, kernels.bf16_rows);
  const auto* panel = reinterpret_cast<const uint16_t*>(weights->panel(tile.panel));
  ahead.spread(calls(in, kInputChunk, tile.row_count, step));
  for (int64_t k = 0; k < in; k += kInputChunk) {
    const int64_t k_count = std::min(kInputChunk, in - k);
    for (int64_t row = 0; row < tile.row_count; row += step) {
      ahead.advance();
      kernels.gemm_bf16(x->bf16(tile.row_begin + row) + k, x->bf16_stride(), std::min(step, tile.row_count - row), panel + k * kPanelColumns,
                        k_count, tile.sums + row * kPanelColumns, {k > 0, 1.0f});
    }
  }
}

void GemmWork::finish(const PanelTile& tile) const {
  const int64_t column = tile.panel * kPanelColumns, columns = std::min<int64_t>(kPanelColumns, weights->out() - column);
  for (int64_t row = 0; row < tile.row_count; ++row) {
    const float* from = tile.sums + row * kPanelColumns;
    float* to = y + (tile.row_begin + row) * y_stride + column;
    if (bias == nullptr) std::copy_n(from, columns, to);
    else for (int64_t i = 0; i < columns; ++i) to[i] = from[i] + bias[column + i];
  }
}

ActivationForms forms_for(const PackedMatrix& weights) {
  return {weights.compute() == WeightType::i8, weights.compute() == WeightType::bf16};
}

void gemm(CpuDevice& device, const GemmWork& work) {
  device.reserve_scratch(GemmWork::scratch_floats());
  device.pool().parallel_for(work.items(), [&](int64_t item, int worker) {
    const PanelTile tile = work.tile(device, item, worker);
    Prefetch ahead;
    if (tile.panel + device.threads() < work.weights->panels())
      ahead.add(work.weights->panel(tile.panel + device.threads()), work.weights->panel_bytes());
    work.product(device, tile, worker, ahead);
    work.finish(tile);
  });
}

}  // namespace sgmv
