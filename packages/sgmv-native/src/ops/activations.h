// Rows of activations in float32 and, where products want them, in 8 bits or bfloat16. Rows have room between them, so
// that they do not fall on the same cache lines' sets.
#pragma once

#include <algorithm>

#include "cpu/aligned_buffer.h"
#include "cpu/kernels.h"

namespace sgmv {

struct ActivationForms {
  bool i8 = false;
  bool bf16 = false;
  ActivationForms operator|(const ActivationForms& other) const {
    return {i8 || other.i8, bf16 || other.bf16};
  }
};

class Activations {
 public:
  void reserve(int64_t rows, int64_t columns, ActivationForms forms = {}) {
    width_ = columns;
    forms_ = forms;
    stride_ = (columns + 15) / 16 * 16 + 16;
    bf16_stride_ = (columns + kRowPad - 1) / kRowPad * kRowPad + kRowPad;
    chunk_stride_ = rows | 1;  // odd: chunks of one row must not fall on the same sets of a cache
    data_.reserve(static_cast<size_t>(rows * stride_));
    if (forms.i8) chunks_.reserve(static_cast<size_t>(chunk_stride_ * ((columns + kRowPad - 1) / kRowPad)));
    if (forms.bf16) bf16_.reserve(static_cast<size_t>(rows * bf16_stride_));
  }

  // Brings a row that has been written, or its first `width` columns, into the reserved forms.
  void encode(const Kernels& kernels, int64_t index) { encode(kernels, index, width_); }
  void encode(const Kernels& kernels, int64_t index, int64_t width) {
    if (forms_.i8) kernels.encode_i8(row(index), width, chunks_.data() + index, chunk_stride_);
    if (forms_.bf16) kernels.encode_bf16(row(index), width, bf16_.data() + index * bf16_stride_);
  }

  // A row of others of the same width, in all reserved forms, which they have too.
  void copy_row(const Activations& from, int64_t from_index, int64_t index) {
    std::copy_n(from.row(from_index), width_, row(index));
    for (int64_t chunk = 0; forms_.i8 && chunk * kRowPad < width_; ++chunk)
      chunks_.data()[chunk * chunk_stride_ + index] = from.chunks_.data()[chunk * from.chunk_stride_ + from_index];
    if (forms_.bf16) std::copy_n(from.bf16(from_index), (width_ + kRowPad - 1) / kRowPad * kRowPad, bf16_.data() + index * bf16_stride_);
  }

  float* row(int64_t index) { return data_.data() + index * stride_; }
  const float* row(int64_t index) const { return data_.data() + index * stride_; }
  Int8Rows i8(int64_t index) const { return {chunks_.data() + index, chunk_stride_}; }
  const uint16_t* bf16(int64_t index) const { return bf16_.data() + index * bf16_stride_; }

  int64_t width() const { return width_; }
  int64_t stride() const { return stride_; }
  int64_t bf16_stride() const { return bf16_stride_; }

 private:
  int64_t width_ = 0, chunk_stride_ = 0, stride_ = 0, bf16_stride_ = 0;
  ActivationForms forms_;
  AlignedBuffer<float> data_;
  AlignedBuffer<Int8Chunk> chunks_;
  AlignedBuffer<uint16_t> bf16_;
};

}  // namespace sgmv
