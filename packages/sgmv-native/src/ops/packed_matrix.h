// A base weight matrix [out, in] in panels of 32 output columns: a step reads every weight once, so bytes are time.
// How it is stored and what it is multiplied with depend on the model's weight type (number_types.h); a GEMM item
// takes one panel for all rows of the batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "cpu/kernels.h"
#include "formats/dtype.h"

namespace sgmv {

inline int64_t panels_of(int64_t columns) { return (columns + kPanelColumns - 1) / kPanelColumns; }

class PackedMatrix {
 public:
  enum class Storage : uint8_t { f32, f16, bf16, q8, q4 };

  PackedMatrix() = default;
  PackedMatrix(Storage storage, WeightType compute, int64_t out, int64_t in);

  // The form for tensors of these types (of matrices that are fused into one). WeightType::f32 holds them exactly, MXFP4 where
  // table_to_q8_0() does.
  static Storage storage_for(std::span<const DType> dtypes, int64_t in, WeightType compute);

  // Copies `rows` rows of `source` (row-major in `dtype`) to output columns from `out_begin` on.
  // `source_row[i]` is the row of the source that becomes output out_begin + i; empty: the same order.
  void set_rows(int64_t out_begin, int64_t rows, DType dtype, const std::byte* source, std::span<const int32_t> source_row = {});

  const std::byte* panel(int64_t index) const { return data_.data() + index * panel_bytes_; }
  int64_t panel_bytes() const { return panel_bytes_; }
  // Inputs [k_begin, k_begin + k_count) of a panel as float32 [k_count, 32], in `scratch` (of k_count rounded up to an
  // even number) or in place. k_begin is a multiple of kQuantBlock.
  const float* widened(const Kernels& kernels, int64_t index, int64_t k_begin, int64_t k_count, float* scratch) const;
  float number(int64_t out, int64_t in) const;
  void copy_row(int64_t out, float* row) const;  // [in]; for embeddings

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  int64_t panels() const { return panels_of(out_); }
  size_t bytes() const { return data_.bytes(); }
  Storage storage() const { return storage_; }
  WeightType compute() const { return compute_; }

 private:
  void set_row(int64_t column, DType dtype, const std::byte* row, std::vector<float>& wide);
  void set_numbers(int64_t column, DType dtype, const std::byte* row);
  void set_blocks(int64_t column, DType dtype, const std::byte* row);
  void set_table_as_q8(int64_t column, DType dtype, const std::byte* row, std::vector<float>& wide);

  Storage storage_ = Storage::f32;
  WeightType compute_ = WeightType::f32;
  int64_t out_ = 0;
  int64_t in_ = 0;
  int64_t panel_bytes_ = 0;
  AlignedBuffer<std::byte> data_;
};

// Bytes of an 8-bit panel of `in` inputs.
int64_t q8_panel_bytes(int64_t in);
// Encodes column `lane` of an 8-bit panel: a scale for every kQuantBlock inputs, numbers to the nearest.
// Throws std::range_error for a value that is not finite or has no scale in half precision.
void set_q8_column(std::byte* panel, int64_t lane, const float* values, int64_t in);

}  // namespace sgmv
