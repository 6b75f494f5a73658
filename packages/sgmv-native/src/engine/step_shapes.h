// What the steps were like since the start: how long, and of how much.
#pragma once

#include <cstdint>
#include <span>

#include "scheduler.h"
#include "sgmv/distribution.h"

namespace sgmv {

// What one step computes. Segments: runs of tokens that share an adapter; tokens of the base model alone are in none.
struct StepShape {
  int32_t sequences = 0;
  int32_t tokens = 0;
  int32_t segments = 0;

  // Before the step is run: sequences of slices may have ended afterwards.
  static StepShape of(std::span<const PlannedSlice> slices) noexcept {
    StepShape shape;
    uint64_t before = 0;
    for (const PlannedSlice& slice : slices) {
      shape.sequences += 1;
      shape.tokens += slice.token_count;
      const uint64_t adapter = slice.sequence ? slice.adapter_serial() : before;
      if (adapter != 0 && adapter != before) shape.segments += 1;
      before = adapter;
    }
    return shape;
  }
};

// Bounds reach from a small model on a fast device to a large one on two cores, and to the largest batch there may be.
struct StepShapes {
  Distribution seconds{{0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.016, 0.024, 0.032, 0.05, 0.1, 0.2, 0.5, 1, 5}};
  Distribution sequences{{1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024}};
  Distribution tokens{{1, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096, 8192}};
  Distribution segments{{0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512}};

  void add(const StepShape& shape, double step_seconds) noexcept {
    seconds.add(step_seconds);
    sequences.add(shape.sequences);
    tokens.add(shape.tokens);
    segments.add(shape.segments);
  }
};

}  // namespace sgmv
