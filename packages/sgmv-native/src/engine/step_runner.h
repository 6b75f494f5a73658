// Compute: turns a plan into the model's batch and hands back each slice's logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scheduler.h"
#include "sgmv/model.h"

namespace sgmv {

// Where a slice's logits are. Spans point into the runner and hold until its next run.
struct SliceLogits {
  std::span<const float> sampled;  // [vocab]; empty: the slice does not reach the sequence's last token
  std::span<const float> prompt;   // [rows, vocab] of prompt positions from `computed` on; empty unless wanted
};

class StepRunner {
 public:
  StepRunner(Model& model, KvCache& cache) : model_(model), cache_(cache) {}

  // Computes the slices' keys, values and logits; result i belongs to slice i. Changes no sequence, and computing
  // a slice again writes the same values, so that a step that failed can be repeated in parts.
  const std::vector<SliceLogits>& run(std::span<const PlannedSlice> slices);

 private:
  struct Rows {
    int32_t begin;
    int32_t prompt_count;
    bool sampled;
  };

  void add(const PlannedSlice& slice);
  void add_segment(int32_t begin, int32_t end, const Adapter* adapter);

  Model& model_;
  KvCache& cache_;
  std::vector<int32_t> tokens_;
  std::vector<SequenceSlice> sequences_;
  std::vector<Segment> segments_;
  std::vector<int32_t> logit_rows_;
  std::vector<Rows> rows_;
  std::vector<float> logits_;
  std::vector<SliceLogits> results_;
};

}  // namespace sgmv
