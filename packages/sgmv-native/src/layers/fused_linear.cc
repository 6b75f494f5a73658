#include "layers/fused_linear.h"

#include <algorithm>

#include "ops/sgmv_cpu.h"

namespace sgmv {
namespace {

constexpr int64_t kShrinkTokens = 32;  // of one item

}  // namespace

void FusedLinear::plan(std::span<const Segment> segments) {
  runs_.clear();
  forms_ = {};
  for (const Segment& segment : segments) {
    if (segment.adapter == nullptr || segment.token_begin == segment.token_end) continue;
    const auto* adapter = static_cast<const LoraAdapter*>(segment.adapter);
    forms_ = forms_ | adapter->forms(narrow_);
    if (!runs_.empty() && runs_.back().adapter == adapter && runs_.back().end == segment.token_begin) runs_.back().end = segment.token_end;
    else runs_.push_back({segment.token_begin, segment.token_end, adapter});
  }
}

void FusedLinear::plan_tasks(Place place) {
  tasks_.clear();
  shrinks_.clear();
  int64_t rows = 0, rank = 0;
  for (const Run& run : runs_)
    for (const LoraPart& part : run.adapter->group(place.layer, place.group).parts) {
      tasks_.push_back({run.begin, run.end, rows, &part});
      for (int64_t token = run.begin; token < run.end; token += kShrinkTokens)
        shrinks_.emplace_back(static_cast<int32_t>(tasks_.size()) - 1, token);
      rows += run.end - run.begin;
      rank = std::max<int64_t>(rank, part.a.rank);
    }
  if (rows > 0) v_.reserve(rows, rank, forms_);
}

void FusedLinear::shrink(CpuDevice& device, const Activations& x) {
  const Kernels& kernels = device.kernels();
  device.pool().parallel_for(static_cast<int64_t>(shrinks_.size()), [&](int64_t item, int) {
    const auto& [index, token] = shrinks_[static_cast<size_t>(item)];
    const Task& task = tasks_[static_cast<size_t>(index)];
    const int64_t tokens = std::min(kShrinkTokens, task.end - token), row = task.v_row + token - task.begin;
    shrink_rows(kernels, task.part->a, narrow_, x, token, tokens, v_.row(row), v_.stride());
    for (int64_t t = 0; t < tokens; ++t) v_.encode(kernels, row + t, task.part->a.rank);
  });
}

void FusedLinear::expand(const Kernels& kernels, const PanelTile& tile) const {
  const int64_t row_end = tile.row_begin + tile.row_count;
  for (const Task& task : tasks_) {
    const PackedLora& b = task.part->b;
    const int64_t panel = tile.panel - task.part->panel_begin;
    if (panel < 0 || panel * kPanelColumns >= b.width) continue;
    const int64_t begin = std::max(task.begin, tile.row_begin), end = std::min(task.end, row_end);
    if (begin >= end) continue;
    expand_rows(kernels, b, narrow_, v_, task.v_row + begin - task.begin, end - begin, task.part->scale, panel,
                tile.sums + (begin - tile.row_begin) * kPanelColumns);
  }
}

// This thread will likely take the item `threads` further on: its weights and the factors that go with it. And an equal
// share of the A matrices that the next projection begins with.
void FusedLinear::ask_ahead(const GemmWork& gemm, const PanelTile& tile, int64_t item, int64_t threads, std::optional<Place> next, Prefetch& ahead) const {
  const int64_t panel = tile.panel + (gemm.row_chunks() == 1 ? threads : 1);
  if (panel < gemm.weights->panels() && tile.row_begin + tile.row_count == gemm.rows) {
    ahead.add(gemm.weights->panel(panel), gemm.weights->panel_bytes());
    for (const Task& task : tasks_) {
      const PackedLora& b = task.part->b;
      const int64_t of_b = panel - task.part->panel_begin, bytes = lora_b_panel_bytes(b.type, b.rank);
      if (of_b >= 0 && of_b * kPanelColumns < b.width) ahead.add(static_cast<const std::byte*>(b.data) + of_b * bytes, bytes);
    }
  }
  if (!next) return;
  const int64_t items = gemm.items();
  for (const Run& run : runs_) {
    const LoraGroup& group = run.adapter->group(next->layer, next->group);
    const auto bytes = static_cast<int64_t>(group.a_bytes), begin = bytes * item / items / 64 * 64, end = bytes * (item + 1) / items / 64 * 64;
    ahead.add(group.a_data + begin, end - begin);
  }
}

void FusedLinear::run(CpuDevice& device, const Linear& linear, Place place, std::optional<Place> next, const Activations& x, int64_t tokens, Activations& y) {
  const GemmWork gemm{&x, tokens, &linear.weights, linear.bias_data(), y.row(0), y.stride()};
  plan_tasks(place);
  device.reserve_scratch(GemmWork::scratch_floats());
  shrink(device, x);
  device.pool().parallel_for(gemm.items(), [&](int64_t item, int worker) {
    const PanelTile tile = gemm.tile(device, item, worker);
    Prefetch ahead;
    ask_ahead(gemm, tile, item, device.threads(), next, ahead);
    gemm.product(device, tile, worker, ahead);
    expand(device.kernels(), tile);
    gemm.finish(tile);
  });
}

}  // namespace sgmv
