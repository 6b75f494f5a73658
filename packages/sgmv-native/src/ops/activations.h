// Rows of activations in float32 and, where products want them, in 8 bits or bfloat16. Rows have room between them, so
// that they do not fall on the same cache lines' sets.
#pragma once

#include "cpu/aligned_buffer.h"
#include "cpu/kernels.h"

namespace sgmv {

struct ActivationForms {
  bool i8 = false;
  bool bf16 = false;
  ActivationForms operator|(const ActivationForms& other) const { return {i8 || other.i8, bf16 || other.bf16}; }
};

class Activations {
 public:

  void reserve(int64_t rows, int64_t columns, ActivationForms forms = {}) {
    width_ = columns;
    forms_ = forms;
    stride_ = (columns + 15) / 16 * 16 + 16;
    encoded_stride_ = (columns + kRowPad - 1) / kRowPad * kRowPad + kRowPad;
    group_stride_ = (columns + kRowPad - 1) / kRowPad * (kRowPad / kQuantBlock);
    data_.reserve(static_cast<size_t>(rows * stride_));
    if (forms.i8) {
      values_.reserve(static_cast<size_t>(rows * encoded_stride_));
      scales_.reserve(static_cast<size_t>(rows * group_stride_));
      sums_.reserve(static_cast<size_t>(rows * group_stride_));
    }
    if (forms.bf16) bf16_.reserve(static_cast<size_t>(rows * encoded_stride_));
  }

  // Brings a row that has been written, or its first `width` columns, into the reserved forms.
  void encode(const Kernels& kernels, int64_t index) { encode(kernels, index, width_); }
  void encode(const Kernels& kernels, int64_t index, int64_t width) {
    if (forms_.i8)
      kernels.encode_i8(row(index), width, values_.data() + index * encoded_stride_, scales_.data() + index * group_stride_,
                        sums_.data() + index * group_stride_);
    if (forms_.bf16) kernels.encode_bf16(row(index), width, bf16_.data() + index * encoded_stride_);
  }

  float* row(int64_t index) { return data_.data() + index * stride_; }
  const float* row(int64_t index) const { return data_.data() + index * stride_; }
  Int8Rows i8(int64_t index) const {
    return Int8Rows{values_.data(), scales_.data(), sums_.data(), encoded_stride_, group_stride_}.from(index);
  }
  const uint16_t* bf16(int64_t index) const { return bf16_.data() + index * encoded_stride_; }

  int64_t width() const { return width_; }
  int64_t stride() const { return stride_; }
  int64_t bf16_stride() const { return encoded_stride_; }

 private:
  int64_t width_ = 0, stride_ = 0, encoded_stride_ = 0, group_stride_ = 0;
  ActivationForms forms_;
  AlignedBuffer<float> data_;
  AlignedBuffer<int8_t> values_;
  AlignedBuffer<float> scales_;
  AlignedBuffer<int32_t> sums_;
  AlignedBuffer<uint16_t> bf16_;
};

}  // namespace sgmv
