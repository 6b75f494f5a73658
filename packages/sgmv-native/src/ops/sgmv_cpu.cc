#include "ops/sgmv_cpu.h"

#include <algorithm>

namespace sgmv {
namespace {

int64_t padded_inputs(int64_t in) { return (in + kLoraPad - 1) / kLoraPad * kLoraPad; }

}  // namespace

void ShrinkWork::reset(const float* x, int64_t x_stride, float* v) {
  x_ = x;
  x_stride_ = x_stride;
  v_ = v;
  items_.clear();
}

void ShrinkWork::add(const ShrinkSegment& segment) {
  for (int64_t token = segment.token_begin; token < segment.token_end; token += kTokens)
    for (int64_t rank = 0; rank < segment.a.rank; rank += kRanks)
      items_.push_back({segment, token, std::min(kTokens, segment.token_end - token), rank,
                        std::min(kRanks, segment.a.rank - rank)});
}

void ShrinkWork::run(CpuDevice& device, int64_t index) const {
  const Item& item = items_[static_cast<size_t>(index)];
  const PackedLora& a = item.segment.a;
  const int64_t a_stride = padded_inputs(a.width);
  const auto* rows = static_cast<const std::byte*>(a.data) + static_cast<size_t>(item.rank * a_stride) * lora_type_bytes(a.type);
  float* v = v_ + item.segment.v_begin + (item.token - item.segment.token_begin) * a.rank + item.rank;
  device.kernels().shrink(x_ + item.token * x_stride_, x_stride_, item.tokens, rows, a_stride, a.type, item.ranks, a.width, v, a.rank);
}

void ExpandWork::reset(const float* v, float* y, int64_t y_stride) {
  v_ = v;
  y_ = y;
  y_stride_ = y_stride;
  items_.clear();
}

void ExpandWork::add(const ExpandSegment& segment) {
  const int64_t panels = (segment.b.width + kPanelColumns - 1) / kPanelColumns;
  for (int64_t token = segment.token_begin; token < segment.token_end; token += kTokens)
    for (int64_t panel = 0; panel < panels; panel += kPanels)
      items_.push_back({segment, token, std::min(kTokens, segment.token_end - token), panel, std::min(kPanels, panels - panel)});
}

void ExpandWork::run(CpuDevice& device, int64_t index) const {
  const Item& item = items_[static_cast<size_t>(index)];
  const ExpandSegment& segment = item.segment;
  const PackedLora& b = segment.b;
  const size_t panel_bytes = static_cast<size_t>(b.rank) * kPanelColumns * lora_type_bytes(b.type);
  const float* v = v_ + segment.v_begin + (item.token - segment.token_begin) * segment.v_stride;
  for (int64_t panel = item.panel; panel < item.panel + item.panels; ++panel) {
    const int64_t column = panel * kPanelColumns;
    device.kernels().expand(v, segment.v_stride, item.tokens, static_cast<const std::byte*>(b.data) + static_cast<size_t>(panel) * panel_bytes,
                            b.type, b.rank, std::min<int64_t>(kPanelColumns, b.width - column), segment.scale,
                            y_ + item.token * y_stride_ + segment.y_column + column, y_stride_);
  }
}

}  // namespace sgmv
