#include "layers/fused_linear.h"

namespace sgmv {

void FusedLinear::plan(std::span<const Segment> segments) {
  runs_.clear();
  for (const Segment& segment : segments) {
    if (segment.adapter == nullptr || segment.token_begin == segment.token_end) continue;
    const auto* adapter = static_cast<const LoraAdapter*>(segment.adapter);
    if (!runs_.empty() && runs_.back().adapter == adapter && runs_.back().end == segment.token_begin) runs_.back().end = segment.token_end;
    else runs_.push_back({segment.token_begin, segment.token_end, adapter});
  }
}

void FusedLinear::plan_lora(int32_t layer, ProjectionGroup group, Activations& x, Activations& y) {
  int64_t v_size = 0;
  for (const Run& run : runs_) v_size += (run.end - run.begin) * run.adapter->group(layer, group).a.rank;
  v_.reserve(static_cast<size_t>(v_size));
  shrink_.reset(x.data.data(), x.stride, v_.data());
  expand_.reset(v_.data(), y.data.data(), y.stride);
  int64_t v_begin = 0;
  for (const Run& run : runs_) {
    const LoraGroup& lora = run.adapter->group(layer, group);
    if (lora.a.rank == 0) continue;
    shrink_.add({run.begin, run.end, lora.a, v_begin});
    for (const LoraPart& part : lora.parts)
      expand_.add({run.begin, run.end, part.b, part.scale, v_begin + part.v_offset, lora.a.rank, part.y_column});
    v_begin += (run.end - run.begin) * lora.a.rank;
  }
}

void FusedLinear::run(CpuDevice& device, const Linear& linear, int32_t layer, ProjectionGroup group, Activations& x,
                      int64_t tokens, Activations& y) {
  const GemmWork gemm{x.data.data(), x.stride, tokens, &linear.weights, linear.bias_data(), y.data.data(), y.stride};
  plan_lora(layer, group, x, y);
  device.reserve_scratch(GemmWork::scratch_floats());
  const int64_t shrinks = shrink_.items(), total = shrinks + gemm.items();
  device.pool().parallel_for(total, [&](int64_t item, int worker) {
    // The shrinks are spread evenly among the panels.
    const int64_t before = item * shrinks / total, after = (item + 1) * shrinks / total;
    if (after > before) shrink_.run(device, before);
    else gemm.run(device, item - before, worker);
  });
  if (expand_.items() == 0) return;
  device.pool().parallel_for(expand_.items(), [&](int64_t item, int) { expand_.run(device, item); });
}

}  // namespace sgmv
