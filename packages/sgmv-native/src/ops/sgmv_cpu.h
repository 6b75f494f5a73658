// The LoRA products on the CPU, as work that can be run alone or side by side with a GEMM.
#pragma once

#include <span>
#include <vector>

#include "cpu/cpu_device.h"
#include "sgmv/ops.h"

namespace sgmv {

// Items of up to kTokens tokens × kRanks rows of A.
class ShrinkWork {
 public:
  void reset(const float* x, int64_t x_stride, float* v);
  void add(const ShrinkSegment& segment);
  int64_t items() const { return static_cast<int64_t>(items_.size()); }
  void run(CpuDevice& device, int64_t item) const;

 private:
  static constexpr int64_t kTokens = 32, kRanks = 32;
  struct Item { ShrinkSegment segment; int64_t token, tokens, rank, ranks; };
  const float* x_ = nullptr;
  int64_t x_stride_ = 0;
  float* v_ = nullptr;
  std::vector<Item> items_;
};

// Items of up to kTokens tokens × kPanels panels of B.
class ExpandWork {
 public:
  void reset(const float* v, float* y, int64_t y_stride);
  void add(const ExpandSegment& segment);
  int64_t items() const { return static_cast<int64_t>(items_.size()); }
  void run(CpuDevice& device, int64_t item) const;

 private:
  static constexpr int64_t kTokens = 32, kPanels = 24;
  struct Item { ExpandSegment segment; int64_t token, tokens, panel, panels; };
  const float* v_ = nullptr;
  float* y_ = nullptr;
  int64_t y_stride_ = 0;
  std::vector<Item> items_;
};

}  // namespace sgmv
