// A base weight matrix [out, in] in panels of 32 output columns, in the narrowest form that keeps its stored values
// exactly: a step reads every weight once, so bytes are time. The GEMM widens a panel to float32 in its cache and
// uses it for all rows of the batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "cpu/kernels.h"
#include "formats/dtype.h"

namespace sgmv {

class PackedMatrix {
 public:
  enum class Storage : uint8_t { f32, f16, bf16, q8, q4 };

  PackedMatrix() = default;
  PackedMatrix(Storage storage, int64_t out, int64_t in);

  // The form that holds tensors of these types (of matrices that are fused into one) exactly.
  static Storage storage_for(std::span<const DType> dtypes, int64_t in);

  // Copies `rows` rows of `source` (row-major in `dtype`) to output columns from `out_begin` on.
  // `source_row[i]` is the row of the source that becomes output out_begin + i; empty: the same order.
  void set_rows(int64_t out_begin, int64_t rows, DType dtype, const std::byte* source, std::span<const int32_t> source_row = {});

  // Inputs [k_begin, k_begin + k_count) of a panel as float32 [k_count, 32], in `scratch` or in place.
  // k_begin is a multiple of kQuantBlock.
  const float* panel(const Kernels& kernels, int64_t index, int64_t k_begin, int64_t k_count, float* scratch) const;
  // Asks for a panel's bytes ahead of use: part `part` of `parts`.
  void prefetch(int64_t index, int64_t part, int64_t parts) const;
  void copy_row(int64_t out, float* row) const;  // [in]; for embeddings

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  int64_t panels() const { return (out_ + kPanelColumns - 1) / kPanelColumns; }
  size_t bytes() const { return data_.bytes(); }
  Storage storage() const { return storage_; }

 private:
  void set_row(int64_t column, DType dtype, const std::byte* row);
  void set_quantized(int64_t column, DType dtype, const std::byte* row);

  Storage storage_ = Storage::f32;
  int64_t out_ = 0;
  int64_t in_ = 0;
  int64_t panel_bytes_ = 0;
  AlignedBuffer<std::byte> data_;
};

}  // namespace sgmv
