// Compute: turns a plan into the model's batch and hands back what each slice gave.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "scheduler.h"
#include "sgmv/model.h"

namespace sgmv {

// What a slice that reaches its sequence's last token gives: the logits of the next one or, where the model drew it
// already, the token itself. Spans point into the runner and hold until its next start.
struct SliceOutput {
  std::span<const float> sampled;  // [vocab]; empty: none, or drawn
  std::optional<int32_t> drawn;    // kNoToken: its logits were not numbers
  std::span<const float> prompt;   // [rows, vocab] of prompt positions from `computed` on; empty unless wanted
};

class StepRunner {
 public:
  StepRunner(Model& model, KvCache& cache) : model_(model), cache_(cache) {}

  // Computes the slices' keys, values and outputs; output i belongs to slice i. Changes no sequence, and computing
  // a slice again writes the same values, so that a step that failed can be repeated in parts. Between the two the model
  // may compute while the caller does something else; a step that is not finished is dropped by the next start.
  void start(std::span<const PlannedSlice> slices);
  const std::vector<SliceOutput>& finish();

 private:
  // Of one slice: its prompt rows of the logits, then the row that chooses the next token, or its draw.
  struct Rows {
    int32_t begin;
    int32_t prompt_count;
    bool sampled;
    int32_t draw;  // -1: none
  };

  void add(const PlannedSlice& slice);
  void add_segment(int32_t begin, int32_t end, const Adapter* adapter);
  bool may_draw(const Sequence& sequence) const;

  Model& model_;
  KvCache& cache_;
  std::vector<int32_t> tokens_;
  std::vector<SequenceSlice> sequences_;
  std::vector<Segment> segments_;
  std::vector<int32_t> logit_rows_;
  std::vector<Draw> draws_;
  std::vector<Rows> rows_;
  std::vector<float> logits_;
  std::vector<int32_t> drawn_;
  std::vector<SliceOutput> outputs_;
};

}  // namespace sgmv
