#include "ops/gemm_cpu.h"

namespace sgmv {
namespace {

int64_t calls(int64_t in, int64_t chunk, int64_t rows, int64_t step) {
  return (in + chunk - 1) / chunk * ((rows + step - 1) / step);
}

}  // namespace

PanelTile GemmWork::tile(CpuDevice& device, int64_t item, int worker) const {
  const int64_t panel = item / row_chunks(), begin = item % row_chunks() * kRowChunk;
  return {panel, row_begin + begin, std::min(kRowChunk, rows - begin), device.scratch(worker)};
}

void GemmWork::product(CpuDevice& device, const PanelTile& tile, int worker, const Prefetch& ahead) const {
  // Others have read these lines since they were last written: owning them again takes as long as memory, but not the
  // thread's time if it is asked for now.
  for (int64_t row = 0; row < tile.row_count; ++row)
    for (int64_t half = 0; half < kPanelColumns; half += kPanelColumns / 2)
      __builtin_prefetch(y + (tile.row_begin - y_shift + row) * y_stride + tile.panel * kPanelColumns + half, 1, 3);
  const Kernels& kernels = device.kernels();
  float* scratch = device.scratch(worker) + kRowChunk * kPanelColumns;
  switch (weights->compute()) {
    case WeightType::f32: return product_f32(kernels, tile, scratch, ahead);
    case WeightType::i8: return product_i8(kernels, tile, ahead);
    case WeightType::bf16: return product_bf16(kernels, tile, ahead);
    case WeightType::f16:
    case WeightType::fp8: break;  // CUDA only
  }
}

void GemmWork::product_f32(const Kernels& kernels, const PanelTile& tile, float* scratch, const Prefetch& ahead) const {
  const int64_t in = weights->in(), step = even_share(tile.row_count, kernels.gemm_rows);
  PrefetchCursor cursor = ahead.over(calls(in, kInputChunk, tile.row_count, step));
  for (int64_t k = 0; k < in; k += kInputChunk) {
    const int64_t k_count = std::min(kInputChunk, in - k);
    const float* piece = weights->widened(kernels, tile.panel, k, k_count, scratch);
    for (int64_t row = 0; row < tile.row_count; row += step) {
      cursor.advance();
      const auto count = static_cast<int>(std::min(step, tile.row_count - row));
      kernels.gemm(x->row(tile.row_begin + row) + k, x->stride(), piece, k_count, tile.sums + row * kPanelColumns, count, k > 0);
    }
  }
}

void GemmWork::product_i8(const Kernels& kernels, const PanelTile& tile, const Prefetch& ahead) const {
  const int64_t in = weights->in(), step = even_share(tile.row_count, kernels.i8_rows);
  const bool nibbles = weights->storage() == PackedMatrix::Storage::q4;
  const int64_t block_bytes = nibbles ? kQ4BlockBytes : kQ8BlockBytes;
  // The kernel itself asks for what comes next, a few lines per group: bursts would hold up its own loads.
  const int64_t groups = (in + kQuantBlock - 1) / kQuantBlock * ((tile.row_count + step - 1) / step);
  PrefetchCursor cursor = ahead.over(groups);
  for (int64_t k = 0; k < in; k += kI8Chunk) {
    const int64_t k_count = std::min(kI8Chunk, in - k);
    const std::byte* piece = weights->panel(tile.panel) + k / kQuantBlock * block_bytes;
    for (int64_t row = 0; row < tile.row_count; row += step) {
      kernels.gemm_i8(x->i8(tile.row_begin + row).from_input(k), std::min(step, tile.row_count - row), piece, k_count, nibbles,
                      tile.sums + row * kPanelColumns, k > 0, cursor);
    }
  }
}

void GemmWork::product_bf16(const Kernels& kernels, const PanelTile& tile, const Prefetch& ahead) const {
  const int64_t in = weights->in(), step = even_share(tile.row_count, kernels.bf16_rows);
  const auto* panel = reinterpret_cast<const uint16_t*>(weights->panel(tile.panel));
  PrefetchCursor cursor = ahead.over(calls(in, kInputChunk, tile.row_count, step));
  for (int64_t k = 0; k < in; k += kInputChunk) {
    const int64_t k_count = std::min(kInputChunk, in - k);
    for (int64_t row = 0; row < tile.row_count; row += step) {
      cursor.advance();
      kernels.gemm_bf16(x->bf16(tile.row_begin + row) + k, x->bf16_stride(), std::min(step, tile.row_count - row), panel + k * kPanelColumns,
                        k_count, tile.sums + row * kPanelColumns, {k > 0, 1.0f});
    }
  }
}

void GemmWork::finish(const PanelTile& tile) const {
  const int64_t column = tile.panel * kPanelColumns, columns = std::min<int64_t>(kPanelColumns, weights->out() - column);
  for (int64_t row = 0; row < tile.row_count; ++row) {
    const float* from = tile.sums + row * kPanelColumns;
    float* to = y + (tile.row_begin - y_shift + row) * y_stride + column;
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
    Prefetch& ahead = device.prefetch(worker);
    ahead.clear();
    if (tile.panel + 1 < work.weights->panels()) ahead.add(work.weights->panel(tile.panel + 1), work.weights->panel_bytes());
    work.product(device, tile, worker, ahead);
    work.finish(tile);
  });
}

}  // namespace sgmv
