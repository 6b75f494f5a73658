// One fused projection of a layer for a mixed batch: y = x · W^T + bias, and for every segment with an adapter
// y += scale · (x · A^T) · B^T. The base product and the shrink run in one loop: the first is bound by arithmetic,
// the second by memory, so threads that work on different ones do not wait for the same thing.
#pragma once

#include <span>
#include <vector>

#include "cpu/cpu_device.h"
#include "layers/lora_adapter.h"
#include "ops/gemm_cpu.h"
#include "ops/sgmv_cpu.h"
#include "sgmv/model.h"

namespace sgmv {

struct Linear {
  PackedMatrix weights;
  std::vector<float> bias;  // [out] or empty
  const float* bias_data() const { return bias.empty() ? nullptr : bias.data(); }
  size_t bytes() const { return weights.bytes() + bias.size() * sizeof(float); }
};

// Rows of activations with room between them, so that rows do not fall on the same cache lines' sets.
struct Activations {
  AlignedBuffer<float> data;
  int64_t width = 0, stride = 0;

  void reserve(int64_t rows, int64_t columns) {
    width = columns;
    stride = (columns + 15) / 16 * 16 + 16;
    data.reserve(static_cast<size_t>(rows * stride));
  }
  float* row(int64_t index) { return data.data() + index * stride; }
};

class FusedLinear {
 public:
  // Which segments of the batch have which adapter; the same for all layers of a forward pass.
  void plan(std::span<const Segment> segments);
  void run(CpuDevice& device, const Linear& linear, int32_t layer, ProjectionGroup group, Activations& x, int64_t tokens, Activations& y);

 private:
  struct Run { int64_t begin, end; const LoraAdapter* adapter; };
  void plan_lora(int32_t layer, ProjectionGroup group, Activations& x, Activations& y);

  std::vector<Run> runs_;
  ShrinkWork shrink_;
  ExpandWork expand_;
  AlignedBuffer<float> v_;
};

}  // namespace sgmv
