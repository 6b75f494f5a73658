// y [rows, out] = x [rows, in] · W^T + bias, divided into items of one weight panel × up to kRowChunk rows; of one matrix,
// or of several, each for rows of its own.
#pragma once

#include <algorithm>
#include <vector>

#include "cpu/cpu_device.h"
#include "cpu/prefetch.h"
#include "ops/activations.h"
#include "ops/packed_matrix.h"

namespace sgmv {

// The part of the output that an item computes: 32 columns of some rows, first in `sums` [rows, 32]: summing them where
// they belong would touch other threads' lines once per group.
struct PanelTile {
  int64_t panel = 0;
  int64_t row_begin = 0;
  int64_t row_count = 0;
  float* sums = nullptr;
};

// On a cache line of its own, as it lies on the stack of one thread and all read it.
struct alignas(64) GemmWork {
  static constexpr int64_t kRowChunk = 96;     // a multiple of most kernels' rows
  static constexpr int64_t kInputChunk = 768;  // a widened panel piece of 96 KiB stays in a second-level cache
  static constexpr int64_t kI8Chunk = 1024;    // an 8-bit panel piece of 34 KiB stays in a first-level cache

  const Activations* x = nullptr;
  int64_t rows = 0;
  const PackedMatrix* weights = nullptr;
  const float* bias = nullptr;  // [out] or null
  float* y = nullptr;
  int64_t y_stride = 0;
  int64_t row_begin = 0;        // the first of its rows in x
  int64_t y_shift = 0;          // x's row r gives y's row r - y_shift

  int64_t row_chunks() const { return (rows + kRowChunk - 1) / kRowChunk; }
  int64_t items() const { return weights->panels() * row_chunks(); }
  static size_t scratch_floats() { return static_cast<size_t>((kInputChunk + kRowChunk) * kPanelColumns); }

  PanelTile tile(CpuDevice& device, int64_t item, int worker) const;
  // Computes the tile's sums; what `ahead` lists is asked for on the way.
  void product(CpuDevice& device, const PanelTile& tile, int worker, const Prefetch& ahead) const;
  void finish(const PanelTile& tile) const;  // adds the bias and writes y

 private:
  void product_f32(const Kernels& kernels, const PanelTile& tile, float* scratch, const Prefetch& ahead) const;
  void product_i8(const Kernels& kernels, const PanelTile& tile, const Prefetch& ahead) const;
  void product_bf16(const Kernels& kernels, const PanelTile& tile, const Prefetch& ahead) const;
};

// Works whose items follow each other.
class GemmList {
 public:
  void clear() {
    works_.clear();
    ends_.clear();
  }
  void add(const GemmWork& work) {
    works_.push_back(work);
    ends_.push_back(items() + work.items());
  }
  int64_t items() const { return ends_.empty() ? 0 : ends_.back(); }

  // The work an item belongs to, the one after it or null, and its number within it.
  struct Place {
    const GemmWork& work;
    const GemmWork* next;
    int64_t item;
  };
  Place find(int64_t item) const {
    const auto index = static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), item) - ends_.begin());
    return {works_[index], index + 1 < works_.size() ? &works_[index + 1] : nullptr, item - (index == 0 ? 0 : ends_[index - 1])};
  }

 private:
  std::vector<GemmWork> works_;
  std::vector<int64_t> ends_;  // of each work's items
};

// Which forms of the activations a product with these weights takes.
ActivationForms forms_for(const PackedMatrix& weights);

// Runs the work on the device's pool.
void gemm(CpuDevice& device, const GemmWork& work);

}  // namespace sgmv
